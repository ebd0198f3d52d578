"""One world for all scenarios, with the app in the Functions host and its storage in Azurite. Customers are fresh."""

from collections.abc import Iterator

import pytest

from local.run import LocalWorld
from tests.running_world import RunningWorld
from tests.scenario.scene import Scene


@pytest.fixture(scope="session")
def scenario_world() -> Iterator[RunningWorld]:
    """The world that scenarios share. Its clock is moved by all of them, and never back."""
    with RunningWorld(LocalWorld) as world:
        yield world


@pytest.fixture(scope="session")
def stage_of_world(scenario_world: RunningWorld) -> Iterator[Scene]:
    with Scene(scenario_world) as scene:
        yield scene


@pytest.fixture
def scene(stage_of_world: Scene) -> Iterator[Scene]:
    """The shared world, in good order again after the test."""
    yield stage_of_world
    stage_of_world.control.clear_faults()
    stage_of_world.control.change_event_grid()
    stage_of_world.control.start_host()
