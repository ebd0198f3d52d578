"""The `fleet` table: the read model of customers, the last sweep of each range, pacing, and lost work.

Everything here can be computed anew or is bookkeeping, so rows are written whole and the last writer wins; only a
pace row is guarded, since slots must not be handed out twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from shared.adapters.entities import SCHEMA, Entity, etag, join, split, write_time
from shared.adapters.tables import Tables
from shared.errors import StaleWrite, UnexpectedAnswer
from shared.stores import FleetRow, PaceRow, SweepRow

CUSTOMERS: Final = "customers"
SWEEPS: Final = "sweeps"
PACE: Final = "pace"
LOST_WORK: Final = "lostWork"
AFTER: Final = "PartitionKey eq @partition and RowKey gt @after"


class FleetTable:
    """Implements `FleetStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def write_customer(self, row: FleetRow) -> None:
        """Write a customer's summary."""
        columns = {"phase": row.phase, "attention": row.attention, "tenantId": row.tenant_id}
        await self._tables.upsert("fleet", _write(CUSTOMERS, row.customer_id, row) | columns)

    async def delete_customer(self, customer_id: str) -> None:
        """Remove a customer's summary; none is no error."""
        await self._tables.delete("fleet", CUSTOMERS, customer_id)

    async def read_customers(self, *, limit: int, after: str | None = None) -> Sequence[FleetRow]:
        """Summaries in order of customer id, after the given id."""
        rows: list[FleetRow] = []
        page = max(1, min(limit, 1000))
        async for entity in self._tables.query("fleet", AFTER, page=page, partition=CUSTOMERS, after=after or ""):
            if len(rows) >= limit:
                break
            rows.append(_read(entity, FleetRow))
        return rows

    async def write_sweep(self, row: SweepRow) -> None:
        """Write a range's last sweep."""
        await self._tables.upsert("fleet", _write(SWEEPS, row.range_id, row))

    async def read_sweeps(self) -> Sequence[SweepRow]:
        """Every range's last sweep."""
        found = self._tables.query("fleet", AFTER, partition=SWEEPS, after="")
        return [_read(entity, SweepRow) async for entity in found]

    async def read_pace(self, scope: str) -> PaceRow:
        """Read a pace row; an empty one when there is none."""
        entity = await self._tables.read("fleet", PACE, _safe(scope))
        return PaceRow(scope=scope) if entity is None else replace(_read(entity, PaceRow), etag=etag(entity))

    async def write_pace(self, row: PaceRow) -> PaceRow:
        """Write a pace row under its ETag."""
        entity = _write(PACE, _safe(row.scope), replace(row, etag=None))
        if row.etag is not None:
            return replace(row, etag=await self._tables.replace("fleet", entity, etag=row.etag))
        created = await self._tables.create("fleet", entity)
        if created is None:
            raise StaleWrite(f"writing the pace of {row.scope}: another writer was first")
        return replace(row, etag=created)

    async def write_lost_work(self, message_id: str, text: str, at: datetime) -> None:
        """Keep a poisoned message that names no object."""
        entity: Entity = {
            "PartitionKey": LOST_WORK,
            "RowKey": _safe(message_id),
            "schema": SCHEMA,
            "at": write_time(at),
            **split("text", text),
        }
        await self._tables.upsert("fleet", entity)


def _safe(text: str) -> str:
    # Table keys forbid / \ # ? and control characters; everything unusual is percent-encoded.
    return quote(text, safe=" |:;,@=")


def _write(partition: str, row: str, value: FleetRow | SweepRow | PaceRow) -> Entity:
    document = split("document", msgspec.json.encode(value).decode())
    return {"PartitionKey": partition, "RowKey": row, "schema": SCHEMA, **document}


def _read[T: (FleetRow, SweepRow, PaceRow)](entity: Mapping[str, Any], expected: type[T]) -> T:
    if entity.get("schema") != SCHEMA:
        raise UnexpectedAnswer(f"reading fleet row {entity['RowKey']}: unknown schema {entity.get('schema')!r}")
    try:
        return msgspec.json.decode(join("document", entity), type=expected)
    except msgspec.MsgspecError as error:
        raise UnexpectedAnswer(f"reading fleet row {entity['RowKey']}: {error}") from error
