"""What every state store does: commits that are whole or not at all, revisions that grow, an outbox in order."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.domain.entries import Record
from shared.domain.model import Operation, OperationKind, StateRow
from shared.errors import StaleWrite
from shared.stores import Stored
from tests.contract.adapters.rows import NOW, customer, entry, key, resource

SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


def operation(customer_id: str) -> Operation:
    return Operation(
        customer_id=customer_id,
        operation_id="0123456789abcdef",
        kind=OperationKind.PROTECT,
        target="resources/data",
        created_at=NOW,
        finished_at=NOW + SECOND,
        succeeded=False,
        error_code="KeyRefusedByStorage",
        error_message="Nicht möglich",
    )


async def create[T: StateRow](bundle: Bundle, value: T) -> Stored[T]:
    return await bundle.state.commit(value, entry(), previous=None, now=NOW)


async def entry_ids(bundle: Bundle, customer_id: str) -> list[str]:
    return [row.entry_id for row in await bundle.state.read_outbox(customer_id, limit=100)]


async def test_rows_that_were_never_written_are_none(bundle: Bundle, customer_id: str) -> None:
    assert await bundle.state.read_customer(customer_id) is None
    assert await bundle.state.read_key(customer_id, "primary") is None
    assert await bundle.state.read_resource(customer_id, "data") is None
    assert await bundle.state.read_operation(customer_id, "1") is None
    rows = await bundle.state.read_rows(customer_id)
    assert (rows.customer, rows.keys, rows.resources, rows.operations, rows.outbox) == (None, (), (), (), ())
    assert list(await bundle.state.read_resources(customer_id)) == []
    assert list(await bundle.state.read_outbox(customer_id, limit=10)) == []


async def test_each_kind_of_row_is_read_back_as_it_was_committed(bundle: Bundle, customer_id: str) -> None:
    ended = operation(customer_id)
    made = (
        await create(bundle, customer(customer_id, "Grüße")),
        await create(bundle, key(customer_id)),
        await create(bundle, resource(customer_id, "data")),
        await create(bundle, ended),
    )
    found = (
        await bundle.state.read_customer(customer_id),
        await bundle.state.read_key(customer_id, "primary"),
        await bundle.state.read_resource(customer_id, "data"),
        await bundle.state.read_operation(customer_id, ended.operation_id),
    )
    assert found == made


async def test_rows_of_one_name_and_several_kinds_are_apart(bundle: Bundle, customer_id: str) -> None:
    await create(bundle, key(customer_id, "same"))
    assert await bundle.state.read_resource(customer_id, "same") is None
    await create(bundle, resource(customer_id, "same"))
    found = await bundle.state.read_key(customer_id, "same")
    assert found is not None
    assert found.value == key(customer_id, "same")


async def test_a_revision_is_the_microsecond_of_its_commit(bundle: Bundle, customer_id: str) -> None:
    assert (await create(bundle, customer(customer_id))).revision == 1_795_348_800_123_456


async def test_a_commit_leaves_exactly_one_entry_in_the_outbox(bundle: Bundle, customer_id: str) -> None:
    said = entry(note="Grüße", inner={"list": [1, None, True, 1.5]}, long="x" * 100_000)
    written = await bundle.state.commit(customer(customer_id), said, previous=None, now=NOW)
    (row,) = await bundle.state.read_outbox(customer_id, limit=10)
    assert row.entry_id == f"customer/{written.revision}"
    assert row.entry == said
    assert row.recorded_at == NOW


async def test_a_replaced_row_has_another_etag_and_a_second_entry(bundle: Bundle, customer_id: str) -> None:
    first = await create(bundle, key(customer_id))
    second = await bundle.state.commit(
        replace(first.value, latest_version="1"), entry(Record.KEY_OBSERVED), previous=first, now=NOW + SECOND
    )
    assert second.etag != first.etag
    assert await bundle.state.read_key(customer_id, "primary") == second
    assert await entry_ids(bundle, customer_id) == [
        f"key:primary/{first.revision}",
        f"key:primary/{second.revision}",
    ]


async def test_a_row_as_it_was_read_guards_a_commit_like_one_that_was_written(bundle: Bundle, customer_id: str) -> None:
    await create(bundle, key(customer_id))
    read = (await bundle.state.read_rows(customer_id)).keys[0]
    await bundle.state.commit(replace(read.value, latest_version="1"), entry(), previous=read, now=NOW + SECOND)
    with pytest.raises(StaleWrite):
        await bundle.state.commit(replace(read.value, latest_version="2"), entry(), previous=read, now=NOW + SECOND)


@pytest.mark.parametrize("later", [timedelta(), SECOND])
async def test_a_row_that_exists_is_not_created_again(bundle: Bundle, customer_id: str, later: timedelta) -> None:
    first = await create(bundle, customer(customer_id))
    with pytest.raises(StaleWrite):
        await bundle.state.commit(customer(customer_id, "B"), entry(), previous=None, now=NOW + later)
    assert await bundle.state.read_customer(customer_id) == first
    assert len(await entry_ids(bundle, customer_id)) == 1


async def test_of_two_writers_one_loses_and_leaves_nothing(bundle: Bundle, customer_id: str) -> None:
    first = await create(bundle, customer(customer_id))
    second = await bundle.state.commit(customer(customer_id, "A"), entry(), previous=first, now=NOW)
    with pytest.raises(StaleWrite):
        await bundle.state.commit(customer(customer_id, "B"), entry(), previous=first, now=NOW + timedelta(hours=1))
    assert await bundle.state.read_customer(customer_id) == second
    assert len(await entry_ids(bundle, customer_id)) == 2


async def test_of_many_writers_at_once_one_wins(bundle: Bundle, customer_id: str) -> None:
    first = await create(bundle, customer(customer_id))

    async def write(number: int) -> bool:
        try:
            await bundle.state.commit(
                customer(customer_id, str(number)), entry(number=number), previous=first, now=NOW + number * SECOND
            )
        except StaleWrite:
            return False
        return True

    won = await asyncio.gather(*(write(number) for number in range(8)))
    found = await bundle.state.read_customer(customer_id)
    assert found is not None
    assert won == [str(number) == found.value.display_name for number in range(8)]
    assert len(await entry_ids(bundle, customer_id)) == 2


async def test_a_row_that_is_gone_is_not_replaced(bundle: Bundle, customer_id: str) -> None:
    first = await create(bundle, key(customer_id))
    await bundle.state.remove(first, entry(Record.KEY_REMOVED), now=NOW + SECOND)
    with pytest.raises(StaleWrite):
        await bundle.state.commit(first.value, entry(), previous=first, now=NOW + 2 * SECOND)
    assert await bundle.state.read_key(customer_id, "primary") is None
    assert len(await entry_ids(bundle, customer_id)) == 2


async def test_a_revision_grows_though_the_clock_goes_back(bundle: Bundle, customer_id: str) -> None:
    first = await create(bundle, customer(customer_id))
    second = await bundle.state.commit(first.value, entry(), previous=first, now=NOW - timedelta(days=1))
    third = await bundle.state.commit(second.value, entry(), previous=second, now=NOW)
    assert [second.revision, third.revision] == [first.revision + 1, first.revision + 2]


async def test_a_removed_row_is_gone_and_its_entry_stays(bundle: Bundle, customer_id: str) -> None:
    written = await create(bundle, key(customer_id))
    await bundle.state.remove(written, entry(Record.KEY_REMOVED), now=NOW)
    assert await bundle.state.read_key(customer_id, "primary") is None
    rows = await bundle.state.read_outbox(customer_id, limit=9)
    assert [row.entry.type for row in rows] == [Record.CUSTOMER_REGISTERED, Record.KEY_REMOVED]
    assert rows[1].entry_id == f"key:primary/{written.revision + 1}"


async def test_a_row_that_changed_is_not_removed(bundle: Bundle, customer_id: str) -> None:
    first = await create(bundle, key(customer_id))
    await bundle.state.commit(replace(first.value, latest_version="1"), entry(), previous=first, now=NOW)
    with pytest.raises(StaleWrite):
        await bundle.state.remove(first, entry(Record.KEY_REMOVED), now=NOW + SECOND)
    assert await bundle.state.read_key(customer_id, "primary") is not None
    assert len(await entry_ids(bundle, customer_id)) == 2


async def test_a_row_is_removed_once(bundle: Bundle, customer_id: str) -> None:
    first = await create(bundle, key(customer_id))
    await bundle.state.remove(first, entry(Record.KEY_REMOVED), now=NOW + SECOND)
    with pytest.raises(StaleWrite):
        await bundle.state.remove(first, entry(Record.KEY_REMOVED), now=NOW + 2 * SECOND)
    assert len(await entry_ids(bundle, customer_id)) == 2


async def test_a_row_that_is_removed_and_made_again_goes_on_with_higher_revisions(
    bundle: Bundle, customer_id: str
) -> None:
    first = await create(bundle, key(customer_id))
    await bundle.state.remove(first, entry(Record.KEY_REMOVED), now=NOW)
    again = await bundle.state.commit(key(customer_id), entry(), previous=None, now=NOW + 2 * MICROSECOND)
    assert again.etag != first.etag
    ids = await entry_ids(bundle, customer_id)
    assert ids == [f"key:primary/{first.revision + step}" for step in range(3)]


async def test_an_entry_that_is_in_the_outbox_is_not_overwritten_by_another_of_its_id(
    bundle: Bundle, customer_id: str
) -> None:
    first = await create(bundle, key(customer_id))
    await bundle.state.remove(first, entry(Record.KEY_REMOVED), now=NOW)
    # The removal took this microsecond's id although the clock had not come so far.
    with pytest.raises(StaleWrite):
        await bundle.state.commit(key(customer_id), entry(), previous=None, now=NOW + MICROSECOND)
    assert await bundle.state.read_key(customer_id, "primary") is None
    assert len(await entry_ids(bundle, customer_id)) == 2


async def test_the_outbox_is_in_the_order_of_commits_and_limited(bundle: Bundle, customer_id: str) -> None:
    times = [NOW + step * SECOND for step in range(4)]
    for step, at in enumerate(times):
        await bundle.state.commit(resource(customer_id, f"r{9 - step}"), entry(), previous=None, now=at)
    for limit in (0, 1, 3, 4, 9):
        rows = await bundle.state.read_outbox(customer_id, limit=limit)
        assert [row.recorded_at for row in rows] == times[:limit]


async def test_outbox_rows_are_deleted_though_some_are_gone_already(bundle: Bundle, customer_id: str) -> None:
    for name in ("a", "b", "c", "d"):
        await create(bundle, resource(customer_id, name))
    keys = [row.row_key for row in await bundle.state.read_outbox(customer_id, limit=10)]
    await bundle.state.delete_outbox(customer_id, keys[:1])
    await bundle.state.delete_outbox(customer_id, [*keys[:3], *keys[:3]])
    await bundle.state.delete_outbox(customer_id, [])
    assert [row.row_key for row in await bundle.state.read_outbox(customer_id, limit=10)] == keys[3:]
    assert len(await bundle.state.read_resources(customer_id)) == 4


async def test_a_partition_comes_whole_and_in_order(bundle: Bundle, customer_id: str) -> None:
    made = await create(bundle, customer(customer_id))
    keys = [await create(bundle, key(customer_id, name)) for name in ("b", "a")]
    resources = [await create(bundle, resource(customer_id, name)) for name in ("d", "c")]
    ended = await create(bundle, operation(customer_id))
    await create(bundle, resource(f"{customer_id}-other", "e"))
    rows = await bundle.state.read_rows(customer_id)
    assert (rows.customer, rows.keys, rows.resources) == (made, tuple(keys[::-1]), tuple(resources[::-1]))
    assert rows.operations == (ended,)
    assert list(rows.outbox) == list(await bundle.state.read_outbox(customer_id, limit=10))
    assert list(await bundle.state.read_resources(customer_id)) == resources[::-1]


async def test_a_partition_of_more_than_a_thousand_rows_is_complete(bundle: Bundle, customer_id: str) -> None:
    count, gate = 510, asyncio.Semaphore(16)

    async def write(name: str) -> None:
        async with gate:
            await create(bundle, resource(customer_id, name))

    await asyncio.gather(*(write(f"r{number}") for number in range(count)))
    rows = await bundle.state.read_rows(customer_id)
    assert (len(rows.resources), len(rows.outbox)) == (count, count)
    assert len(await bundle.state.read_resources(customer_id)) == count
    await bundle.state.delete_outbox(customer_id, [row.row_key for row in rows.outbox[:-2]])
    assert await entry_ids(bundle, customer_id) == [row.entry_id for row in rows.outbox[-2:]]
    found = {name: one async for name, one in bundle.state.read_range("00", "ff")}
    assert len(found[customer_id].resources) == count
