"""Event Grid: what a topic answers to our notifications, and what a delivery tells us of a key."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from shared.adapters.notifications import EventGridTopic
from shared.domain.identifiers import KeyIdentifier, MalformedIdentifier
from shared.errors import CrossKeyError
from shared.ports import Announcement
from tests.fakes import make_world
from tests.replay.answering import Answer, AnyCredential, RecordedTransport
from tests.replay.recordings import Exchange
from tests.replay.verdicts import Said, describe, read, wrong_with
from tests.unit.handlers.api_client import make_api
from tests.unit.handlers.deliveries import WEBHOOK, looks, own_key, secret

_TOPIC: Final = "https://recorded.westeurope-1.eventgrid.azure.net/api/events"
_KEYS: Final = "Microsoft.KeyVault.Key"


async def read_topic(exchange: Exchange) -> Said:
    """Read a topic's answer to a publication."""
    transport = RecordedTransport(lambda _: Answer(exchange.status, exchange.headers, exchange.body))
    topic = EventGridTopic(_TOPIC, AnyCredential(), transport)
    announcement = Announcement(
        event_id="recorded",
        type="CrossKey.KeyVerified",
        source="/crosskey",
        subject="customers/recorded",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        data={},
    )
    try:
        await topic.publish([announcement])
    except CrossKeyError as error:
        return read(describe(error), transport.sent, wrong_with(error, exchange))
    return read("published", transport.sent, [] if exchange.status == 200 else ["it was not"])


async def read_delivery(exchange: Exchange) -> Said:
    """Deliver what was delivered to the app's own webhook, where every key in it is registered."""
    api = make_api(make_world())
    try:
        for key in _keys(exchange.sent_body):
            await own_key(api, key=key)
        sent = {name: value for name, value in exchange.sent_headers.items() if name.startswith(("aeg-", "webhook-"))}
        content = None if exchange.sent_body is None else json.dumps(exchange.sent_body)
        headers = {**sent, **secret(api)}
        answer = await api.client.request(exchange.method, WEBHOOK, content=content, headers=headers)
    finally:
        await api.client.aclose()
    if exchange.method == "OPTIONS":
        wanted = [name for name in exchange.headers if name.startswith("webhook-")]
        wrong = [f"header {name} is missing" for name in wanted if name not in answer.headers]
        return read("the handshake is answered", [], wrong + _wrong_status(answer.status_code))
    if exchange.body is not None:
        right = answer.content and answer.json() == exchange.body
        return read("the handshake is answered", [], [] if right else ["the answer is another"])
    looked = {name for _, name in looks(api)}
    wanted = ["primary"] if any(True for _ in _keys(exchange.sent_body)) else []
    wrong = [] if [*looked] == wanted else [f"the looks should be at {wanted}"]
    told = "a look at the key is queued" if looked else "accepted; it is not about a key"
    return read(told, [], wrong + _wrong_status(answer.status_code))


def _wrong_status(status: int) -> list[str]:
    return [] if status == 200 else [f"the answer has status {status}"]


def _keys(body: Any) -> Iterator[KeyIdentifier]:
    """The keys that the events of a delivery are about."""
    for event in body if isinstance(body, list) else [body]:
        kind = str(event.get("eventType") or event.get("type") or "") if isinstance(event, dict) else ""
        if not kind.startswith(_KEYS):
            continue
        members = {str(name).strip().lower(): value for name, value in (event.get("data") or {}).items()}
        with suppress(MalformedIdentifier):
            yield KeyIdentifier.parse(str(members.get("id")).strip())
