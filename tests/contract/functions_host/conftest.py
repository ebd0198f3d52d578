"""One Azurite and one host for each test module; modules whose tests kill hosts make their own."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract.functions_host.harness import HostUnderTest, StorageWorld


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StorageWorld]:
    storage = StorageWorld(tmp_path_factory.mktemp("world"))
    await storage.azurite.start()
    yield storage
    await storage.azurite.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(world: StorageWorld, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HostUnderTest]:
    """A host that the tests of a module share."""
    running = HostUnderTest(world, tmp_path_factory.mktemp("host"))
    await running.start()
    yield running
    await running.child.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def own_host(world: StorageWorld, tmp_path: Path) -> AsyncIterator[HostUnderTest]:
    """A host of the test's own, not started yet, one minute after an occurrence of its timer.

    So real time does not reach the next occurrence while the test counts those that the clock's moves cause.
    """
    now = world.clock.now()
    world.clock.advance(timedelta(minutes=6 - now.minute % 5, seconds=-now.second))
    fresh = HostUnderTest(world, tmp_path)
    yield fresh
    await fresh.child.stop()
