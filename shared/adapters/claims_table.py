"""The `claims` table: one row per claimed key or resource, created once and naming its one owner.

The partition is the kind, the row key the identifier as its `claim` property spells it (case-folded, without
the characters that table keys forbid).
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from shared.adapters.entities import SCHEMA, Entity, etag, read_time, write_time
from shared.adapters.tables import Tables
from shared.errors import StaleWrite
from shared.stores import Claim

ATTEMPTS: Final = 3
"""A claim can be removed or renewed between two requests; that it happens thrice is contention."""


class ClaimsTable:
    """Implements `ClaimStore`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def claim(self, claim: Claim) -> Claim:
        """Create the claim; the same owner again is success and renews `claimed_at`."""
        entity = _write(claim)
        for _ in range(ATTEMPTS):
            if (created := await self._tables.create("claims", entity)) is not None:
                return replace(claim, etag=created)
            found = await self.find(claim.kind, claim.identifier)
            if found is None:
                continue
            if (found.customer_id, found.row) != (claim.customer_id, claim.row):
                return found
            try:
                renewed = await self._tables.replace("claims", entity, etag=found.etag)
            except StaleWrite:
                continue
            return replace(claim, etag=renewed)
        raise StaleWrite(f"claiming {claim.kind} {claim.identifier}: others write the same claim")

    async def find(self, kind: str, identifier: str) -> Claim | None:
        """Read one claim."""
        entity = await self._tables.read("claims", kind, identifier)
        return None if entity is None else _read(entity)

    async def release(self, kind: str, identifier: str, *, customer_id: str, row: str) -> None:
        """Delete the claim if this owner holds it; otherwise do nothing."""
        found = await self.find(kind, identifier)
        if found is not None and (found.customer_id, found.row) == (customer_id, row):
            await self._tables.delete("claims", kind, identifier, etag=found.etag)

    async def remove_unchanged(self, claim: Claim) -> None:
        """Delete a claim if it was not renewed since it was read."""
        try:
            await self._tables.delete("claims", claim.kind, claim.identifier, etag=claim.etag)
        except StaleWrite:
            return

    async def read_all(self, kind: str) -> AsyncIterator[Claim]:
        """Every claim of a kind."""
        async for entity in self._tables.query("claims", "PartitionKey eq @kind", kind=kind):
            yield _read(entity)


def _write(claim: Claim) -> Entity:
    return {
        "PartitionKey": claim.kind,
        "RowKey": claim.identifier,
        "schema": SCHEMA,
        "customerId": claim.customer_id,
        "row": claim.row,
        "claimedAt": write_time(claim.claimed_at),
    }


def _read(entity: Mapping[str, Any]) -> Claim:
    return Claim(
        kind=entity["PartitionKey"],
        identifier=entity["RowKey"],
        customer_id=entity["customerId"],
        row=entity["row"],
        claimed_at=read_time(entity["claimedAt"]),
        etag=etag(entity),
    )
