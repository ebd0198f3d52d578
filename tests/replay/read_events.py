"""Event Grid: what a topic answers to our notifications, and what a delivery tells us of a key."""

from datetime import UTC, datetime
from typing import Any, Final

from shared.adapters.notifications import EventGridTopic
from shared.domain.entries import Origin
from shared.domain.identifiers import KeyIdentifier, MalformedIdentifier
from shared.errors import CrossKeyError
from shared.ports import Announcement
from shared.services import key_events
from shared.stores import Claim
from tests.fakes import START, make_world
from tests.replay.answering import Answer, AnyCredential, RecordedTransport
from tests.replay.recordings import Exchange
from tests.replay.verdicts import Said, describe, not_ours, read, wrong_with

_TOPIC: Final = "https://recorded.westeurope-1.eventgrid.azure.net/api/events"
_ORIGIN: Final = Origin(request_id="recorded", cause="recorded", actor="key-vault")
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
    """Read the events of a delivery as the trigger does; every key in them is registered here."""
    if exchange.method == "OPTIONS":
        return not_ours("the Functions host answers the handshake")
    events = exchange.sent_body if isinstance(exchange.sent_body, list) else [exchange.sent_body]
    outcomes: list[str] = []
    wrong: list[str] = []
    for event in events:
        kind = str(event.get("eventType") or event.get("type") or "")
        if "subscription" in kind.lower():
            return not_ours("the Functions host answers the handshake")
        outcome = await _note(kind, event.get("data"))
        outcomes.append(outcome)
        wanted = key_events.QUEUED if kind.startswith(_KEYS) else key_events.UNKNOWN_TYPE
        wrong += [] if outcome == wanted else [f"{kind} should be {wanted}"]
    return read(", ".join(outcomes), [], wrong)


async def _note(kind: str, data: Any) -> str:
    world = make_world()
    members = {str(name).strip().lower(): value for name, value in data.items()} if isinstance(data, dict) else {}
    try:
        key = KeyIdentifier.parse(str(members.get("id")).strip())
    except MalformedIdentifier:
        key = None
    if key is not None:
        claim = Claim(kind="key", identifier=key.claim, customer_id="recorded", row="key:cmk", claimed_at=START)
        await world.claims.claim(claim)
    return await key_events.note_key_event(world.bundle, kind, data, event_id="recorded", origin=_ORIGIN)
