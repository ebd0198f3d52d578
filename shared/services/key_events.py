"""Key Vault events: hints that a key deserves a look. The payload is never trusted, only its key identifier is used.

An event costs one table read (whose key is it) and one queue message. Types we do not know, payloads we cannot read
and keys nobody registered are counted (as log events) and accepted: redelivery would not help.
"""

from collections.abc import Mapping

from shared.bundle import Bundle
from shared.domain.entries import Origin
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
QUEUED = "queued"
UNKNOWN_TYPE = "unknownType"
MALFORMED = "malformed"
UNKNOWN_KEY = "unknownKey"


async def note_key_event(bundle: Bundle, event_type: str, data: object, *, event_id: str, origin: Origin) -> str:
    """Queue a look at the key an event names; answers what became of the event.

    Member names are read without case and trimmed: the documentation shows `Id` and `"ObjectName "`, the published
    contract camelCase (https://learn.microsoft.com/azure/event-grid/event-schema-key-vault).
    """
    outcome = await _note(bundle, event_type, data, origin=origin)
    event = Event.KEY_EVENT_RECEIVED if outcome == QUEUED else Event.KEY_EVENT_IGNORED
    log_event(event, event_id=event_id, event_type=event_type, outcome=outcome)
    return outcome


async def _note(bundle: Bundle, event_type: str, data: object, *, origin: Origin) -> str:
    if event_type.lower() not in KEY_EVENTS:
        return UNKNOWN_TYPE
    identifier = _identifier(data)
    if identifier is None:
        return MALFORMED
    claim = await bundle.claims.find("key", identifier.claim)
    if claim is None:
        return UNKNOWN_KEY
    name = claim.row.removeprefix("key:")
    await enqueue(bundle, WorkKind.CHECK_KEY, claim.customer_id, name, origin=origin)
    return QUEUED


def _identifier(data: object) -> KeyIdentifier | None:
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
