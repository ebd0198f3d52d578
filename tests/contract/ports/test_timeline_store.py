"""What every timeline store does: entries and head in one transaction, guarded by the head, read back in order."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.domain.entries import OutboxRow, TimelineEntry, TimelineHead, chain
from shared.errors import StaleWrite
from shared.stores import StoredHead
from tests.contract.adapters.rows import NOW, entry


def entries(count: int, *, after: TimelineHead | None = None) -> tuple[list[TimelineEntry], TimelineHead]:
    head = after or TimelineHead()
    made: list[TimelineEntry] = []
    for _ in range(count):
        sequence, before = head.sequence + 1, head.hash
        row = OutboxRow(
            row_key=f"outbox:{sequence}",
            entry_id=f"customer/{sequence}",
            recorded_at=NOW + timedelta(microseconds=sequence),
            entry=entry(number=sequence, text="ü", inner={"list": [1, None, True, 1.5]}),
        )
        made.append(chain(before, sequence, row))
        head = replace(head, sequence=sequence, hash=made[-1].hash)
    batch = tuple(one.entry_id for one in made)
    return made, replace(head, batch=batch, batch_start=head.sequence - count + 1, owner="worker-1", owned_until=NOW)


async def start(bundle: Bundle, customer_id: str, count: int = 3) -> tuple[list[TimelineEntry], StoredHead]:
    made, head = entries(count)
    empty = await bundle.timeline.read_head(customer_id)
    return made, await bundle.timeline.append(customer_id, made, head, previous=empty)


async def read(bundle: Bundle, customer_id: str, first: int = 1, last: int | None = None) -> list[TimelineEntry]:
    return [one async for one in bundle.timeline.read_entries(customer_id, first=first, last=last)]


async def test_an_empty_timeline_has_a_fresh_head(bundle: Bundle, customer_id: str) -> None:
    assert await bundle.timeline.read_head(customer_id) == StoredHead(TimelineHead(), None)
    assert await read(bundle, customer_id) == []


async def test_the_head_is_read_back_as_it_was_written(bundle: Bundle, customer_id: str) -> None:
    _, stored = await start(bundle, customer_id)
    assert stored.head == entries(3)[1]
    assert stored.etag
    assert await bundle.timeline.read_head(customer_id) == stored


async def test_appended_entries_are_read_back_in_order(bundle: Bundle, customer_id: str) -> None:
    made, stored = await start(bundle, customer_id)
    more, head = entries(2, after=stored.head)
    await bundle.timeline.append(customer_id, more, head, previous=stored)
    assert await read(bundle, customer_id) == [*made, *more]


async def test_both_ends_of_what_is_read_belong_to_it(bundle: Bundle, customer_id: str) -> None:
    await start(bundle, customer_id, 12)

    async def sequences(first: int = 1, last: int | None = None) -> list[int]:
        return [one.sequence for one in await read(bundle, customer_id, first, last)]

    assert await sequences(9, 11) == [9, 10, 11]
    assert await sequences(first=11) == [11, 12]
    assert await sequences(last=2) == [1, 2]
    assert await sequences(12, 99) == [12]
    assert await sequences(3, 3) == [3]
    assert await sequences(4, 3) == []
    assert await sequences(first=13) == []


async def test_ninety_nine_entries_are_one_append_and_more_are_refused(bundle: Bundle, customer_id: str) -> None:
    made, head = entries(100)
    empty = await bundle.timeline.read_head(customer_id)
    with pytest.raises(ValueError, match="100"):
        await bundle.timeline.append(customer_id, made, head, previous=empty)
    assert await bundle.timeline.read_head(customer_id) == empty
    assert await read(bundle, customer_id) == []
    made, stored = await start(bundle, customer_id, 99)
    assert await read(bundle, customer_id) == made
    assert await bundle.timeline.read_head(customer_id) == stored


async def test_a_timeline_of_more_than_a_thousand_entries_is_read_whole(bundle: Bundle, customer_id: str) -> None:
    _, stored = await start(bundle, customer_id, 99)
    for _ in range(10):
        made, head = entries(99, after=stored.head)
        stored = await bundle.timeline.append(customer_id, made, head, previous=stored)
    assert [one.sequence for one in await read(bundle, customer_id)] == list(range(1, 1090))


async def test_of_two_appends_after_the_same_head_one_is_stale(bundle: Bundle, customer_id: str) -> None:
    made, stored = await start(bundle, customer_id)
    # Heads name the worker that wrote them; one that is wholly alike may be a repeat of the same request.
    theirs = replace(stored.head, owner="worker-2")
    with pytest.raises(StaleWrite):
        await bundle.timeline.append(customer_id, made, theirs, previous=StoredHead(TimelineHead(), None))
    more, longer = entries(1, after=stored.head)
    latest = await bundle.timeline.append(customer_id, more, longer, previous=stored)
    others, forked = entries(2, after=stored.head)
    with pytest.raises(StaleWrite):
        await bundle.timeline.append(customer_id, others, forked, previous=stored)
    assert await bundle.timeline.read_head(customer_id) == latest
    assert await read(bundle, customer_id) == [*made, *more]


async def test_an_entry_that_is_there_is_never_written_over(bundle: Bundle, customer_id: str) -> None:
    made, stored = await start(bundle, customer_id)
    forged = replace(made[2], hash="f" * 64)
    fresh, head = entries(1, after=stored.head)
    with pytest.raises(StaleWrite):
        await bundle.timeline.append(customer_id, [*fresh, forged], head, previous=stored)
    assert await read(bundle, customer_id) == made
    assert await bundle.timeline.read_head(customer_id) == stored


async def test_the_head_alone_can_be_replaced(bundle: Bundle, customer_id: str) -> None:
    empty = await bundle.timeline.read_head(customer_id)
    first = await bundle.timeline.write_head(customer_id, TimelineHead(owner="a"), previous=empty)
    second = await bundle.timeline.write_head(customer_id, TimelineHead(owner="b"), previous=first)
    assert second.etag != first.etag
    assert await bundle.timeline.read_head(customer_id) == second
    assert await read(bundle, customer_id) == []


async def test_a_head_that_changed_or_exists_is_not_written_over(bundle: Bundle, customer_id: str) -> None:
    empty = await bundle.timeline.read_head(customer_id)
    first = await bundle.timeline.write_head(customer_id, TimelineHead(owner="a"), previous=empty)
    second = await bundle.timeline.write_head(customer_id, TimelineHead(owner="b"), previous=first)
    for stale in (empty, first):
        with pytest.raises(StaleWrite):
            await bundle.timeline.write_head(customer_id, TimelineHead(owner="c"), previous=stale)
    assert await bundle.timeline.read_head(customer_id) == second


async def test_timelines_of_two_customers_are_apart(bundle: Bundle, customer_id: str) -> None:
    made, _ = await start(bundle, customer_id)
    await start(bundle, f"{customer_id}-2", 1)
    assert await read(bundle, customer_id) == made
