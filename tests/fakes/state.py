"""Fakes of the `state` and `claims` tables: ETags, transactions and order as the real tables have them."""

import hashlib
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.entries import Entry, OutboxRow
from shared.domain.model import Customer, Key, Operation, Resource, StateRow
from shared.errors import StaleWrite
from shared.stores import Claim, CustomerRows, Stored
from tests.fakes.interruptions import Interruptible

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _Partition:
    rows: dict[str, Stored[Any]] = field(default_factory=dict)
    outbox: dict[str, OutboxRow] = field(default_factory=dict)


class FakeStateStore(Interruptible):
    """One partition a customer; a commit writes the row and its outbox row, or neither."""

    def __init__(self) -> None:
        super().__init__()
        self._partitions: dict[str, _Partition] = {}
        self._spoilt: set[str] = set()
        self._etags = itertools.count(1)

    @property
    def writes(self) -> int:
        """Transactions that were tried: zero in a converged world."""
        return self.calls["commit"] + self.calls["remove"]

    async def read_customer(self, customer_id: str) -> Stored[Customer] | None:
        """Read a customer's own row."""
        return await self._read("read_customer", customer_id, "customer", Customer)

    async def read_key(self, customer_id: str, name: str) -> Stored[Key] | None:
        """Read a key's row."""
        return await self._read("read_key", customer_id, f"key:{name}", Key)

    async def read_resource(self, customer_id: str, name: str) -> Stored[Resource] | None:
        """Read a resource's row."""
        return await self._read("read_resource", customer_id, f"resource:{name}", Resource)

    async def read_operation(self, customer_id: str, operation_id: str) -> Stored[Operation] | None:
        """Read an operation's row."""
        return await self._read("read_operation", customer_id, f"operation:{operation_id}", Operation)

    async def _read[T: StateRow](
        self, operation: str, customer_id: str, row: str, expected: type[T]
    ) -> Stored[T] | None:
        await self._begin(operation)
        stored = self._partition(customer_id).rows.get(row)
        assert stored is None or isinstance(stored.value, expected)
        return stored

    async def read_rows(self, customer_id: str) -> CustomerRows:
        """Read a customer's whole partition."""
        await self._begin("read_rows")
        return _gather(self._partition(customer_id))

    async def read_resources(self, customer_id: str) -> Sequence[Stored[Resource]]:
        """Read a customer's resources."""
        await self._begin("read_resources")
        return _gather(self._partition(customer_id)).resources

    async def commit[T: StateRow](
        self, value: T, entry: Entry, *, previous: Stored[T] | None, now: datetime
    ) -> Stored[T]:
        """Create or replace a row and leave its entry in the outbox."""
        await self._begin("commit")
        partition = self._partition(value.customer_id)
        _expect(partition, value, previous)
        stored = Stored(value, _next_revision(previous, now), f'W/"{next(self._etags)}"')
        self._announce(partition, value.row, stored.revision, entry, now)
        partition.rows[value.row] = stored
        self._end("commit")
        return stored

    async def remove[T: StateRow](self, previous: Stored[T], entry: Entry, *, now: datetime) -> None:
        """Delete a row and leave its entry in the outbox."""
        await self._begin("remove")
        value = previous.value
        partition = self._partition(value.customer_id)
        _expect(partition, value, previous)
        self._announce(partition, value.row, _next_revision(previous, now), entry, now)
        del partition.rows[value.row]
        self._end("remove")

    @staticmethod
    def _announce(partition: _Partition, row: str, revision: int, entry: Entry, now: datetime) -> None:
        row_key = f"outbox:{revision:016x}:{row}"
        if row_key in partition.outbox:
            raise StaleWrite(f"committing {row}: its outbox row exists")
        # Through JSON, as the table keeps it: what is not JSON fails here, and nobody shares a dictionary.
        kept = replace(entry, data=json.loads(json.dumps(entry.data)))
        partition.outbox[row_key] = OutboxRow(
            row_key=row_key, entry_id=f"{row}/{revision}", recorded_at=now, entry=kept
        )

    async def read_outbox(self, customer_id: str, *, limit: int) -> Sequence[OutboxRow]:
        """The oldest entries that are not in the timeline yet."""
        await self._begin("read_outbox")
        return _gather(self._partition(customer_id)).outbox[:limit]

    async def delete_outbox(self, customer_id: str, row_keys: Sequence[str]) -> None:
        """Delete outbox rows."""
        await self._begin("delete_outbox")
        for row_key in row_keys:
            self._partition(customer_id).outbox.pop(row_key, None)
        self._end("delete_outbox")

    async def read_range(self, first: str, last: str) -> AsyncIterator[tuple[str, CustomerRows]]:
        """Every customer whose range prefix is in `first`..`last`, in the table's order."""
        await self._begin("read_range")
        for prefix, customer_id in sorted((_prefix(one), one) for one in self._partitions):
            partition = self._partitions[customer_id]
            if first <= prefix <= last and (partition.rows or partition.outbox):
                spoilt = CustomerRows(unreadable="a row of another version")
                yield customer_id, spoilt if customer_id in self._spoilt else _gather(partition)

    def spoil(self, customer_id: str) -> None:
        """Let one row of the customer be such that a range cannot read it."""
        self._spoilt.add(customer_id)

    def _partition(self, customer_id: str) -> _Partition:
        return self._partitions.setdefault(customer_id, _Partition())


def _gather(partition: _Partition) -> CustomerRows:
    in_order = [partition.rows[row] for row in sorted(partition.rows)]
    return CustomerRows(
        customer=partition.rows.get("customer"),
        keys=tuple(one for one in in_order if isinstance(one.value, Key)),
        resources=tuple(one for one in in_order if isinstance(one.value, Resource)),
        operations=tuple(one for one in in_order if isinstance(one.value, Operation)),
        outbox=tuple(partition.outbox[row_key] for row_key in sorted(partition.outbox)),
    )


def _expect(partition: _Partition, value: StateRow, previous: Stored[Any] | None) -> None:
    present = partition.rows.get(value.row)
    if (present is None) != (previous is None) or (
        present is not None and previous is not None and present.etag != previous.etag
    ):
        raise StaleWrite(f"committing {value.row} of {value.customer_id}: another writer was first")


def _next_revision(previous: Stored[Any] | None, now: datetime) -> int:
    microseconds = (now - EPOCH) // timedelta(microseconds=1)
    return microseconds if previous is None else max(previous.revision + 1, microseconds)


def _prefix(customer_id: str) -> str:
    return hashlib.sha256(customer_id.encode()).hexdigest()[:2]


class FakeClaimStore(Interruptible):
    """Claims by kind and identifier."""

    def __init__(self) -> None:
        super().__init__()
        self._claims: dict[tuple[str, str], Claim] = {}
        self._etags = itertools.count(1)

    async def claim(self, claim: Claim) -> Claim:
        """Create the claim, or renew it for the same owner; otherwise answer the one that stands."""
        await self._begin("claim")
        found = self._claims.get((claim.kind, claim.identifier))
        if found is not None and (found.customer_id, found.row) != (claim.customer_id, claim.row):
            return found
        standing = replace(claim, etag=f'W/"{next(self._etags)}"')
        self._claims[claim.kind, claim.identifier] = standing
        self._end("claim")
        return standing

    async def find(self, kind: str, identifier: str) -> Claim | None:
        """Read one claim."""
        await self._begin("find")
        return self._claims.get((kind, identifier))

    async def release(self, kind: str, identifier: str, *, customer_id: str, row: str) -> None:
        """Delete the claim if this owner holds it."""
        await self._begin("release")
        found = self._claims.get((kind, identifier))
        if found is not None and (found.customer_id, found.row) == (customer_id, row):
            del self._claims[kind, identifier]
        self._end("release")

    async def remove_unchanged(self, claim: Claim) -> None:
        """Delete a claim if it was not renewed since it was read."""
        await self._begin("remove_unchanged")
        found = self._claims.get((claim.kind, claim.identifier))
        if found is not None and found.etag == claim.etag:
            del self._claims[claim.kind, claim.identifier]

    async def read_all(self, kind: str) -> AsyncIterator[Claim]:
        """Every claim of a kind."""
        await self._begin("read_all")
        for claim in [self._claims[place] for place in sorted(self._claims)]:
            if claim.kind == kind:
                yield claim
