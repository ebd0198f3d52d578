"""What only the storage queue does: encoding, expiry, and making the queue."""

import base64
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from azure.storage.queue.aio import QueueClient

from local.azurite import Azurite
from shared.adapters import work_queue
from shared.bundle import Bundle
from shared.domain.entries import Origin
from shared.domain.work import WorkItem, WorkKind
from shared.services.work_codec import parse_work_item

ITEM = WorkItem(
    id="1",
    kind=WorkKind.CHECK_KEY,
    customer_id="contoso",
    origin=Origin(request_id="r", cause="event"),
    name="primary",
    attempt=2,
)


@pytest.fixture
async def queue(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[QueueClient]:
    """A queue that does not exist yet."""
    name = f"work-{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(work_queue, "QUEUE", name)
    async with QueueClient.from_connection_string(azurite.connection_string, name) as client:
        yield client


async def test_work_is_sent_in_base64_to_a_queue_that_is_made_for_it(bundle: Bundle, queue: QueueClient) -> None:
    await bundle.queue.enqueue(ITEM)
    messages = [one async for one in queue.receive_messages()]
    assert [parse_work_item(base64.b64decode(one.content).decode()) for one in messages] == [ITEM]


async def test_work_never_expires(bundle: Bundle, queue: QueueClient) -> None:
    await bundle.queue.enqueue(ITEM)
    (message,) = [one async for one in queue.receive_messages()]
    assert message.expires_on is not None
    assert message.expires_on.year > 9000


async def test_a_delay_is_rounded_up_to_whole_seconds(bundle: Bundle, queue: QueueClient) -> None:
    await bundle.queue.enqueue(ITEM, delay=timedelta(seconds=0.2))
    assert [one async for one in queue.receive_messages()] == []
    assert (await queue.get_queue_properties()).approximate_message_count == 1


async def test_asking_for_a_queue_that_is_not_there_makes_it(bundle: Bundle, queue: QueueClient) -> None:
    await bundle.queue.ping()
    await bundle.queue.ping()
    assert (await queue.get_queue_properties()).name == queue.queue_name
