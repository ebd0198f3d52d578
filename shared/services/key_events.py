"""Key Vault events: hints that a key deserves a look. The payload is never trusted, only its key identifier is used.

An event costs one table read (whose key is it) and one queue message. Types we do not know, payloads we cannot read,
keys nobody registered and keys of another customer are counted (as log events) and accepted: redelivery would not
help. Called by the Event Grid trigger with one event, and by the webhook with a delivery of a customer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.bundle import Bundle
from shared.domain.entries import EVENT_ACTOR, Origin
from shared.domain.identifiers import KeyIdentifier, MalformedIdentifier
from shared.domain.work import WorkKind
from shared.services.commits import enqueue
from shared.telemetry import Event, log_event

KEY_EVENTS = frozenset(
    {
        "microsoft.keyvault.keynewversioncreated",
        "microsoft.keyvault.keynearexpiry",
        "microsoft.keyvault.keyexpired",
    }
)
LONGEST_EVENT_ID = 200
QUEUED = "queued"
UNKNOWN_TYPE = "unknownType"
MALFORMED = "malformed"
UNKNOWN_KEY = "unknownKey"
FOREIGN_KEY = "foreignKey"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent:
    """An event as it came: nothing of it is checked. `type` is empty where there was none to read."""

    id: str
    type: str
    data: object


async def note_key_event(bundle: Bundle, event_type: str, data: object, *, event_id: str, origin: Origin) -> str:
    """Queue a look at the key an event names; answers what became of the event."""
    outcome = _read(event_type, data)
    if isinstance(outcome, KeyIdentifier):
        outcome = await _queue_look(bundle, outcome, customer_id=None, origin=origin)
    event = Event.KEY_EVENT_RECEIVED if outcome == QUEUED else Event.KEY_EVENT_IGNORED
    log_event(event, event_id=event_id, event_type=event_type, outcome=outcome)
    return outcome


async def note_key_events(
    bundle: Bundle, events: Sequence[KeyEvent], *, customer_id: str, request_id: str
) -> Counter[str]:
    """Queue a look at every key of this customer that a delivery names; answers how many events became what.

    Several events of one key are one look. After an error the whole delivery may come again: looking twice is harmless.
    """
    looked: dict[KeyIdentifier, str] = {}
    outcomes: Counter[str] = Counter()
    for event in events:
        outcome = _read(event.type, event.data)
        if isinstance(outcome, KeyIdentifier):
            key = outcome
            if key not in looked:
                origin = Origin(request_id=request_id, cause=f"event {readable_id(event.id)}", actor=EVENT_ACTOR)
                looked[key] = await _queue_look(bundle, key, customer_id=customer_id, origin=origin)
            outcome = looked[key]
        outcomes[outcome] += 1
    for outcome, count in outcomes.items():
        name = Event.KEY_EVENT_RECEIVED if outcome == QUEUED else Event.KEY_EVENT_IGNORED
        log_event(name, customer_id=customer_id, outcome=outcome, count=count)
    return outcomes


def readable_id(value: object) -> str:
    """An event's id as it may go into the queue, the timeline and the log; empty for what is no plain short text."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_EVENT_ID else ""


def _read(event_type: str, data: object) -> KeyIdentifier | str:
    """The key that an event is about, or why it is ignored."""
    if not event_type:
        return MALFORMED
    if event_type.strip().lower() not in KEY_EVENTS:
        return UNKNOWN_TYPE
    return _identifier(data) or MALFORMED


async def _queue_look(bundle: Bundle, key: KeyIdentifier, *, customer_id: str | None, origin: Origin) -> str:
    claim = await bundle.claims.find("key", key.claim)
    if claim is None:
        return UNKNOWN_KEY
    if customer_id is not None and claim.customer_id != customer_id:
        return FOREIGN_KEY
    name = claim.row.removeprefix("key:")
    await enqueue(bundle, WorkKind.CHECK_KEY, claim.customer_id, name, origin=origin)
    return QUEUED


def _identifier(data: object) -> KeyIdentifier | None:
    """The versionless identifier in `data`.

    Member names are read without case and trimmed: the documentation shows `Id` and `"ObjectName "`, the published
    contract camelCase (https://learn.microsoft.com/azure/event-grid/event-schema-key-vault).
    """
    if not isinstance(data, Mapping):
        return None
    members = {str(name).strip().lower(): value for name, value in data.items()}
    text = members.get("id")
    if not isinstance(text, str):
        return None
    try:
        return KeyIdentifier.parse(text.strip()).versionless
    except MalformedIdentifier:
        return None
