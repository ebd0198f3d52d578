"""What the use cases need of the four tables, in our words. Implemented by the table adapters and the tests' fakes.

Errors are those of `shared.errors`. Reads answer None for "is not there"; "could not tell" is always an
exception; a lost race is `StaleWrite`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shared.domain.entries import Entry, OutboxRow, TimelineEntry, TimelineHead
from shared.domain.model import Customer, Key, Operation, Resource, StateRow


@dataclass(frozen=True, slots=True)
class Stored[T: StateRow]:
    """A row as it was read. `revision` grows with every commit of the row; `etag` guards the next one."""

    value: T
    revision: int
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRows:
    """Everything a customer's partition holds."""

    customer: Stored[Customer] | None = None
    keys: tuple[Stored[Key], ...] = ()
    resources: tuple[Stored[Resource], ...] = ()
    operations: tuple[Stored[Operation], ...] = ()
    outbox: tuple[OutboxRow, ...] = ()
    unreadable: str | None = None
    """In a range: why the customer's rows could not be read. Nothing else of the customer is told then."""


class StateStore(Protocol):
    """The `state` table. A commit is one transaction: the object's own row under its ETag, and one outbox row."""

    async def read_customer(self, customer_id: str) -> Stored[Customer] | None:
        """Read a customer's own row."""
        ...

    async def read_key(self, customer_id: str, name: str) -> Stored[Key] | None:
        """Read a key's row."""
        ...

    async def read_resource(self, customer_id: str, name: str) -> Stored[Resource] | None:
        """Read a resource's row."""
        ...

    async def read_operation(self, customer_id: str, operation_id: str) -> Stored[Operation] | None:
        """Read an operation's row."""
        ...

    async def read_rows(self, customer_id: str) -> CustomerRows:
        """Read a customer's whole partition with one query."""
        ...

    async def read_resources(self, customer_id: str) -> Sequence[Stored[Resource]]:
        """Read a customer's resources with one range query."""
        ...

    async def commit[T: StateRow](
        self, value: T, entry: Entry, *, previous: Stored[T] | None, now: datetime
    ) -> Stored[T]:
        """Create (`previous` None) or replace a row and leave its entry in the outbox; both or neither.

        The new revision is `max(previous.revision + 1, microseconds of now)`, so a row that is removed and
        made again never repeats one. Raises `StaleWrite` when the row changed since it was read or exists.
        """
        ...

    async def remove[T: StateRow](self, previous: Stored[T], entry: Entry, *, now: datetime) -> None:
        """Delete a row and leave its entry in the outbox; both or neither. Raises `StaleWrite`."""
        ...

    async def read_outbox(self, customer_id: str, *, limit: int) -> Sequence[OutboxRow]:
        """The oldest entries that are not in the timeline yet, in order."""
        ...

    async def delete_outbox(self, customer_id: str, row_keys: Sequence[str]) -> None:
        """Delete outbox rows; those already deleted are no error."""
        ...

    def read_range(self, first: str, last: str) -> AsyncIterator[tuple[str, CustomerRows]]:
        """Every customer whose range prefix is in `first`..`last` (two hexadecimal digits, inclusive).

        A customer with a row that cannot be read is told as `unreadable`, and the range goes on.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One owner of a key or resource. `kind` is `key` or `resource`; `row` the owner's row, such as `key:primary`."""

    kind: str
    identifier: str
    customer_id: str
    row: str
    claimed_at: datetime
    etag: str = ""


class ClaimStore(Protocol):
    """The `claims` table: create-only."""

    async def claim(self, claim: Claim) -> Claim:
        """Create the claim; the same owner again is success and renews `claimed_at`. Answers the claim as it stands.

        Another owner is no error here: compare `customer_id` and `row` of the answer.
        """
        ...

    async def find(self, kind: str, identifier: str) -> Claim | None:
        """Read one claim: one point read."""
        ...

    async def release(self, kind: str, identifier: str, *, customer_id: str, row: str) -> None:
        """Delete the claim if this owner holds it; otherwise do nothing."""
        ...

    async def remove_unchanged(self, claim: Claim) -> None:
        """Delete a claim if it was not renewed since it was read."""
        ...

    def read_all(self, kind: str) -> AsyncIterator[Claim]:
        """Every claim of a kind."""
        ...


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A timeline's head as it was read; `etag` None when there is none yet."""

    head: TimelineHead
    etag: str | None


class TimelineStore(Protocol):
    """The `timeline` table: one partition a customer, a head and one row per entry."""

    async def read_head(self, customer_id: str) -> StoredHead:
        """Read the head; an empty timeline answers a fresh head without ETag."""
        ...

    async def append(
        self, customer_id: str, entries: Sequence[TimelineEntry], head: TimelineHead, *, previous: StoredHead
    ) -> StoredHead:
        """Add at most 99 entries and the new head in one transaction. Raises `StaleWrite`."""
        ...

    async def write_head(self, customer_id: str, head: TimelineHead, *, previous: StoredHead) -> StoredHead:
        """Replace the head alone. Raises `StaleWrite`."""
        ...

    async def write_statement(self, customer_id: str, statement: dict[str, Any]) -> None:
        """Keep a customer's evidence statement beside its timeline; the last writer wins."""
        ...

    async def read_statement(self, customer_id: str) -> dict[str, Any] | None:
        """Read a customer's evidence statement; None while there is none."""
        ...

    def read_entries(
        self, customer_id: str, *, first: int = 1, last: int | None = None
    ) -> AsyncIterator[TimelineEntry]:
        """Entries by sequence, inclusive."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRow:
    """A customer at a glance, as last computed by the drainer."""

    customer_id: str
    display_name: str
    tenant_id: str
    phase: str
    keys_by_health: dict[str, int] = field(default_factory=dict)
    resources_by_state: dict[str, int] = field(default_factory=dict)
    attention: bool = False
    timeline_sequence: int = 0
    timeline_hash: str = ""
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """The last sweep of one range."""

    range_id: str
    finished_at: datetime
    customers: int
    keys_checked: int
    resources_observed: int
    queued: int
    by_phase: dict[str, int] = field(default_factory=dict)
    by_health: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceRow:
    """Write budget of one subscription and region: `next_slot` is when the next unreserved write may go.

    `versionless_moves` remembers whether repeating a versionless update makes Storage look for a newer version
    at once; None until it was tried.
    """

    scope: str
    next_slot: datetime | None = None
    versionless_moves: bool | None = None
    etag: str | None = None


class FleetStore(Protocol):
    """The `fleet` table: read model, sweeps and pacing."""

    async def write_customer(self, row: FleetRow) -> None:
        """Write a customer's summary; the last writer wins."""
        ...

    async def delete_customer(self, customer_id: str) -> None:
        """Remove a customer's summary; none is no error."""
        ...

    async def read_customers(self, *, limit: int, after: str | None = None) -> Sequence[FleetRow]:
        """Summaries in order of customer id, after the given id."""
        ...

    async def write_sweep(self, row: SweepRow) -> None:
        """Write a range's last sweep."""
        ...

    async def read_sweeps(self) -> Sequence[SweepRow]:
        """Every range's last sweep."""
        ...

    async def read_pace(self, scope: str) -> PaceRow:
        """Read a pace row; an empty one when there is none."""
        ...

    async def write_pace(self, row: PaceRow) -> PaceRow:
        """Write a pace row under its ETag. Raises `StaleWrite`."""
        ...

    async def write_lost_work(self, message_id: str, text: str, at: datetime) -> None:
        """Keep a poisoned message that names no object, so that nothing is lost."""
        ...
