"""The sweep: the floor under lost events. Reads ranges of the state table and looks at whatever is not as it should be.

Keys are checked here, a few at a time; resources are compared with Resource Manager's lists, and only those that
differ are queued. Unchanged rows are not rewritten; each range leaves one row behind.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from shared.bundle import Bundle
from shared.domain.entries import Origin, Record
from shared.domain.limited import is_in_service
from shared.domain.model import ConsentState, Customer, Key, ResourceState
from shared.domain.retirement import needs_review
from shared.domain.sweeping import CLAIM_GRACE, KEEP_FINISHED, SweepRange, probe_is_due, ranges_for
from shared.domain.work import SWEPT, WorkKind
from shared.errors import CrossKeyError, NotFound, StaleWrite
from shared.services.check_key import check_key
from shared.services.commits import enqueue, remove
from shared.services.summaries import phase_of
from shared.services.sweep_resources import Converged, queue_differing
from shared.stores import CustomerRows, SweepRow
from shared.telemetry import Event, log_event

KEYS_AT_ONCE = 16
RESTING = frozenset({ResourceState.RELEASED, ResourceState.GONE, ResourceState.STRANDED})


@dataclass(slots=True)
class _Tally:
    """What one range amounts to while it is read."""

    customers: int = 0
    keys: list[Key] = field(default_factory=list)
    converged: list[Converged] = field(default_factory=list)
    queued: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    live_claims: set[tuple[str, str, str, str]] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)


async def start_sweep(bundle: Bundle, *, origin: Origin) -> None:
    """Queue one work item per range; their number follows the number of customers at the last sweep."""
    known = sum(row.customers for row in await current_sweeps(bundle))
    for part in ranges_for(known):
        await enqueue(bundle, WorkKind.SWEEP_RANGE, "", str(part), origin=origin)


async def current_sweeps(bundle: Bundle) -> list[SweepRow]:
    """The last sweep of every range, as the fleet is cut now."""
    rows = await bundle.fleet.read_sweeps()
    if not rows:
        return []
    count = SweepRange.parse(max(rows, key=lambda row: row.finished_at).range_id).count
    return [row for row in rows if SweepRange.parse(row.range_id).count == count]


async def sweep_range(bundle: Bundle, range_id: str, *, origin: Origin) -> SweepRow:
    """Sweep one range. Faults of single keys are left to the next sweep; those of the tables are raised."""
    part = SweepRange.parse(range_id)
    tally = _Tally()
    async for customer_id, rows in bundle.state.read_range(part.first, part.last):
        await _take_in(bundle, customer_id, rows, tally, origin=origin)
    last = next((row for row in await bundle.fleet.read_sweeps() if row.range_id == range_id), None)
    since = None if last is None else last.finished_at
    health = await _check_keys(bundle, tally.keys, since=since, origin=origin)
    tally.queued += await queue_differing(bundle, tally.converged, origin=origin)
    await _free_orphaned_claims(bundle, part, tally)
    row = SweepRow(
        range_id=range_id,
        finished_at=bundle.clock.now(),
        customers=tally.customers,
        keys_checked=len(tally.keys),
        resources_observed=len(tally.converged),
        queued=tally.queued,
        by_phase=dict(sorted(tally.phases.items())),
        by_health=dict(sorted(health.items())),
    )
    await bundle.fleet.write_sweep(row)
    return row


async def _take_in(bundle: Bundle, customer_id: str, rows: CustomerRows, tally: _Tally, *, origin: Origin) -> None:
    now = bundle.clock.now()
    if rows.unreadable is not None:
        # Its claims may belong to what could not be read, so they are kept.
        tally.customers += 1
        tally.unread.add(customer_id)
        log_event(Event.CUSTOMER_UNREADABLE, customer_id=customer_id, message=rows.unreadable)
        return
    if rows.outbox:
        tally.queued += 1
        await enqueue(bundle, WorkKind.DRAIN_TIMELINE, customer_id, SWEPT, origin=origin)
    if rows.customer is None:
        await _remove_finished(bundle, rows, origin=origin)
        return
    customer = rows.customer.value
    tally.customers += 1
    tally.phases[phase_of(rows)] += 1
    tally.keys.extend(stored.value for stored in rows.keys)
    unwelcomed = customer.onboarded_at is None and any(is_in_service(key.value) for key in rows.keys)
    mended = customer.attention is not None and not rows.outbox
    leaving = customer.leaving_since is not None
    if customer.consent.state is not ConsentState.GRANTED or unwelcomed or mended or leaving:
        tally.queued += 1
        await enqueue(bundle, WorkKind.CHECK_CUSTOMER, customer_id, origin=origin)
    await _take_in_resources(bundle, customer, rows, tally, origin=origin)
    resources = [stored.value for stored in rows.resources]
    for stored_key in rows.keys:
        if needs_review(stored_key.value, resources, now):
            tally.queued += 1
            await enqueue(bundle, WorkKind.CHECK_KEY, customer_id, stored_key.value.name, origin=origin)
    tally.live_claims.update(
        ("key", stored.value.identifier.claim, customer_id, stored.value.row) for stored in rows.keys
    )
    await _remove_finished(bundle, rows, origin=origin)


async def _take_in_resources(
    bundle: Bundle, customer: Customer, rows: CustomerRows, tally: _Tally, *, origin: Origin
) -> None:
    """Those that are as recorded are compared with Azure's list; the others are looked at one by one."""
    now, customer_id = bundle.clock.now(), customer.customer_id
    keys = {stored.value.name: stored for stored in rows.keys}
    for stored in rows.resources:
        resource = stored.value
        if resource.is_live:
            tally.live_claims.add(("resource", resource.resource_id.claim, customer_id, resource.row))
        waits = resource.queued_until is not None and now < resource.queued_until
        if waits or resource.state in RESTING:
            continue
        if resource.state is ResourceState.PROTECTED and resource.missing_since is None:
            tally.converged.append(Converged(customer=customer, key=keys.get(resource.key), resource=resource))
        else:
            tally.queued += 1
            await enqueue(bundle, WorkKind.RECONCILE_RESOURCE, customer_id, resource.name, origin=origin)


async def _check_keys(bundle: Bundle, keys: Iterable[Key], *, since: datetime | None, origin: Origin) -> Counter[str]:
    gate = asyncio.Semaphore(KEYS_AT_ONCE)
    health: Counter[str] = Counter()

    async def check(key: Key) -> None:
        async with gate:
            due = probe_is_due(key.customer_id, key.name, since=since, now=bundle.clock.now())
            try:
                checked = await check_key(bundle, key.customer_id, key.name, origin=origin, thorough=due)
            except NotFound:
                return
            except CrossKeyError as error:
                health["unchecked"] += 1
                log_event(Event.KEY_UNCHECKED, customer_id=key.customer_id, key=key.name, code=error.code)
                return
            health[checked.key.value.health.state.value] += 1

    async with asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(check(key))
    return health


async def _remove_finished(bundle: Bundle, rows: CustomerRows, *, origin: Origin) -> None:
    """Drop operations that ended, and resources that were released, thirty days ago."""
    now = bundle.clock.now()
    current = {resource.value.operation_id for resource in rows.resources}
    try:
        for operation in rows.operations:
            finished = operation.value.finished_at
            if operation.value.operation_id not in current:
                # Nobody will end an operation that no resource names: its request died before the resource's commit.
                finished = finished or operation.value.created_at
            if finished is not None and now - finished > KEEP_FINISHED:
                data = {"operation": operation.value.operation_id}
                await remove(bundle, operation, Record.OPERATION_REMOVED, data, origin=origin)
        for resource in rows.resources:
            observed = resource.value.observed_at
            if resource.value.state in RESTING and observed is not None and now - observed > KEEP_FINISHED:
                data = {"resource": resource.value.name}
                await remove(bundle, resource, Record.RESOURCE_REMOVED, data, origin=origin)
    except StaleWrite:
        # Somebody uses the row after all; the next sweep looks again.
        return


async def _free_orphaned_claims(bundle: Bundle, part: SweepRange, tally: _Tally) -> None:
    """Remove claims whose row never came, an hour after they were made or renewed."""
    now = bundle.clock.now()
    for kind in ("key", "resource"):
        async for claim in bundle.claims.read_all(kind):
            owner = (kind, claim.identifier, claim.customer_id, claim.row)
            ours = part.holds(claim.customer_id) and claim.customer_id not in tally.unread
            orphaned = ours and owner not in tally.live_claims
            if orphaned and now - claim.claimed_at > CLAIM_GRACE:
                await bundle.claims.remove_unchanged(claim)
                log_event(Event.CLAIM_REMOVED, customer_id=claim.customer_id, row=claim.row)
