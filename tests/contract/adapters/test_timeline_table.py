"""What only the timeline table does: it recognises its own transaction when the SDK repeats it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from azure.data.tables.aio import TableClient

from shared.bundle import Bundle
from shared.domain.entries import OutboxRow, TimelineEntry, TimelineHead, chain
from shared.errors import StaleWrite
from shared.stores import StoredHead
from tests.contract.adapters.rows import NOW, entry


@pytest.fixture
def repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline repeats every transaction, as it does when an answer was lost."""
    true_request = TableClient.submit_transaction

    async def twice(self: TableClient, operations: Sequence[Any], **arguments: Any) -> Any:
        await true_request(self, operations, **arguments)
        return await true_request(self, operations, **arguments)

    monkeypatch.setattr(TableClient, "submit_transaction", twice)


def batch(head: TimelineHead, owner: str) -> tuple[TimelineEntry, TimelineHead]:
    sequence = head.sequence + 1
    row = OutboxRow(row_key=f"outbox:{sequence}", entry_id=f"customer/{sequence}", recorded_at=NOW, entry=entry())
    made = chain(head.hash, sequence, row)
    after = TimelineHead(
        sequence=sequence, hash=made.hash, batch=(row.row_key,), batch_start=sequence, owner=owner, owned_until=NOW
    )
    return made, after


@pytest.mark.usefixtures("repeated")
async def test_a_repeated_append_that_took_effect_is_success(bundle: Bundle, customer_id: str) -> None:
    stored = await bundle.timeline.read_head(customer_id)
    for number in range(2):
        one, head = batch(stored.head, f"worker-{number}")
        stored = await bundle.timeline.append(customer_id, [one], head, previous=stored)
        assert stored.head == head
        assert stored == await bundle.timeline.read_head(customer_id)
    assert [one.sequence async for one in bundle.timeline.read_entries(customer_id)] == [1, 2]


@pytest.mark.usefixtures("repeated")
async def test_a_repeated_write_of_the_head_that_took_effect_is_success(bundle: Bundle, customer_id: str) -> None:
    one, head = batch(TimelineHead(), "worker-1")
    stored = await bundle.timeline.append(
        customer_id, [one], head, previous=await bundle.timeline.read_head(customer_id)
    )
    idle = replace(head, batch=(), owner=None, owned_until=None)
    stored = await bundle.timeline.write_head(customer_id, idle, previous=stored)
    assert stored == await bundle.timeline.read_head(customer_id)


async def test_the_append_of_another_worker_is_not_taken_for_ones_own(bundle: Bundle, customer_id: str) -> None:
    empty = StoredHead(TimelineHead(), None)
    one, head = batch(TimelineHead(), "worker-1")
    await bundle.timeline.append(customer_id, [one], head, previous=empty)
    with pytest.raises(StaleWrite):
        await bundle.timeline.append(customer_id, [one], replace(head, owner="worker-2"), previous=empty)
