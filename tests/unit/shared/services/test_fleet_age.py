"""How old the fleet's summary says it is, also after the fleet was cut into another number of ranges."""

from datetime import timedelta

from shared.services.fleet import summarise_fleet
from shared.services.sweep import start_sweep
from shared.stores import SweepRow
from tests.fakes import FakeWorld, make_world
from tests.unit.shared.services.stage import ORIGIN


async def swept(world: FakeWorld, range_id: str, customers: int = 150) -> None:
    row = SweepRow(
        range_id=range_id,
        finished_at=world.clock.now(),
        customers=customers,
        keys_checked=0,
        resources_observed=0,
        queued=0,
    )
    await world.fleet.write_sweep(row)


async def test_a_fleet_that_was_cut_anew_is_as_old_as_its_present_ranges() -> None:
    world = make_world()
    await swept(world, "0of1", 300)
    world.clock.advance(timedelta(days=10))
    await swept(world, "0of2")
    world.clock.advance(timedelta(minutes=1))
    await swept(world, "1of2")
    assert world.clock.now() - (await summarise_fleet(world.bundle)).as_of == timedelta(minutes=1)


async def test_a_fleet_that_shrank_is_as_old_as_its_present_ranges() -> None:
    world = make_world()
    for index in range(4):
        await swept(world, f"{index}of4")
    world.clock.advance(timedelta(days=10))
    await swept(world, "0of1", 10)
    assert (await summarise_fleet(world.bundle)).as_of == world.clock.now()


async def test_the_oldest_present_range_counts() -> None:
    world = make_world()
    await swept(world, "1of2")
    world.clock.advance(timedelta(hours=3))
    await swept(world, "0of2")
    assert world.clock.now() - (await summarise_fleet(world.bundle)).as_of == timedelta(hours=3)


async def test_customers_of_earlier_cuts_are_not_counted_twice() -> None:
    world = make_world()
    await swept(world, "0of1", 300)
    world.clock.advance(timedelta(minutes=5))
    await swept(world, "0of2", 200)
    await swept(world, "1of2", 100)
    await start_sweep(world.bundle, origin=ORIGIN)
    assert [item.name for item in world.queue.items] == ["0of2", "1of2"]
