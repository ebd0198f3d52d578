"""Commits a row with its entry and wakes the timeline's drainer; the only way services change state.

The wake-up comes after the commit. If the process dies between the two, the sweep finds the entry in the outbox.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

from shared.bundle import Bundle
from shared.domain.entries import Entry, EntryType, Origin
from shared.domain.model import StateRow
from shared.domain.work import WorkItem, WorkKind
from shared.errors import PreconditionFailed, StaleWrite
from shared.stores import Stored
from shared.telemetry import Event, log_event

RACES = 3
SENDS_AT_ONCE = 16


async def commit[T: StateRow](
    bundle: Bundle,
    value: T,
    entry_type: EntryType,
    data: dict[str, Any],
    *,
    previous: Stored[T] | None,
    origin: Origin,
    wakes: bool = True,
) -> Stored[T]:
    """Create or replace a row. `wakes` false when another commit of the same run follows. Raises `StaleWrite`."""
    entry = Entry(type=entry_type, data=data, origin=origin)
    stored = await bundle.state.commit(value, entry, previous=previous, now=bundle.clock.now())
    log_event(Event.COMMITTED, customer_id=value.customer_id, row=value.row, entry=entry_type.value)
    if wakes:
        await wake_drainer(bundle, value.customer_id, origin=origin)
    return stored


async def wake_drainer(bundle: Bundle, customer_id: str, *, origin: Origin) -> None:
    """See to it that the customer's timeline is drained; a drain that is waiting to begin here will see the commit."""
    if not bundle.drains.is_waiting(customer_id):
        await enqueue(bundle, WorkKind.DRAIN_TIMELINE, customer_id, origin=origin)


async def remove[T: StateRow](
    bundle: Bundle, previous: Stored[T], entry_type: EntryType, data: dict[str, Any], *, origin: Origin
) -> None:
    """Delete a row. Raises `StaleWrite`."""
    entry = Entry(type=entry_type, data=data, origin=origin)
    await bundle.state.remove(previous, entry, now=bundle.clock.now())
    await wake_drainer(bundle, previous.value.customer_id, origin=origin)


async def enqueue(
    bundle: Bundle,
    kind: WorkKind,
    customer_id: str,
    name: str = "",
    *,
    origin: Origin,
    delay: timedelta = timedelta(),
) -> None:
    """Put a fresh work item on the queue."""
    item = WorkItem(id=bundle.randomness.new_id(), kind=kind, customer_id=customer_id, name=name, origin=origin)
    await bundle.queue.enqueue(item, delay=delay)


async def enqueue_all(bundle: Bundle, kind: WorkKind, customer_id: str, names: Iterable[str], *, origin: Origin) -> int:
    """Put one fresh work item per name on the queue, a few at a time; answers how many."""
    gate = asyncio.Semaphore(SENDS_AT_ONCE)

    async def send(name: str) -> None:
        async with gate:
            await enqueue(bundle, kind, customer_id, name, origin=origin)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(send(name)) for name in names]
    except ExceptionGroup as failed:
        # Whoever called handles one error of ours, not a group of them.
        raise failed.exceptions[0] from failed
    return len(tasks)


def require_match[T: StateRow](stored: Stored[T] | None, if_match: str | None) -> None:
    """Honour If-Match: `*` asks that the row exists, anything else names its ETag."""
    if if_match is None:
        return
    if stored is None or (if_match.strip() != "*" and if_match.strip() != stored.etag):
        raise PreconditionFailed("The object changed since it was read; read it again and repeat.", target="If-Match")


async def repeat_lost_races[T](work: Callable[[], Awaitable[T]], *, customer_id: str, row: str) -> T:
    """Start again from reading when another writer was first, twice at most; then `StaleWrite` is raised."""
    for _ in range(RACES - 1):
        try:
            return await work()
        except StaleWrite:
            log_event(Event.STALE_WRITE, customer_id=customer_id, row=row)
    return await work()
