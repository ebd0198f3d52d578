"""Work items as the JSON texts that the queue carries, and back.

`parse_work_item` is strict: the text comes from a queue that others could write to, and an item that cannot be read
must end in the poison queue instead of doing half of something.
"""

import msgspec

from shared.domain.entries import Origin
from shared.domain.work import WorkItem, WorkKind


class MalformedWorkItem(ValueError):
    """The text is not a work item; the message says what is wrong with it."""


class _Wire(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    id: str
    kind: WorkKind
    customer_id: str
    request_id: str
    cause: str
    actor: str = "crosskey"
    name: str = ""
    attempt: int = 0


def render_work_item(item: WorkItem) -> str:
    """Write a work item as JSON."""
    wire = _Wire(
        id=item.id,
        kind=item.kind,
        customer_id=item.customer_id,
        request_id=item.origin.request_id,
        cause=item.origin.cause,
        actor=item.origin.actor,
        name=item.name,
        attempt=item.attempt,
    )
    return msgspec.json.encode(wire).decode()


def parse_work_item(text: str) -> WorkItem:
    """Read a work item. Raises `MalformedWorkItem`."""
    try:
        wire = msgspec.json.decode(text, type=_Wire)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise MalformedWorkItem(f"reading a work item: {error}") from error
    if not wire.id or wire.attempt < 0:
        raise MalformedWorkItem("reading a work item: its id is empty or its attempt negative")
    return WorkItem(
        id=wire.id,
        kind=wire.kind,
        customer_id=wire.customer_id,
        origin=Origin(request_id=wire.request_id, cause=wire.cause, actor=wire.actor),
        name=wire.name,
        attempt=wire.attempt,
    )
