"""Fixtures for every test: the local Azure, fresh for each test, and this process as a client that lives in it."""

from collections.abc import Iterator

import aiohttp.connector
import pytest

from local.azurite import Azurite
from local.run import LocalWorld
from tests.running_world import RunningWorld


@pytest.fixture(scope="session")
def running_world() -> Iterator[RunningWorld]:
    """One local Azure for the whole run, without the Functions host; see `local_azure`."""
    with RunningWorld(lambda: LocalWorld(app_folder=None, with_azurite=False)) as world:
        yield world


@pytest.fixture
def local_azure(running_world: RunningWorld) -> RunningWorld:
    """The local Azure in its first state: the provider's side, real time, no faults, nothing recorded."""
    running_world.control.reset()
    return running_world


@pytest.fixture
def inside_local_azure(local_azure: RunningWorld, monkeypatch: pytest.MonkeyPatch) -> RunningWorld:
    """The same, with this process's environment such that any SDK client lives in it."""
    for name, value in local_azure.local.app_environment().items():
        monkeypatch.setenv(name, value)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    # A fresh process would read SSL_CERT_FILE; in this one aiohttp made its default context when it was imported.
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", local_azure.tls)
    return local_azure


@pytest.fixture(scope="session")
def azurite(running_world: RunningWorld) -> Azurite:
    """The storage of the local Azure, started by the first test that needs it. Its data outlives a test."""
    return running_world.run(running_world.local.start_azurite())
