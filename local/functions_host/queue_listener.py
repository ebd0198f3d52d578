"""A queue trigger: polls the queue, keeps messages leased while they run, retries them and moves them to poison.

Follows the real host's QueueListener and QueueProcessor: a batch is fetched when few enough messages run; a message
that succeeded is deleted; one that failed becomes visible again after `visibilityTimeout`, or goes to
`<queue>-poison` at `maxDequeueCount`. After kill -9 the leases run out and the messages come back.
"""

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError
from azure.storage.queue.aio import QueueClient

from local.functions_host.clock import pause
from local.functions_host.functions import Function
from local.functions_host.invocations import Invocation, Invoker, json_datum
from local.functions_host.queue_storage import QueueMessage, QueueStorage, send_text, take_messages
from local.functions_host.settings import QueueOptions
from local.functions_host.worker import Datum, Outcome, datum

logger = logging.getLogger("host.queues")

FIRST_POLL_SECONDS = 0.05


@dataclass
class Lease:
    """A message that this process runs, with the receipt that is good for it now."""

    message: QueueMessage
    pop_receipt: str
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


type Finish = Callable[[QueueMessage, str], Awaitable[None]]
"""What becomes of a message in the end, given the receipt that is good for it."""


class QueueListener:
    """Serves one queue-triggered function."""

    def __init__(
        self, function: Function, invoker: Invoker, storage: QueueStorage, options: QueueOptions, lease_seconds: int
    ) -> None:
        self.function = function
        self._invoker = invoker
        self._storage = storage
        self._options = options
        self._lease_seconds = lease_seconds
        self._client: QueueClient = storage.queue(function.trigger)
        self._poison: QueueClient = storage.queue(function.trigger, "-poison")
        self._leases: dict[str, Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._clock_moved = False
        storage.on_sent(self._client.queue_name, self._wake.set)

    def clock_moved(self) -> None:
        """Look at once: delayed messages may have become visible."""
        self._clock_moved = True
        self._wake.set()

    async def listen(self) -> None:
        """Poll until cancelled; messages that run at that time run on."""
        longest = max(self._options.max_polling_interval.total_seconds(), FIRST_POLL_SECONDS)
        delay = FIRST_POLL_SECONDS
        while True:
            while len(self._leases) > self._options.new_batch_threshold:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            if await self._poll():
                delay = FIRST_POLL_SECONDS
                continue
            await pause(self._wake, delay)
            delay = FIRST_POLL_SECONDS if self._clock_moved else min(delay * 2, longest)
            self._clock_moved = False

    async def run_by_hand(self, text: str) -> Outcome:
        """Run once for a message that was never on the queue."""
        now = datetime.now(UTC)
        message = QueueMessage(str(uuid.uuid4()), text, "", 1, now, now + timedelta(days=7), now)
        return await self._run(text.encode(), message, "This function was programmatically called")

    async def drain(self, seconds: float) -> None:
        """Let the messages that run end, and their fate be written down."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()

    async def _poll(self) -> bool:
        try:
            messages = await take_messages(self._client, self._options.batch_size, self._lease_seconds)
        except AzureError as unreachable:
            logger.warning("polling queue %s: %s", self._client.queue_name, unreachable)
            return False
        for message in messages:
            self._take(message)
        return bool(messages)

    def _take(self, message: QueueMessage) -> None:
        lease = self._leases.get(message.id)
        if lease is not None:
            # A jump of the clock ended the lease of a message that still runs here, as no real clock would:
            # keep running it, under the new receipt.
            lease.pop_receipt = message.pop_receipt
            return
        self._leases[message.id] = Lease(message, message.pop_receipt)
        task = asyncio.create_task(self._process(self._leases[message.id]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _process(self, lease: Lease) -> None:
        message = lease.message
        renewal = asyncio.create_task(self._renew(lease))
        try:
            finish = await self._decide(message)
            # Not while a renewal is under way: its answer holds the only receipt that is good by then.
            async with lease.lock:
                renewal.cancel()
                await self._finish(lease, finish)
        except AzureError as refused:
            # The message comes back when its lease ends; nothing else is lost.
            logger.warning("finishing message %s: %s", message.id, refused)
        finally:
            renewal.cancel()
            del self._leases[message.id]

    async def _decide(self, message: QueueMessage) -> Finish:
        """Run a message if it may run, and say what becomes of it."""
        most = self._options.max_dequeue_count
        body = self._storage.decode(message)
        if body is None:
            logger.error("message %s in %s is not base64: poison", message.id, self._client.queue_name)
            return self._move_to_poison
        if message.dequeue_count > most:
            logger.error("message %s was taken %d times: poison", message.id, message.dequeue_count)
            return self._move_to_poison
        outcome = await self._run(body, message, f"New queue message detected on '{self._client.queue_name}'.")
        if outcome.succeeded:
            return self._delete
        if message.dequeue_count >= most:
            logger.error("message %s failed %d times: poison", message.id, message.dequeue_count)
            return self._move_to_poison
        return self._show_again

    async def _finish(self, lease: Lease, finish: Finish) -> None:
        while True:
            receipt = lease.pop_receipt
            try:
                await finish(lease.message, receipt)
            except AzureError:
                # Taken again by a poll in the meantime (see `_take`): the newer receipt is the good one.
                if lease.pop_receipt == receipt:
                    raise
            else:
                return

    async def _delete(self, message: QueueMessage, receipt: str) -> None:
        await self._client.delete_message(message.id, receipt)

    async def _move_to_poison(self, message: QueueMessage, receipt: str) -> None:
        # Copied as it came, so that what could not be decoded can still be read there.
        await send_text(self._poison, message.content)
        await self._client.delete_message(message.id, receipt)

    async def _show_again(self, message: QueueMessage, receipt: str) -> None:
        seconds = int(self._options.visibility_timeout.total_seconds())
        await self._client.update_message(message.id, receipt, visibility_timeout=seconds)
        if seconds == 0:
            self._wake.set()

    async def _run(self, body: bytes, message: QueueMessage, reason: str) -> Outcome:
        binary = str(self.function.trigger.settings.get("dataType") or "").lower() == "binary"
        text = body.decode("utf-8", errors="replace")
        value = datum(body, "bytes") if binary else datum(text, "string")
        return await self._invoker.run(
            Invocation(self.function, value, reason=reason, metadata=queue_metadata(text, message))
        )

    async def _renew(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 2)
            async with lease.lock:
                try:
                    renewed = await self._client.update_message(
                        lease.message.id, lease.pop_receipt, visibility_timeout=self._lease_seconds
                    )
                except AzureError as refused:
                    logger.warning("renewing the lease of message %s: %s", lease.message.id, refused)
                else:
                    lease.pop_receipt = renewed.pop_receipt or lease.pop_receipt


def queue_metadata(text: str, message: QueueMessage) -> dict[str, Datum]:
    """Describe a message as the host does: its own facts, and the top-level scalars of a JSON body."""
    metadata: dict[str, Datum] = {}
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if isinstance(content, dict):
        metadata |= {name: _scalar(value) for name, value in content.items() if not isinstance(value, dict | list)}
    return metadata | {
        "QueueTrigger": datum(text, "string"),
        "Id": datum(message.id, "string"),
        "PopReceipt": datum(message.pop_receipt, "string"),
        "DequeueCount": json_datum(message.dequeue_count),
        "InsertionTime": _moment(message.inserted_on),
        "ExpirationTime": _moment(message.expires_on),
        "NextVisibleTime": _moment(message.next_visible_on),
    }


def _scalar(value: Any) -> Datum:
    return datum(value, "string") if isinstance(value, str) else json_datum(value)


def _moment(value: datetime | None) -> Datum:
    return json_datum(value.isoformat() if value else None)
