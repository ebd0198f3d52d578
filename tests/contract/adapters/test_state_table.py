"""What only the state table does: transactions that the SDK repeats, and storage that is silent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from azure.data.tables.aio import TableClient

from shared.bundle import Bundle
from shared.domain.entries import Record
from shared.errors import Unavailable
from tests.contract.adapters.rows import NOW, entry, key
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
