"""Reads what Event Grid posts to a webhook: one event or a batch, in the Event Grid schema or as CloudEvents.

Nothing here refuses: what cannot be read becomes an event without type, which is counted and accepted, since Event
Grid would only send it again. Member names are read without case and trimmed, as the documentation's samples and the
published contract disagree on them (https://learn.microsoft.com/azure/event-grid/event-schema-key-vault).
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from shared.services.key_events import KeyEvent, readable_id

LONGEST_DELIVERY: Final = 1024 * 1024
"""Bytes. Event Grid's own limit for a batch that it delivers."""

VALIDATION_TYPE: Final = "microsoft.eventgrid.subscriptionvalidationevent"
LONGEST_CODE: Final = 200


def read_events(body: bytes) -> list[KeyEvent]:
    """Every event of a delivery, in order; an unreadable body is one event without type."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        # UnicodeDecodeError, JSONDecodeError and over-long integers are all kinds of ValueError.
        document = None
    return [_event(one) for one in (document if isinstance(document, list) else [document])]


def validation_code(events: Sequence[KeyEvent]) -> str | None:
    """The code of a subscription's handshake in the Event Grid schema; None when the delivery is none.

    The `validationUrl` beside it is not even read: whoever posts here would choose what we fetch.
    """
    if len(events) != 1 or events[0].type.strip().lower() != VALIDATION_TYPE:
        return None
    code = _members(events[0].data).get("validationcode")
    return code if isinstance(code, str) and code.isprintable() and 0 < len(code) <= LONGEST_CODE else None


def _event(document: object) -> KeyEvent:
    members = _members(document)
    kind = members.get("eventtype", members.get("type"))
    return KeyEvent(
        id=readable_id(members.get("id")), type=kind if isinstance(kind, str) else "", data=members.get("data")
    )


def _members(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        return {}
    return {name.strip().lower(): value for name, value in document.items()}
