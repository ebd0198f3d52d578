"""Fakes of the `timeline` and `fleet` tables and of the queue."""

import bisect
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.domain.entries import TimelineEntry, TimelineHead
from shared.domain.work import WorkItem
from shared.errors import StaleWrite
from shared.stores import FleetRow, PaceRow, StoredHead, SweepRow
from tests.fakes.interruptions import Interruptible
from tests.fakes.process import FakeClock

MOST_ENTRIES = 99
LONGEST_DELAY = timedelta(days=7)


class FakeTimelineStore(Interruptible):
    """One head and one list of entries a customer. Entries are only ever created."""

    def __init__(self) -> None:
        super().__init__()
        self._heads: dict[str, StoredHead] = {}
        self._statements: dict[str, dict[str, Any]] = {}
        self._entries: dict[str, dict[int, TimelineEntry]] = {}
        self._etags = itertools.count(1)

    async def read_head(self, customer_id: str) -> StoredHead:
        """Read the head."""
        await self._begin("read_head")
        return self._heads.get(customer_id, StoredHead(TimelineHead(), None))

    async def append(
        self, customer_id: str, entries: Sequence[TimelineEntry], head: TimelineHead, *, previous: StoredHead
    ) -> StoredHead:
        """Add entries and the new head in one transaction."""
        if len(entries) > MOST_ENTRIES:
            raise ValueError(f"appending {len(entries)} entries: one transaction holds {MOST_ENTRIES} and the head")
        await self._begin("append")
        self._expect(customer_id, previous)
        kept = self._entries.setdefault(customer_id, {})
        if any(entry.sequence in kept for entry in entries):
            raise StaleWrite(f"appending to timeline {customer_id}: an entry exists")
        # Through JSON, as the table keeps it.
        kept.update({one.sequence: replace(one, data=json.loads(json.dumps(one.data))) for one in entries})
        stored = self._write(customer_id, head)
        self._end("append")
        return stored

    async def write_head(self, customer_id: str, head: TimelineHead, *, previous: StoredHead) -> StoredHead:
        """Replace the head alone."""
        await self._begin("write_head")
        self._expect(customer_id, previous)
        stored = self._write(customer_id, head)
        self._end("write_head")
        return stored

    async def write_statement(self, customer_id: str, statement: dict[str, Any]) -> None:
        """Keep a customer's evidence statement."""
        await self._begin("write_statement")
        self._statements[customer_id] = json.loads(json.dumps(statement))
        self._end("write_statement")

    async def read_statement(self, customer_id: str) -> dict[str, Any] | None:
        """Read a customer's evidence statement."""
        await self._begin("read_statement")
        return self._statements.get(customer_id)

    async def read_entries(
        self, customer_id: str, *, first: int = 1, last: int | None = None
    ) -> AsyncIterator[TimelineEntry]:
        """Entries by sequence, inclusive."""
        await self._begin("read_entries")
        for sequence, entry in sorted(self._entries.get(customer_id, {}).items()):
            if first <= sequence and (last is None or sequence <= last):
                yield entry

    def forge(self, customer_id: str, entry: TimelineEntry) -> None:
        """Rewrite history, as somebody with access to the table could."""
        self._entries[customer_id][entry.sequence] = entry

    def _expect(self, customer_id: str, previous: StoredHead) -> None:
        present = self._heads.get(customer_id)
        if previous.etag != (None if present is None else present.etag):
            raise StaleWrite(f"appending to timeline {customer_id}: another writer was first")

    def _write(self, customer_id: str, head: TimelineHead) -> StoredHead:
        stored = self._heads[customer_id] = StoredHead(head, f'W/"{next(self._etags)}"')
        return stored


class FakeFleetStore(Interruptible):
    """The read model, sweeps, pacing and lost work."""

    def __init__(self) -> None:
        super().__init__()
        self.lost_work: dict[str, tuple[str, datetime]] = {}
        self._customers: dict[str, FleetRow] = {}
        self._sweeps: dict[str, SweepRow] = {}
        self._paces: dict[str, PaceRow] = {}
        self._etags = itertools.count(1)

    async def write_customer(self, row: FleetRow) -> None:
        """Write a customer's summary."""
        await self._begin("write_customer")
        self._customers[row.customer_id] = row
        self._end("write_customer")

    async def delete_customer(self, customer_id: str) -> None:
        """Remove a customer's summary."""
        await self._begin("delete_customer")
        self._customers.pop(customer_id, None)

    async def read_customers(self, *, limit: int, after: str | None = None) -> Sequence[FleetRow]:
        """Summaries in order of customer id, after the given id."""
        await self._begin("read_customers")
        in_order = sorted(self._customers)
        start = 0 if after is None else bisect.bisect_right(in_order, after)
        return [self._customers[customer_id] for customer_id in in_order[start : start + limit]]

    async def write_sweep(self, row: SweepRow) -> None:
        """Write a range's last sweep."""
        await self._begin("write_sweep")
        self._sweeps[row.range_id] = row

    async def read_sweeps(self) -> Sequence[SweepRow]:
        """Every range's last sweep."""
        await self._begin("read_sweeps")
        return [self._sweeps[range_id] for range_id in sorted(self._sweeps)]

    async def read_pace(self, scope: str) -> PaceRow:
        """Read a pace row."""
        await self._begin("read_pace")
        return self._paces.get(scope, PaceRow(scope=scope))

    async def write_pace(self, row: PaceRow) -> PaceRow:
        """Write a pace row under its ETag."""
        await self._begin("write_pace")
        present = self._paces.get(row.scope)
        if row.etag != (None if present is None else present.etag):
            raise StaleWrite(f"writing the pace of {row.scope}: another writer was first")
        stored = self._paces[row.scope] = replace(row, etag=f'W/"{next(self._etags)}"')
        return stored

    async def write_lost_work(self, message_id: str, text: str, at: datetime) -> None:
        """Keep a poisoned message."""
        await self._begin("write_lost_work")
        self.lost_work[message_id] = (text, at)


class FakeWorkQueue(Interruptible):
    """Work items by the time from which they are visible."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self._waiting: list[tuple[datetime, int, WorkItem]] = []
        self._order = itertools.count()

    async def enqueue(self, item: WorkItem, *, delay: timedelta = timedelta()) -> None:
        """Add a work item that becomes visible after `delay`."""
        await self._begin("enqueue")
        visible = self._clock.now() + min(max(delay, timedelta()), LONGEST_DELAY)
        bisect.insort(self._waiting, (visible, next(self._order), item), key=lambda one: one[:2])
        self._end("enqueue")

    async def ping(self) -> None:
        """Ask whether the queue answers; `break_before` makes it silent."""
        await self._begin("ping")

    @property
    def items(self) -> list[WorkItem]:
        """Everything on the queue, visible or not, soonest first."""
        return [item for _, _, item in self._waiting]

    def take(self) -> list[WorkItem]:
        """Take every work item that is visible now."""
        now = self._clock.now()
        taken = [item for visible, _, item in self._waiting if visible <= now]
        self._waiting = [one for one in self._waiting if one[0] > now]
        return taken

    @property
    def next_visible(self) -> datetime | None:
        """When the next work item can be taken."""
        return self._waiting[0][0] if self._waiting else None
