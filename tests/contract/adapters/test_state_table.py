"""What only the state table does: transactions that the SDK repeats, and storage that is silent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from local.azurite import Azurite
from shared.adapters.entities import partition
from shared.bundle import Bundle
from shared.domain.entries import Record
from shared.errors import Unavailable
from tests.contract.adapters.rows import NOW, customer, entry, key
from tests.running_world import RunningWorld


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


@pytest.mark.parametrize(
    "spoilt",
    [
        {"schema": 2},
        {"kind": "somethingNew"},
        {"document": "{"},
        {"document": '{"customer_id": "x"}'},
        {"revision": "many"},
    ],
    ids=["schema", "kind", "not JSON", "another document", "revision"],
)
async def test_one_customers_unreadable_row_does_not_stop_the_range_for_the_others(
    bundle: Bundle, customer_id: str, azurite: Azurite, spoilt: dict[str, Any]
) -> None:
    others = [f"{customer_id}-{number}" for number in range(3)]
    for one in (customer_id, *others):
        await bundle.state.commit(customer(one), entry(), previous=None, now=NOW)
        await bundle.state.commit(key(one), entry(), previous=None, now=NOW + timedelta(seconds=1))
    async with TableClient.from_connection_string(azurite.connection_string, "state") as table:
        row = {"PartitionKey": partition(customer_id), "RowKey": "key:primary", **spoilt}
        await table.update_entity(row, mode=UpdateMode.MERGE)
    found = {one: rows async for one, rows in bundle.state.read_range("00", "ff") if one.startswith(customer_id)}
    assert found.keys() == {customer_id, *others}
    told = found[customer_id]
    assert told.unreadable
    assert (told.customer, told.keys, told.outbox) == (None, (), ())
    for one in others:
        assert found[one].unreadable is None
        assert found[one] == await bundle.state.read_rows(one)
