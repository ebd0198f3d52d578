"""What every work queue does: each item once, when its delay is over and not before."""

from dataclasses import replace
from datetime import timedelta

from shared.domain.entries import Origin
from shared.domain.work import WorkItem, WorkKind
from tests.contract.ports.stage import Stage

ITEM = WorkItem(
    id="1",
    kind=WorkKind.CHECK_KEY,
    customer_id="contoso",
    origin=Origin(request_id="r", cause="event", actor="Jürgen"),
    name="primary",
    attempt=2,
)


def items(count: int) -> list[WorkItem]:
    return [replace(ITEM, id=str(number)) for number in range(count)]


async def test_work_arrives_as_it_was_sent(stage: Stage) -> None:
    bare = WorkItem(id="2", kind=WorkKind.SWEEP_RANGE, customer_id="", origin=Origin(request_id="r", cause="timer"))
    await stage.bundle.queue.enqueue(ITEM)
    await stage.bundle.queue.enqueue(bare)
    assert await stage.take_work() == [ITEM, bare]
    assert await stage.take_work() == []


async def test_the_same_work_twice_is_two_items(stage: Stage) -> None:
    await stage.bundle.queue.enqueue(ITEM)
    await stage.bundle.queue.enqueue(ITEM)
    assert await stage.take_work() == [ITEM, ITEM]


async def test_delayed_work_appears_when_its_time_has_come(stage: Stage) -> None:
    late, soon, now = items(3)
    await stage.bundle.queue.enqueue(late, delay=timedelta(minutes=10))
    await stage.bundle.queue.enqueue(soon, delay=timedelta(seconds=60.5))
    await stage.bundle.queue.enqueue(now)
    assert await stage.take_work() == [now]
    stage.advance(timedelta(seconds=50))
    assert await stage.take_work() == []
    stage.advance(timedelta(seconds=12))
    assert await stage.take_work() == [soon]
    stage.advance(timedelta(minutes=9))
    assert await stage.take_work() == [late]


async def test_no_delay_is_longer_than_seven_days_or_shorter_than_none(stage: Stage) -> None:
    far, before = items(2)
    await stage.bundle.queue.enqueue(far, delay=timedelta(days=30))
    await stage.bundle.queue.enqueue(before, delay=timedelta(seconds=-5))
    assert await stage.take_work() == [before]
    stage.advance(timedelta(days=6, hours=23))
    assert await stage.take_work() == []
    stage.advance(timedelta(hours=1, seconds=2))
    assert await stage.take_work() == [far]


async def test_a_queue_that_was_never_used_answers(stage: Stage) -> None:
    await stage.bundle.queue.ping()
    await stage.bundle.queue.ping()
    assert await stage.take_work() == []
