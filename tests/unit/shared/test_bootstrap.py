"""One bundle per process, made late and from settings alone."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from shared.adapters.transport import SharedTransport
from shared.bootstrap import build_bundle, close_bundle, get_bundle
from shared.errors import SettingsInvalid
from tests.unit.shared.test_settings import mapping


@pytest.fixture(autouse=True)
async def closed() -> AsyncIterator[None]:
    yield
    await close_bundle()


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sorted(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  our own interpreter
    return set(answer.stdout.split())


def test_importing_bootstrap_loads_no_sdk() -> None:
    loaded = loaded_after("import shared.bootstrap")
    assert not {name for name in loaded if name.split(".")[0] in {"azure", "aiohttp", "fastapi"}}


def test_building_a_bundle_loads_no_resource_manager_or_event_grid() -> None:
    statement = (
        "from shared.adapters.transport import SharedTransport\n"
        "from shared.bootstrap import build_bundle\n"
        f"build_bundle({mapping()!r}, SharedTransport())"
    )
    loaded = loaded_after(statement)
    assert "azure.data.tables.aio" in loaded
    assert not {"azure.mgmt.storage", "azure.mgmt.compute", "azure.eventgrid", "fastapi"} & loaded


async def test_there_is_one_bundle_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in mapping().items():
        monkeypatch.setenv(name, value)
    first = get_bundle()
    assert get_bundle() is first
    await close_bundle()
    assert get_bundle() is not first


async def test_invalid_settings_are_reported_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in mapping():
        monkeypatch.delenv(name, raising=False)
    for _ in range(2):
        with pytest.raises(SettingsInvalid):
            get_bundle()
    for name, value in mapping().items():
        monkeypatch.setenv(name, value)
    assert get_bundle().settings.api_client_id in os.environ["CROSSKEY_API_CLIENT_ID"]


async def test_a_client_cannot_close_what_all_share() -> None:
    transport = SharedTransport()
    build_bundle(mapping(), transport)
    await transport.open()
    await transport.close()
    async with transport:
        assert transport.session is not None
    assert not transport.session.closed
    await transport.shut_down()
    assert transport.session is None
