"""The poison queue's side: mark the object for a person's attention, never lose the message."""

from dataclasses import replace
from typing import Any

from shared.bundle import Bundle
from shared.domain.entries import Notification
from shared.domain.model import Attention, Customer, Key, Resource
from shared.domain.reasons import Reason
from shared.domain.work import WorkItem, WorkKind
from shared.services.commits import commit
from shared.services.work_codec import MalformedWorkItem, parse_work_item
from shared.stores import Stored


async def set_aside(bundle: Bundle, text: str, *, message_id: str) -> None:
    """Mark the object that a poisoned work item names, and announce it; keep the text when it names none."""
    try:
        item = parse_work_item(text)
    except MalformedWorkItem:
        await bundle.fleet.write_lost_work(message_id, text, bundle.clock.now())
        return
    if not await _mark(bundle, item):
        await bundle.fleet.write_lost_work(message_id, text, bundle.clock.now())


async def _mark(bundle: Bundle, item: WorkItem) -> bool:
    match item.kind:
        case WorkKind.CHECK_KEY:
            return await _commit_mark(bundle, item, await bundle.state.read_key(item.customer_id, item.name))
        case WorkKind.RECONCILE_RESOURCE:
            return await _commit_mark(bundle, item, await bundle.state.read_resource(item.customer_id, item.name))
        case WorkKind.CHECK_CUSTOMER | WorkKind.DRAIN_TIMELINE:
            return await _commit_mark(bundle, item, await bundle.state.read_customer(item.customer_id))
        case WorkKind.SWEEP_RANGE:
            return False


async def _commit_mark[T: (Customer, Key, Resource)](bundle: Bundle, item: WorkItem, stored: Stored[T] | None) -> bool:
    """Mark the row, unless a person was called for this already: the message came twice, or the work failed again."""
    if stored is None:
        return False
    attention = Attention(
        since=bundle.clock.now(), reason=Reason.WORK_POISONED, detail=f"{item.kind.value}, attempt {item.attempt}."
    )
    present = stored.value.attention
    if present is None or (present.reason, present.detail) != (attention.reason, attention.detail):
        marked = replace(stored.value, attention=attention)
        data = _data(item, marked.row)
        await commit(bundle, marked, Notification.ATTENTION_NEEDED, data, previous=stored, origin=item.origin)
    return True


def _data(item: WorkItem, row: str) -> dict[str, Any]:
    return {"row": row, "work": item.kind.value, "workItem": item.id, "reasons": [Reason.WORK_POISONED.value]}
