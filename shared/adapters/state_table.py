"""The `state` table: a commit is one transaction of the object's own row, under its ETag, and one outbox row.

The SDK repeats a transaction whose answer was lost; a repeat of one that took effect meets its own rows and fails.
So every commit writes a fresh id, and a failed condition is read back once before it counts as a lost race.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.adapters.entities import (
    OUTBOX,
    UNREADABLE,
    customer_of,
    gather,
    outbox_key,
    partition,
    read_outbox,
    read_row,
    write_outbox,
    write_row,
)
from shared.adapters.tables import Change, Tables, creating, deleting, replacing
from shared.domain.entries import Entry, OutboxRow
from shared.domain.model import Customer, Key, Operation, Resource, StateRow
from shared.errors import StaleWrite
from shared.ports import Randomness
from shared.stores import CustomerRows, Stored

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
OF_PARTITION: Final = "PartitionKey eq @partition"
BETWEEN_ROWS: Final = f"{OF_PARTITION} and RowKey ge @first and RowKey lt @after"


class StateTable:
    """Implements `StateStore`."""

    def __init__(self, tables: Tables, randomness: Randomness) -> None:
        self._tables = tables
        self._randomness = randomness

    async def read_customer(self, customer_id: str) -> Stored[Customer] | None:
        """Read a customer's own row."""
        return await self._read(customer_id, "customer", Customer)

    async def read_key(self, customer_id: str, name: str) -> Stored[Key] | None:
        """Read a key's row."""
        return await self._read(customer_id, f"key:{name}", Key)

    async def read_resource(self, customer_id: str, name: str) -> Stored[Resource] | None:
        """Read a resource's row."""
        return await self._read(customer_id, f"resource:{name}", Resource)

    async def read_operation(self, customer_id: str, operation_id: str) -> Stored[Operation] | None:
        """Read an operation's row."""
        return await self._read(customer_id, f"operation:{operation_id}", Operation)

    async def _read[T: StateRow](self, customer_id: str, row: str, expected: type[T]) -> Stored[T] | None:
        entity = await self._tables.read("state", partition(customer_id), row)
        return None if entity is None else read_row(entity, expected)

    async def read_rows(self, customer_id: str) -> CustomerRows:
        """Read a customer's whole partition with one query."""
        found = self._tables.query("state", OF_PARTITION, partition=partition(customer_id))
        return gather([entity async for entity in found])

    async def read_resources(self, customer_id: str) -> Sequence[Stored[Resource]]:
        """Read a customer's resources with one range query."""
        found = self._between(customer_id, "resource:")
        return [read_row(entity, Resource) async for entity in found]

    def _between(self, customer_id: str, prefix: str, page: int | None = None) -> AsyncIterator[Mapping[str, Any]]:
        # `;` is the character after `:`, so the range holds exactly the rows with the prefix.
        after = prefix.removesuffix(":") + ";"
        place = partition(customer_id)
        return self._tables.query("state", BETWEEN_ROWS, page=page, partition=place, first=prefix, after=after)

    async def commit[T: StateRow](
        self, value: T, entry: Entry, *, previous: Stored[T] | None, now: datetime
    ) -> Stored[T]:
        """Create or replace a row and leave its entry in the outbox; both or neither."""
        revision = next_revision(previous, now)
        commit = self._randomness.new_id()
        row = write_row(value, revision=revision, committed_at=now, commit=commit)
        outbox = write_outbox(value.row, revision, entry, customer_id=value.customer_id, now=now, commit=commit)
        change = creating(row) if previous is None else replacing(row, previous.etag)
        try:
            etags = await self._transact(value, [change, creating(outbox)])
        except StaleWrite:
            found = await self._tables.read("state", row["PartitionKey"], row["RowKey"])
            if found is None or found.get("commit") != commit:
                raise
            return replace(read_row(found, type(value)), value=value)
        return Stored(value, revision, etags[0])

    async def remove[T: StateRow](self, previous: Stored[T], entry: Entry, *, now: datetime) -> None:
        """Delete a row and leave its entry in the outbox; both or neither."""
        value = previous.value
        revision = next_revision(previous, now)
        commit = self._randomness.new_id()
        place = partition(value.customer_id)
        outbox = write_outbox(value.row, revision, entry, customer_id=value.customer_id, now=now, commit=commit)
        try:
            await self._transact(value, [deleting(place, value.row, previous.etag), creating(outbox)])
        except StaleWrite:
            found = await self._tables.read("state", place, outbox_key(value.row, revision))
            if found is None or found.get("commit") != commit:
                raise

    async def _transact(self, value: StateRow, changes: Sequence[Change]) -> list[str]:
        return await self._tables.transact("state", changes, f"committing {value.row} of {value.customer_id}")

    async def read_outbox(self, customer_id: str, *, limit: int) -> Sequence[OutboxRow]:
        """The oldest entries that are not in the timeline yet, in order."""
        rows: list[OutboxRow] = []
        if limit < 1:
            return rows
        async for entity in self._between(customer_id, OUTBOX, page=min(limit, 1000)):
            rows.append(read_outbox(entity))
            if len(rows) == limit:
                break
        return rows

    async def delete_outbox(self, customer_id: str, row_keys: Sequence[str]) -> None:
        """Delete outbox rows; those already deleted are no error."""
        place = partition(customer_id)
        keys = list(dict.fromkeys(row_keys))
        for start in range(0, len(keys), 100):
            some = keys[start : start + 100]
            try:
                changes = [deleting(place, key) for key in some]
                await self._tables.transact("state", changes, f"deleting outbox rows of {customer_id}")
            except StaleWrite:
                # One row that is gone undoes the whole transaction; the others go one by one.
                for key in some:
                    await self._tables.delete("state", place, key)

    async def read_range(self, first: str, last: str) -> AsyncIterator[tuple[str, CustomerRows]]:
        """Every customer whose range prefix is in `first`..`last`."""
        # `.` is the character after the `-` that ends a prefix.
        query = "PartitionKey ge @first and PartitionKey lt @after"
        place, rows = "", list[Mapping[str, Any]]()
        async for entity in self._tables.query("state", query, first=f"{first}-", after=f"{last}."):
            if entity["PartitionKey"] != place and rows:
                yield customer_of(place), _gather_or_tell(rows)
                rows = []
            place = entity["PartitionKey"]
            rows.append(entity)
        if rows:
            yield customer_of(place), _gather_or_tell(rows)


def _gather_or_tell(rows: Sequence[Mapping[str, Any]]) -> CustomerRows:
    try:
        return gather(rows)
    except UNREADABLE as error:
        return CustomerRows(unreadable=f"{type(error).__name__}: {error}")


def next_revision(previous: Stored[Any] | None, now: datetime) -> int:
    """Microseconds of `now`, and more than before even when clocks disagree."""
    microseconds = (now - EPOCH) // timedelta(microseconds=1)
    return microseconds if previous is None else max(previous.revision + 1, microseconds)
