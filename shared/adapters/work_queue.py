"""The `work-items` queue: sends work items in base64, as the Functions host expects them.

Only sending is here; the host receives. The queue is created when it is missing.
"""

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient

from shared.adapters.azure_errors import translate
from shared.adapters.transport import RETRIES, SharedTransport
from shared.domain.work import WorkItem
from shared.services.work_codec import render_work_item
from shared.settings import Storage

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

QUEUE: Final = "work-items"
LONGEST_DELAY: Final = timedelta(days=7)
FOREVER: Final = -1
"""Azure drops messages after a week by default; work must not vanish."""


class StorageWorkQueue:
    """Implements `WorkQueue`."""

    def __init__(
        self, storage: Storage, transport: SharedTransport, credential: "AsyncTokenCredential | None" = None
    ) -> None:
        self._storage = storage
        self._transport = transport
        self._credential = credential
        self._client: QueueClient | None = None

    async def enqueue(self, item: WorkItem, *, delay: timedelta = timedelta()) -> None:
        """Add a work item that becomes visible after `delay`."""
        client = self._client = self._client or self._build()
        text = render_work_item(item)
        # Rounded up: work that is looked at too early would only wait again.
        seconds = math.ceil(min(max(delay, timedelta()), LONGEST_DELAY).total_seconds())
        try:
            try:
                await client.send_message(text, visibility_timeout=seconds, time_to_live=FOREVER)
            except ResourceNotFoundError:
                await self._create(client)
                await client.send_message(text, visibility_timeout=seconds, time_to_live=FOREVER)
        except (AzureError, ValueError) as error:
            raise translate(error, f"enqueuing {item.kind} {item.id}") from error

    async def ping(self) -> None:
        """Ask whether the queue answers."""
        client = self._client = self._client or self._build()
        try:
            try:
                await client.get_queue_properties()
            except ResourceNotFoundError:
                await self._create(client)
        except (AzureError, ValueError) as error:
            raise translate(error, "asking for the work queue") from error

    async def _create(self, client: QueueClient) -> None:
        try:
            await client.create_queue()
        except AzureError as error:
            if getattr(error, "status_code", None) != 409:
                raise

    def _build(self) -> QueueClient:
        arguments: dict[str, Any] = {
            "transport": self._transport,
            "permit_redirects": False,
            "message_encode_policy": TextBase64EncodePolicy(),
            "retry_total": RETRIES,
            "initial_backoff": 1,
            "increment_base": 2,
            "random_jitter_range": 1,
        }
        if self._storage.connection_string is not None:
            return QueueClient.from_connection_string(self._storage.connection_string, QUEUE, **arguments)
        assert self._storage.queue_service_uri is not None
        assert self._credential is not None
        return QueueClient(self._storage.queue_service_uri, QUEUE, credential=self._credential, **arguments)
