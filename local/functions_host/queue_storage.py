"""Queue storage as the host's bindings use it: clients by connection, the message encoding, outputs and poison queues.

Speaks to the real Azurite through azure-storage-queue. Retries are the host's own business (a poll, a message that
comes back), so the SDK's are off.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.functions_host.functions import Binding
from local.functions_host.settings import storage_connection
from local.functions_host.worker import Datum


@dataclass(frozen=True)
class QueueMessage:
    """A message as it was taken from a queue; `content` is still encoded."""

    id: str
    content: str
    pop_receipt: str
    dequeue_count: int
    inserted_on: datetime | None
    expires_on: datetime | None
    next_visible_on: datetime | None


class QueueStorage:
    """The queues of one app, in however many storage accounts its bindings name."""

    def __init__(self, environment: Mapping[str, str], *, encode: bool) -> None:
        self._environment = environment
        self._encode = encode
        self._services: dict[str, QueueServiceClient] = {}
        self._sent: dict[str, list[Callable[[], None]]] = {}

    def queue(self, binding: Binding, suffix: str = "") -> QueueClient:
        """Give the client of a binding's queue, or of its sister with `suffix`."""
        connection = storage_connection(binding.settings.get("connection") or "", self._environment)
        service = self._services.get(connection)
        if service is None:
            service = QueueServiceClient.from_connection_string(connection, retry_total=0)
            self._services[connection] = service
        return service.get_queue_client(binding.settings["queueName"].lower() + suffix)

    def on_sent(self, queue_name: str, listener: Callable[[], None]) -> None:
        """Call `listener` when a binding of this app has put something on the queue, as the real host does."""
        self._sent.setdefault(queue_name, []).append(listener)

    async def send(self, binding: Binding, messages: list[bytes]) -> None:
        """Put the messages of an output binding on its queue, making the queue if need be."""
        client = self.queue(binding)
        for message in messages:
            await send_text(client, base64.b64encode(message).decode() if self._encode else message.decode())
        for listener in self._sent.get(client.queue_name, []):
            listener()

    def decode(self, message: QueueMessage) -> bytes | None:
        """Decode a message's body; None when it is not in the encoding that host.json names."""
        if not self._encode:
            return message.content.encode()
        try:
            return base64.b64decode(message.content, validate=True)
        except (binascii.Error, ValueError):
            return None

    async def close(self) -> None:
        """Close every client."""
        for service in self._services.values():
            await service.close()


async def take_messages(client: QueueClient, count: int, lease_seconds: int) -> list[QueueMessage]:
    """Take up to `count` messages and hide them for some seconds; a queue that is not there is an empty one."""
    try:
        pages = client.receive_messages(max_messages=count, messages_per_page=count, visibility_timeout=lease_seconds)
        return [
            QueueMessage(
                id=message.id,
                content=message.content or "",
                pop_receipt=message.pop_receipt or "",
                dequeue_count=message.dequeue_count or 0,
                inserted_on=message.inserted_on,
                expires_on=message.expires_on,
                next_visible_on=message.next_visible_on,
            )
            async for message in pages
        ]
    except ResourceNotFoundError:
        return []


async def send_text(client: QueueClient, text: str) -> None:
    """Send a message as it stands; makes the queue when it is not there."""
    try:
        await client.send_message(text)
    except ResourceNotFoundError:
        await client.create_queue()
        await client.send_message(text)


def messages_of(value: Datum) -> list[bytes]:
    """Split an output value into messages: a JSON array is one message an element."""
    if value.type == "bytes":
        return [value.value]
    if value.type != "json":
        return [str(value.value).encode()]
    content = json.loads(value.value)
    elements = content if isinstance(content, list) else [content]
    return [(one if isinstance(one, str) else json.dumps(one)).encode() for one in elements]
