"""Fixtures for the edges: a fake world, and the API over it."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes import FakeWorld, make_world
from tests.unit.handlers.api_client import Api, make_api


@pytest.fixture
def world() -> FakeWorld:
    return make_world()


@pytest.fixture
async def api(world: FakeWorld) -> AsyncIterator[Api]:
    made = make_api(world)
    async with made.client:
        yield made
