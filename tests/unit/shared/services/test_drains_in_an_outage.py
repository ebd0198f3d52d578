"""A topic that is down for hours, a drain that another process holds, a read model that fails: nothing piles up."""

from contextlib import suppress
from datetime import timedelta

import pytest

from shared.domain.sweeping import SWEEP_INTERVAL
from shared.domain.work import MAX_ATTEMPTS, SWEPT, WorkItem, WorkKind
from shared.errors import CrossKeyError, StaleWrite, Unavailable
from shared.services.attention import set_aside
from shared.services.drain import DrainedElsewhere, drain_timeline
from shared.services.fleet import summarise_fleet
from shared.services.timeline import check_integrity
from shared.services.work import perform
from shared.services.work_codec import parse_work_item, render_work_item
from tests.unit.shared.services.crash import How, Killed, interrupted, restarted
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protected_account, registered_key

MOST_WAITING = 6


def drains(stage: Stage) -> list[WorkItem]:
    return [item for item in stage.world.queue.items if item.kind is WorkKind.DRAIN_TIMELINE]


def drain(name: str = "", attempt: int = 0) -> WorkItem:
    return WorkItem(
        id="drain-1", kind=WorkKind.DRAIN_TIMELINE, customer_id=CONTOSO, name=name, origin=ORIGIN, attempt=attempt
    )


async def play(stage: Stage, duration: timedelta) -> int:
    """The host works, the timer ticks, poisoned work is set aside; answers the most drains that ever waited."""
    world, most = stage.world, 0
    until = world.clock.now() + duration
    while world.clock.now() < until:
        await stage.sweep()
        for _ in range(SWEEP_INTERVAL // timedelta(seconds=10)):
            for item in world.queue.take():
                try:
                    await perform(stage.bundle, item)
                except CrossKeyError as error:
                    stage.raised.append(error)
                    await set_aside(stage.bundle, render_work_item(item), message_id=item.id)
            world.clock.advance(timedelta(seconds=10))
        most = max(most, len(drains(stage)))
    return most


async def test_a_topic_that_is_down_for_six_hours_leaves_few_drains_waiting() -> None:
    stage = await protected_account()
    stage.world.notifications.break_before("publish", *[Unavailable("the topic is down")] * 10_000)
    await stage.rotate()
    assert await play(stage, timedelta(hours=6)) <= MOST_WAITING
    attention = [
        row for row in await stage.world.state.read_outbox(CONTOSO, limit=99) if row.entry.type == "AttentionNeeded"
    ]
    assert len(attention) <= 1


async def test_after_a_long_outage_of_the_topic_everything_is_told_and_the_customer_is_well_again() -> None:
    stage = await protected_account()
    stage.world.notifications.break_before("publish", *[Unavailable("the topic is down")] * 10_000)
    await stage.rotate()
    await play(stage, timedelta(hours=4))
    assert (await stage.customer()).attention is not None
    stage.world.notifications._before.clear()
    await play(stage, timedelta(minutes=20))
    assert (await stage.customer()).attention is None
    assert stage.announced().count("KeyNewVersion") == 1
    assert stage.announced().count("AttentionNeeded") == 1
    await stage.assert_told_truly()
    fleet = await summarise_fleet(stage.bundle)
    assert fleet.attention == 0


@pytest.mark.parametrize("error", [Unavailable("no answer"), StaleWrite("lost"), DrainedElsewhere("held")])
async def test_a_drain_that_the_sweep_began_has_no_successor(error: CrossKeyError) -> None:
    stage = await registered_key()
    stage.world.queue.take()
    stage.world.timeline.break_before("read_head", error)
    await perform(stage.bundle, drain(SWEPT))
    assert not stage.world.queue.items


async def test_the_sweep_begins_drains_of_its_own_kind_again_and_again() -> None:
    stage = await registered_key()
    stage.world.notifications.break_before("publish", *[Unavailable("the topic is down")] * 100)
    for _ in range(3):
        stage.world.queue.take()
        await stage.sweep()
        assert SWEPT in [item.name for item in drains(stage)]
    assert parse_work_item(render_work_item(drain(SWEPT))) == drain(SWEPT)


async def test_a_drain_that_another_process_holds_poisons_nothing() -> None:
    stage = await registered_key()
    stage.world.queue.take()
    process, interruption = interrupted(stage.bundle, 4, How.KILLED_BEFORE)
    with suppress(Killed):
        await drain_timeline(process, CONTOSO)
    assert interruption.struck is not None
    with pytest.raises(DrainedElsewhere):
        await drain_timeline(restarted(stage.bundle), CONTOSO)
    await perform(restarted(stage.bundle), drain(attempt=MAX_ATTEMPTS - 1))  # and raises nothing
    assert not stage.world.queue.items
    await perform(restarted(stage.bundle), drain())
    await stage.work_off()
    assert not stage.raised
    await stage.assert_told_truly()


async def test_a_read_model_that_fails_does_not_stand_in_the_timelines_way() -> None:
    stage = await registered_key()
    stage.world.queue.take()
    stage.world.fleet.break_before("write_customer", *[Unavailable("no answer")] * 100)
    with pytest.raises(Unavailable):
        await drain_timeline(stage.bundle, CONTOSO)
    assert not await stage.world.state.read_outbox(CONTOSO, limit=99)
    told = len(await stage.entries())
    assert told > 2
    await stage.check()
    with pytest.raises(CrossKeyError):
        await drain_timeline(restarted(stage.bundle), CONTOSO)
    stage.world.clock.advance(timedelta(minutes=1))
    with pytest.raises(Unavailable):
        await drain_timeline(restarted(stage.bundle), CONTOSO)
    assert len(await stage.entries()) > told
    assert (await check_integrity(stage.bundle, CONTOSO)).intact


async def test_a_read_model_that_failed_is_written_once_it_can_be() -> None:
    stage = await registered_key()
    stage.world.fleet.break_before("write_customer", *[Unavailable("no answer")] * 2)
    await stage.work_off()
    (row,) = await stage.world.fleet.read_customers(limit=9)
    assert row.timeline_sequence == len(await stage.entries())
    assert not stage.raised
