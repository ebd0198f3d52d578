"""The state table on the real Azurite."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from azure.data.tables.aio import TableClient

from shared.adapters.entities import range_prefix
from shared.bundle import Bundle
from shared.domain.entries import Record
from shared.errors import StaleWrite, Unavailable
from tests.contract.adapters.rows import NOW, customer, entry, key, resource
from tests.running_world import RunningWorld


async def test_a_row_that_was_never_written_is_none(bundle: Bundle, customer_id: str) -> None:
    assert await bundle.state.read_customer(customer_id) is None
    assert (await bundle.state.read_rows(customer_id)).customer is None


async def test_a_commit_is_read_back_as_it_was_written(bundle: Bundle, customer_id: str) -> None:
    written = await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    found = await bundle.state.read_customer(customer_id)
    assert found == written
    assert found.revision == 1_795_348_800_123_456


async def test_a_commit_leaves_exactly_one_entry_in_the_outbox(bundle: Bundle, customer_id: str) -> None:
    written = await bundle.state.commit(customer(customer_id), entry(note="Grüße"), previous=None, now=NOW)
    (row,) = await bundle.state.read_outbox(customer_id, limit=10)
    assert row.entry_id == f"customer/{written.revision}"
    assert row.entry == entry(note="Grüße")
    assert row.recorded_at == NOW


async def test_a_row_that_exists_is_not_created_again(bundle: Bundle, customer_id: str) -> None:
    await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    with pytest.raises(StaleWrite):
        await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW + timedelta(seconds=1))
    assert len(await bundle.state.read_outbox(customer_id, limit=10)) == 1


async def test_the_same_row_at_the_same_microsecond_has_one_winner(bundle: Bundle, customer_id: str) -> None:
    row = customer(customer_id)
    await bundle.state.commit(row, entry(), previous=None, now=NOW)
    with pytest.raises(StaleWrite):
        await bundle.state.commit(row, entry(), previous=None, now=NOW)


async def test_of_two_writers_one_loses_and_leaves_nothing(bundle: Bundle, customer_id: str) -> None:
    first = await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    second = await bundle.state.commit(customer(customer_id, "A"), entry(), previous=first, now=NOW)
    with pytest.raises(StaleWrite):
        await bundle.state.commit(customer(customer_id, "B"), entry(), previous=first, now=NOW + timedelta(hours=1))
    assert await bundle.state.read_customer(customer_id) == second
    assert len(await bundle.state.read_outbox(customer_id, limit=10)) == 2


async def test_a_revision_grows_though_the_clock_goes_back(bundle: Bundle, customer_id: str) -> None:
    first = await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    second = await bundle.state.commit(first.value, entry(), previous=first, now=NOW - timedelta(days=1))
    assert second.revision == first.revision + 1


async def test_the_outbox_is_in_the_order_of_commits_and_limited(bundle: Bundle, customer_id: str) -> None:
    times = [NOW + timedelta(seconds=step) for step in range(4)]
    for step, at in enumerate(times):
        await bundle.state.commit(resource(customer_id, f"r{9 - step}"), entry(), previous=None, now=at)
    rows = await bundle.state.read_outbox(customer_id, limit=3)
    assert [row.recorded_at for row in rows] == times[:3]


async def test_outbox_rows_are_deleted_though_some_are_gone_already(bundle: Bundle, customer_id: str) -> None:
    for name in ("a", "b", "c"):
        await bundle.state.commit(resource(customer_id, name), entry(), previous=None, now=NOW)
    keys = [row.row_key for row in await bundle.state.read_outbox(customer_id, limit=10)]
    await bundle.state.delete_outbox(customer_id, keys[:1])
    await bundle.state.delete_outbox(customer_id, keys)
    await bundle.state.delete_outbox(customer_id, [])
    assert await bundle.state.read_outbox(customer_id, limit=10) == []


async def test_a_removed_row_is_gone_and_its_entry_stays(bundle: Bundle, customer_id: str) -> None:
    written = await bundle.state.commit(key(customer_id), entry(), previous=None, now=NOW)
    await bundle.state.remove(written, entry(Record.KEY_REMOVED), now=NOW)
    assert await bundle.state.read_key(customer_id, "primary") is None
    assert [row.entry.type for row in await bundle.state.read_outbox(customer_id, limit=9)][1:] == [Record.KEY_REMOVED]


async def test_a_row_that_changed_is_not_removed(bundle: Bundle, customer_id: str) -> None:
    first = await bundle.state.commit(key(customer_id), entry(), previous=None, now=NOW)
    await bundle.state.commit(replace(first.value, latest_version="1"), entry(), previous=first, now=NOW)
    with pytest.raises(StaleWrite):
        await bundle.state.remove(first, entry(Record.KEY_REMOVED), now=NOW)
    assert await bundle.state.read_key(customer_id, "primary") is not None


async def test_the_whole_partition_comes_with_one_query(bundle: Bundle, customer_id: str) -> None:
    await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    await bundle.state.commit(key(customer_id), entry(), previous=None, now=NOW)
    for name in ("a", "b"):
        await bundle.state.commit(resource(customer_id, name), entry(), previous=None, now=NOW)
    rows = await bundle.state.read_rows(customer_id)
    assert rows.customer is not None
    assert [one.value.name for one in rows.keys] == ["primary"]
    assert [one.value.name for one in rows.resources] == ["a", "b"]
    assert len(rows.outbox) == 4
    assert await bundle.state.read_resources(customer_id) == list(rows.resources)


async def test_a_range_holds_its_customers_and_no_others(bundle: Bundle, customer_id: str) -> None:
    await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    await bundle.state.commit(key(customer_id), entry(), previous=None, now=NOW)
    prefix = range_prefix(customer_id)
    found = {name: rows async for name, rows in bundle.state.read_range(prefix, prefix)}
    assert len(found[customer_id].keys) == 1
    assert all(range_prefix(name) == prefix for name in found)
    everyone = [name async for name, _ in bundle.state.read_range("00", "ff")]
    assert customer_id in everyone
    assert len(everyone) == len(set(everyone))


async def test_two_hundred_writers_of_one_customer_lose_no_race(bundle: Bundle, customer_id: str) -> None:
    gate = asyncio.Semaphore(16)

    async def write(name: str) -> None:
        async with gate:
            await bundle.state.commit(resource(customer_id, name), entry(), previous=None, now=NOW)

    await asyncio.gather(*(write(f"r{number}") for number in range(200)))
    assert len(await bundle.state.read_resources(customer_id)) == 200
    assert len(await bundle.state.read_outbox(customer_id, limit=300)) == 200


async def _twice(request: Any, self: TableClient, operations: Sequence[Any], **arguments: Any) -> Any:
    """The pipeline's repeat of a transaction whose answer was lost."""
    await request(self, operations, **arguments)
    return await request(self, operations, **arguments)


async def test_a_repeated_transaction_that_took_effect_is_success(
    bundle: Bundle, customer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_request = TableClient.submit_transaction

    async def repeated(self: TableClient, operations: Sequence[Any], **arguments: Any) -> Any:
        return await _twice(true_request, self, operations, **arguments)

    monkeypatch.setattr(TableClient, "submit_transaction", repeated)
    created = await bundle.state.commit(key(customer_id), entry(), previous=None, now=NOW)
    changed = await bundle.state.commit(
        replace(created.value, latest_version="1"), entry(), previous=created, now=NOW + timedelta(seconds=1)
    )
    assert await bundle.state.read_key(customer_id, "primary") == changed
    await bundle.state.remove(changed, entry(Record.KEY_REMOVED), now=NOW + timedelta(seconds=2))
    assert await bundle.state.read_key(customer_id, "primary") is None
    assert len(await bundle.state.read_outbox(customer_id, limit=9)) == 3


async def test_storage_that_does_not_answer_is_unavailable(
    bundle: Bundle, inside_local_azure: RunningWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    del inside_local_azure

    async def refuse(*_: Any, **__: Any) -> Any:
        raise TimeoutError

    monkeypatch.setattr("aiohttp.ClientSession._request", refuse)
    monkeypatch.setattr("azure.core.pipeline.policies._retry_async.AsyncRetryPolicy.sleep", _no_sleep)
    with pytest.raises(Unavailable):
        await bundle.state.read_customer("contoso")


async def _no_sleep(*_: Any, **__: Any) -> None:
    return
