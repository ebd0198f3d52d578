"""The drainer: order, the chain, leases, and what other workers and an unreachable topic do to it."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.domain.entries import GENESIS, Entry, EntryType, Notification, Record, entry_hash
from shared.domain.model import Customer, Key
from shared.errors import CrossKeyError, StaleWrite, Throttled, Unavailable
from shared.services.commits import commit
from shared.services.drain import LEASE, DrainedElsewhere, drain_timeline
from shared.services.timeline import check_integrity
from shared.stores import Stored
from tests.fakes import APPLICATION, CUSTOMER_TENANT, START, FakeWorld, make_world
from tests.unit.shared.services.crash import How, Killed, interrupted, restarted
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage

CUSTOMER = Customer(
    customer_id=CONTOSO,
    display_name="Contoso",
    tenant_id=CUSTOMER_TENANT,
    application=APPLICATION,
    ownership_nonce="nonce",
    created_at=START,
)


async def write(bundle: Bundle, count: int, *, first: int = 0) -> None:
    """Leave entries in the outbox; every third is announced."""
    stored = await bundle.state.read_customer(CONTOSO)
    for number in range(first, first + count):
        entry_type: EntryType = Notification.ATTENTION_NEEDED if number % 3 == 0 else Record.CUSTOMER_CHANGED
        stored = await write_one(bundle, stored, entry_type, number)


async def write_one(
    bundle: Bundle, stored: Stored[Customer] | None, entry_type: EntryType, number: int
) -> Stored[Customer]:
    entry = Entry(type=entry_type, data={"number": number}, origin=ORIGIN)
    return await bundle.state.commit(CUSTOMER, entry, previous=stored, now=bundle.clock.now())


def stage_of(world: FakeWorld) -> Stage:
    """The stage without a key: only what the timeline is asked."""
    vault = world.vault.add_vault("unused", CUSTOMER_TENANT)
    return Stage(world, vault, world.vault.add_version(vault, "unused"))


async def numbers(world: FakeWorld) -> list[int]:
    return [entry.data["number"] async for entry in world.timeline.read_entries(CONTOSO)]


async def test_entries_stand_in_the_timeline_in_the_order_of_their_commits() -> None:
    world = make_world()
    await write(world.bundle, 250)
    await drain_timeline(world.bundle, CONTOSO)
    assert await numbers(world) == list(range(250))
    await stage_of(world).assert_told_truly()


async def test_commits_of_several_rows_stand_in_the_order_of_time() -> None:
    world = make_world()
    for number, name in enumerate(["zeta", "alpha", "mike"]):
        key = Key(customer_id=CONTOSO, name=name, identifier=stage_of(world).cmk, registered_at=START)
        entry = Entry(type=Record.KEY_REGISTERED, data={"number": number}, origin=ORIGIN)
        await world.state.commit(key, entry, previous=None, now=world.clock.now())
        world.clock.advance(timedelta(microseconds=1))
    await drain_timeline(world.bundle, CONTOSO)
    assert await numbers(world) == [0, 1, 2]


async def test_every_hash_covers_its_entry_and_the_hash_before() -> None:
    world = make_world()
    await write(world.bundle, 5)
    await drain_timeline(world.bundle, CONTOSO)
    await write(world.bundle, 5, first=5)
    await drain_timeline(world.bundle, CONTOSO)
    tip = GENESIS
    async for entry in world.timeline.read_entries(CONTOSO):
        assert entry.hash == entry_hash(tip, entry)
        tip = entry.hash
    assert (await world.timeline.read_head(CONTOSO)).head.hash == tip


async def test_a_rewritten_entry_is_named_by_the_integrity_check() -> None:
    world = make_world()
    await write(world.bundle, 5)
    await drain_timeline(world.bundle, CONTOSO)
    entries = [entry async for entry in world.timeline.read_entries(CONTOSO)]
    world.timeline.forge(CONTOSO, replace(entries[2], data={"number": 1000}))
    integrity = await check_integrity(world.bundle, CONTOSO)
    assert (integrity.intact, integrity.first_bad_sequence) == (False, 3)


async def test_a_notification_carries_the_hash_of_its_own_entry() -> None:
    world = make_world()
    await write(world.bundle, 4)
    await drain_timeline(world.bundle, CONTOSO)
    hashes = {entry.sequence: entry.hash async for entry in world.timeline.read_entries(CONTOSO)}
    carried = {one.data["timelineSequence"]: one.data["timelineHash"] for one in world.notifications.published}
    assert carried == {1: hashes[1], 4: hashes[4]}


async def test_draining_an_empty_outbox_writes_nothing() -> None:
    world = make_world()
    await drain_timeline(world.bundle, CONTOSO)
    assert world.timeline.calls["append"] == world.timeline.calls["write_head"] == 0
    assert world.notifications.calls["publish"] == world.fleet.calls["write_customer"] == 0


async def test_the_read_model_shows_the_timeline_as_far_as_it_was_drained() -> None:
    world = make_world()
    await write(world.bundle, 120)
    await drain_timeline(world.bundle, CONTOSO)
    (row,) = await world.fleet.read_customers(limit=10)
    head = (await world.timeline.read_head(CONTOSO)).head
    assert (row.timeline_sequence, row.timeline_hash) == (120, head.hash)


async def test_after_a_drain_nobody_holds_the_timeline_and_no_batch_is_open() -> None:
    world = make_world()
    await write(world.bundle, 3)
    await drain_timeline(world.bundle, CONTOSO)
    head = (await world.timeline.read_head(CONTOSO)).head
    assert (head.batch, head.owner, head.owned_until) == ((), None, None)


@pytest.mark.parametrize("how", How)
async def test_a_drain_interrupted_at_any_call_is_finished_by_the_next_one(how: How) -> None:
    for at in range(1, 100):
        world = make_world()
        await write(world.bundle, 105)
        process, interruption = interrupted(world.bundle, at, how)
        try:
            await drain_timeline(process, CONTOSO)
        except (Killed, Unavailable):
            world.clock.advance(LEASE)
            await drain_timeline(restarted(world.bundle), CONTOSO)
        assert await numbers(world) == list(range(105)), interruption.struck
        await stage_of(world).assert_told_truly()
        assert (await world.timeline.read_head(CONTOSO)).head.owned_until is None, interruption.struck
        if interruption.struck is None:
            assert at > 12
            return
    raise AssertionError("a drain never ran through")


@pytest.mark.parametrize("how", How)
async def test_entries_that_come_after_a_crash_follow_those_before(how: How) -> None:
    for at in range(1, 100):
        world = make_world()
        await write(world.bundle, 5)
        process, interruption = interrupted(world.bundle, at, how)
        try:
            await drain_timeline(process, CONTOSO)
        except (Killed, Unavailable):
            world.clock.advance(LEASE)
        await write(world.bundle, 5, first=5)
        await drain_timeline(restarted(world.bundle), CONTOSO)
        assert await numbers(world) == list(range(10)), interruption.struck
        await stage_of(world).assert_told_truly()
        if interruption.struck is None:
            return
    raise AssertionError("a drain never ran through")


async def test_two_processes_at_once_append_nothing_twice() -> None:
    world = make_world()
    await write(world.bundle, 300)
    processes = [restarted(world.bundle) for _ in range(2)]
    await asyncio.gather(*(drain_timeline(one, CONTOSO) for one in processes), return_exceptions=True)
    world.clock.advance(LEASE)
    await drain_timeline(world.bundle, CONTOSO)
    assert await numbers(world) == list(range(300))
    await stage_of(world).assert_told_truly()


@pytest.mark.parametrize("headway", range(12))
async def test_a_process_that_lost_its_lease_appends_nothing_twice(headway: int) -> None:
    world = make_world()
    await write(world.bundle, 120)
    slow = asyncio.create_task(drain_timeline(restarted(world.bundle), CONTOSO))
    for _ in range(headway):
        await asyncio.sleep(0)
    world.clock.advance(LEASE)
    fast = asyncio.create_task(drain_timeline(restarted(world.bundle), CONTOSO))
    answers = await asyncio.gather(slow, fast, return_exceptions=True)
    assert all(one is None or isinstance(one, StaleWrite | DrainedElsewhere) for one in answers), answers
    world.clock.advance(LEASE)
    await drain_timeline(world.bundle, CONTOSO)
    assert await numbers(world) == list(range(120))
    await stage_of(world).assert_told_truly()


@pytest.mark.parametrize("error", [Unavailable("no answer"), Throttled("throttled", retry_after=timedelta(seconds=9))])
async def test_nothing_is_lost_while_the_topic_is_down(error: CrossKeyError) -> None:
    world = make_world()
    await write(world.bundle, 4)
    world.notifications.break_before("publish", error, error)
    for _ in range(2):
        with pytest.raises(Unavailable) as raised:
            await drain_timeline(world.bundle, CONTOSO)
        assert raised.value is error
    await drain_timeline(world.bundle, CONTOSO)
    assert await numbers(world) == [0, 1, 2, 3]
    await stage_of(world).assert_told_truly()


async def test_an_unreachable_topic_leaves_the_timeline_to_whoever_comes_next() -> None:
    world = make_world()
    await write(world.bundle, 4)
    world.notifications.break_before("publish", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await drain_timeline(world.bundle, CONTOSO)
    await drain_timeline(restarted(world.bundle), CONTOSO)  # no lease to wait for
    assert [one.data["number"] for one in world.notifications.published] == [0, 3]


async def test_the_lease_of_a_dead_drainer_is_waited_for_and_then_taken_over() -> None:
    world = make_world()
    await write(world.bundle, 4)
    process, interruption = interrupted(world.bundle, 4, How.KILLED_BEFORE)
    with pytest.raises(Killed):
        await drain_timeline(process, CONTOSO)
    assert interruption.struck == "call 4, notifications.publish, killedBefore"
    world.clock.advance(LEASE - timedelta(seconds=1))
    with pytest.raises(DrainedElsewhere):
        await drain_timeline(restarted(world.bundle), CONTOSO)
    assert not world.notifications.published
    world.clock.advance(timedelta(seconds=1))
    await drain_timeline(restarted(world.bundle), CONTOSO)
    assert [one.data["number"] for one in world.notifications.published] == [0, 3]


async def test_two_hundred_commits_need_few_drains_in_one_process() -> None:
    world = make_world()

    async def one(number: int) -> None:
        key = Key(customer_id=CONTOSO, name=f"key-{number}", identifier=stage_of(world).cmk, registered_at=START)
        await commit(world.bundle, key, Record.KEY_REGISTERED, {}, previous=None, origin=ORIGIN)
        await drain_timeline(world.bundle, CONTOSO)

    await asyncio.gather(*(one(number) for number in range(200)))
    assert world.timeline.calls["read_head"] <= 6
    assert len([entry async for entry in world.timeline.read_entries(CONTOSO)]) == 200
    await stage_of(world).assert_told_truly()


async def test_a_cancelled_caller_does_not_take_the_drain_of_others_with_it() -> None:
    world = make_world()
    await write(world.bundle, 10)
    cancelled, other = (asyncio.create_task(drain_timeline(world.bundle, CONTOSO)) for _ in range(2))
    for _ in range(4):
        await asyncio.sleep(0)
    cancelled.cancel()
    await other
    assert cancelled.cancelled()
    assert await numbers(world) == list(range(10))
    await stage_of(world).assert_told_truly()
