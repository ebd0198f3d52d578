"""The poison queue's side: mark the object for a person's attention, never lose the message."""

from dataclasses import replace
from typing import Any

from shared.bundle import Bundle
from shared.domain.entries import Notification
from shared.domain.model import Attention
from shared.domain.reasons import Reason
from shared.domain.work import WorkItem, WorkKind
from shared.services.commits import commit
from shared.services.work_codec import MalformedWorkItem, parse_work_item


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
    attention = Attention(
        since=bundle.clock.now(), reason=Reason.WORK_POISONED, detail=f"{item.kind.value}, attempt {item.attempt}."
    )
    match item.kind:
        case WorkKind.CHECK_KEY:
            key = await bundle.state.read_key(item.customer_id, item.name)
            if key is None:
                return False
            marked_key = replace(key.value, attention=attention)
            data = _data(item, key.value.row)
            await commit(bundle, marked_key, Notification.ATTENTION_NEEDED, data, previous=key, origin=item.origin)
        case WorkKind.RECONCILE_RESOURCE:
            resource = await bundle.state.read_resource(item.customer_id, item.name)
            if resource is None:
                return False
            marked = replace(resource.value, attention=attention)
            data = _data(item, resource.value.row)
            await commit(bundle, marked, Notification.ATTENTION_NEEDED, data, previous=resource, origin=item.origin)
        case WorkKind.CHECK_CUSTOMER | WorkKind.DRAIN_TIMELINE:
            customer = await bundle.state.read_customer(item.customer_id)
            if customer is None:
                return False
            marked_customer = replace(customer.value, attention=attention)
            data = _data(item, "customer")
            await commit(
                bundle, marked_customer, Notification.ATTENTION_NEEDED, data, previous=customer, origin=item.origin
            )
        case WorkKind.SWEEP_RANGE:
            return False
    return True


def _data(item: WorkItem, row: str) -> dict[str, Any]:
    return {"row": row, "work": item.kind.value, "workItem": item.id, "reasons": [Reason.WORK_POISONED.value]}
