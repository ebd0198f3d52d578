"""The `timeline` table: one partition a customer, its `head` and one row per entry by sequence.

Entries are only ever created, in one transaction with the head that counts them, so a timeline has no gaps.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from shared.adapters.entities import (
    SCHEMA,
    Entity,
    etag,
    join,
    read_origin,
    read_time,
    split,
    write_origin,
    write_time,
)
from shared.adapters.tables import Change, Tables, creating, replacing
from shared.domain.entries import TimelineEntry, TimelineHead
from shared.errors import StaleWrite, UnexpectedAnswer
from shared.stores import StoredHead

HEAD: Final = "head"
STATEMENT: Final = "statement"
MOST_ENTRIES: Final = 99


class TimelineTable:
    """Implements `TimelineStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def read_head(self, customer_id: str) -> StoredHead:
        """Read the head; an empty timeline answers a fresh head without ETag."""
        entity = await self._tables.read("timeline", customer_id, HEAD)
        return StoredHead(TimelineHead(), None) if entity is None else StoredHead(_read_head(entity), etag(entity))

    async def append(
        self, customer_id: str, entries: Sequence[TimelineEntry], head: TimelineHead, *, previous: StoredHead
    ) -> StoredHead:
        """Add entries and the new head in one transaction."""
        if len(entries) > MOST_ENTRIES:
            raise ValueError(f"appending {len(entries)} entries: one transaction holds {MOST_ENTRIES} and the head")
        changes = [creating(_write_entry(customer_id, entry)) for entry in entries]
        return await self._write(customer_id, head, previous, changes)

    async def write_head(self, customer_id: str, head: TimelineHead, *, previous: StoredHead) -> StoredHead:
        """Replace the head alone."""
        return await self._write(customer_id, head, previous, [])

    async def _write(
        self, customer_id: str, head: TimelineHead, previous: StoredHead, changes: Sequence[Change]
    ) -> StoredHead:
        entity = _write_head(customer_id, head)
        first = creating(entity) if previous.etag is None else replacing(entity, previous.etag)
        try:
            etags = await self._tables.transact("timeline", [first, *changes], f"appending to timeline {customer_id}")
        except StaleWrite:
            # The SDK repeats a transaction whose answer was lost; then it meets its own head, which names its owner.
            found = await self.read_head(customer_id)
            if found.head != head:
                raise
            return found
        return StoredHead(head, etags[0])

    async def write_statement(self, customer_id: str, statement: dict[str, Any]) -> None:
        """Keep a customer's evidence statement beside its timeline."""
        document = split("document", msgspec.json.encode(statement).decode())
        await self._tables.upsert(
            "timeline", {"PartitionKey": customer_id, "RowKey": STATEMENT, "schema": SCHEMA, **document}
        )

    async def read_statement(self, customer_id: str) -> dict[str, Any] | None:
        """Read a customer's evidence statement."""
        entity = await self._tables.read("timeline", customer_id, STATEMENT)
        if entity is None:
            return None
        _check(entity)
        return msgspec.json.decode(join("document", entity), type=dict[str, Any])

    async def read_entries(
        self, customer_id: str, *, first: int = 1, last: int | None = None
    ) -> AsyncIterator[TimelineEntry]:
        """Entries by sequence, inclusive."""
        query = "PartitionKey eq @customer and RowKey ge @first and RowKey le @last"
        # Without a last sequence the range ends before the character after `:`, and so before `head`.
        until = "entry;" if last is None else _row(last)
        async for entity in self._tables.query("timeline", query, customer=customer_id, first=_row(first), last=until):
            yield _read_entry(entity)


def _row(sequence: int) -> str:
    return f"entry:{sequence:012d}"


def _write_head(customer_id: str, head: TimelineHead) -> Entity:
    document = split("document", msgspec.json.encode(head).decode())
    return {"PartitionKey": customer_id, "RowKey": HEAD, "schema": SCHEMA, "hash": head.hash, **document}


def _read_head(entity: Mapping[str, Any]) -> TimelineHead:
    _check(entity)
    try:
        return msgspec.json.decode(join("document", entity), type=TimelineHead)
    except msgspec.MsgspecError as error:
        raise UnexpectedAnswer(f"reading the head of timeline {entity['PartitionKey']}: {error}") from error


def _write_entry(customer_id: str, entry: TimelineEntry) -> Entity:
    return {
        "PartitionKey": customer_id,
        "RowKey": _row(entry.sequence),
        "schema": SCHEMA,
        "entryId": entry.entry_id,
        "type": entry.type,
        "recordedAt": write_time(entry.recorded_at),
        "hash": entry.hash,
        **write_origin(entry.origin),
        **split("data", msgspec.json.encode(entry.data).decode()),
    }


def _read_entry(entity: Mapping[str, Any]) -> TimelineEntry:
    _check(entity)
    return TimelineEntry(
        sequence=int(entity["RowKey"].removeprefix("entry:")),
        entry_id=entity["entryId"],
        type=entity["type"],
        recorded_at=read_time(entity["recordedAt"]),
        origin=read_origin(entity),
        data=msgspec.json.decode(join("data", entity)),
        hash=entity["hash"],
    )


def _check(entity: Mapping[str, Any]) -> None:
    if entity.get("schema") != SCHEMA:
        raise UnexpectedAnswer(f"reading timeline row {entity['RowKey']}: unknown schema {entity.get('schema')!r}")
