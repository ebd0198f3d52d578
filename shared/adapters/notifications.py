"""The provider's Event Grid topic: publishes CloudEvents as the app's own managed identity.

An event's id comes from its timeline entry, so whoever receives it twice can tell. The pipeline does not repeat
a publication; the timeline's drainer does, in order.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError
from azure.core.messaging import CloudEvent

from shared.adapters.azure_errors import translate
from shared.adapters.credentials import Credential
from shared.adapters.transport import SharedTransport
from shared.ports import Announcement

if TYPE_CHECKING:
    from azure.eventgrid.aio import EventGridPublisherClient


class EventGridTopic:
    """Implements `Notifications`."""

    def __init__(self, endpoint: str, credential: Credential, transport: SharedTransport) -> None:
        self._endpoint = endpoint
        self._credential = credential
        self._transport = transport
        self._client: EventGridPublisherClient | None = None

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        """Publish in order."""
        if not announcements:
            return
        events = [
            CloudEvent(
                id=one.event_id,
                type=one.type,
                source=one.source,
                subject=one.subject,
                time=one.time,
                data=one.data,
            )
            for one in announcements
        ]
        client = self._client = self._client or self._build()
        try:
            await client.send(events)
        except (AzureError, ValueError) as error:
            raise translate(error, f"publishing {len(events)} events") from error

    def _build(self) -> "EventGridPublisherClient":
        # Imported late: only a process that has something to announce pays for it.
        from azure.eventgrid.aio import EventGridPublisherClient  # noqa: PLC0415

        return EventGridPublisherClient(
            self._endpoint, self._credential, transport=self._transport, permit_redirects=False, retry_total=0
        )
