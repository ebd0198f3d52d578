"""The drainer: takes a customer's outbox in order into the hash-chained timeline, then announces it.

One drainer per customer at a time, by ETag on the timeline's head, which also holds a short lease so that a batch is
not announced twice by two workers. The head remembers its last batch: after a crash that batch is announced (again,
under the same ids) and its outbox rows deleted, but never appended again.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from shared.bundle import Bundle
from shared.domain.entries import OutboxRow, TimelineEntry, TimelineHead, chain
from shared.errors import CrossKeyError, StaleWrite
from shared.ports import Announcement
from shared.services.summaries import summarise_customer
from shared.stores import StoredHead
from shared.telemetry import Event, log_event

BATCH = 99
LEASE = timedelta(seconds=30)


class DrainedElsewhere(CrossKeyError):
    """Another worker is draining this timeline; look again when its lease ends, if anything is left."""

    code = "DrainedElsewhere"
    status = 503
    retryable = True


async def drain_timeline(bundle: Bundle, customer_id: str) -> None:
    """Drain until the outbox is empty. Concurrent calls in one process share their runs.

    Raises `DrainedElsewhere` or `StaleWrite` (another worker), `Unavailable` or `Refused` (tables or topic).
    """
    await bundle.drains.run(customer_id, lambda: _drain(bundle, customer_id))


async def _drain(bundle: Bundle, customer_id: str) -> None:
    stored = await bundle.timeline.read_head(customer_id)
    rows = await bundle.state.read_outbox(customer_id, limit=BATCH)
    if not rows and not stored.head.batch:
        return
    if stored.head.owned_until is not None and bundle.clock.now() < stored.head.owned_until:
        raise DrainedElsewhere(f"Draining the timeline of {customer_id}: another worker holds it.")
    owner = bundle.randomness.new_id()
    if stored.head.batch:
        stored = await bundle.timeline.write_head(customer_id, _owned(bundle, stored.head, owner), previous=stored)
        rows = await _finish_left_over(bundle, customer_id, stored)
    while rows:
        stored, entries = await _append(bundle, customer_id, rows, stored, owner)
        rows = await _finish(bundle, customer_id, stored, entries)
    idle = replace(stored.head, batch=(), owner=None, owned_until=None)
    try:
        await bundle.timeline.write_head(customer_id, idle, previous=stored)
    except StaleWrite:
        # The lease ran out and another worker went on from here; everything of ours is done.
        return


async def _append(
    bundle: Bundle, customer_id: str, rows: Sequence[OutboxRow], stored: StoredHead, owner: str
) -> tuple[StoredHead, list[TimelineEntry]]:
    entries: list[TimelineEntry] = []
    tip = stored.head.hash
    for sequence, row in enumerate(rows, start=stored.head.sequence + 1):
        entries.append(chain(tip, sequence, row))
        tip = entries[-1].hash
    head = TimelineHead(
        sequence=entries[-1].sequence,
        hash=tip,
        batch=tuple(row.row_key for row in rows),
        batch_start=entries[0].sequence,
    )
    stored = await bundle.timeline.append(customer_id, entries, _owned(bundle, head, owner), previous=stored)
    return stored, entries


async def _finish_left_over(bundle: Bundle, customer_id: str, stored: StoredHead) -> Sequence[OutboxRow]:
    head = stored.head
    first, last = head.batch_start, head.sequence
    entries = [entry async for entry in bundle.timeline.read_entries(customer_id, first=first, last=last)]
    return await _finish(bundle, customer_id, stored, entries)


async def _finish(
    bundle: Bundle, customer_id: str, stored: StoredHead, entries: Sequence[TimelineEntry]
) -> Sequence[OutboxRow]:
    """Announce a batch and clear the outbox; refresh the read model when that was the last; answer the next rows."""
    announcements = [announce(customer_id, entry) for entry in entries if entry.notification is not None]
    try:
        if announcements:
            await bundle.notifications.publish(announcements)
            log_event(Event.ANNOUNCED, customer_id=customer_id, events=len(announcements))
    except CrossKeyError:
        # Nobody need wait for the lease: whoever comes next announces this batch first.
        await bundle.timeline.write_head(
            customer_id, replace(stored.head, owner=None, owned_until=None), previous=stored
        )
        raise
    await bundle.state.delete_outbox(customer_id, stored.head.batch)
    rows = await bundle.state.read_outbox(customer_id, limit=BATCH)
    if not rows:
        # Once for the whole run, and after the outbox: the read model never stands in the timeline's way.
        await summarise_customer(bundle, customer_id, stored.head)
    return rows


def announce(customer_id: str, entry: TimelineEntry) -> Announcement:
    """The CloudEvent of an entry: the same id and content however often it is made."""
    return Announcement(
        event_id=entry.entry_id,
        type=f"CrossKey.{entry.type}",
        source=f"/customers/{customer_id}",
        subject=entry.entry_id.rpartition("/")[0],
        time=entry.recorded_at,
        data={
            **entry.data,
            "customerId": customer_id,
            "requestId": entry.origin.request_id,
            "timelineSequence": entry.sequence,
            "timelineHash": entry.hash,
        },
    )


def _owned(bundle: Bundle, head: TimelineHead, owner: str) -> TimelineHead:
    return replace(head, owner=owner, owned_until=bundle.clock.now() + LEASE)
