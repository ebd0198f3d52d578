"""Reconcile one resource: observe it in Resource Manager, decide, record what must not be forgotten, act, record.

The answer to an update is the next observation, so one run goes on until nothing differs, `MAX_STEPS` at most.
Running twice, late or for no reason ends in the same state and, when nothing differs, writes nothing anywhere.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from shared.bundle import Bundle
from shared.domain.account_observation import EncryptWithKey, ObservedAccount, SetKeyVersion
from shared.domain.desired import Desired
from shared.domain.entries import Notification, Origin, Record
from shared.domain.findings import Finding
from shared.domain.identifiers import KEY_VERSION
from shared.domain.model import Customer, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.refusals import finding_of
from shared.domain.storage_plan import decide_account
from shared.domain.storage_situation import Plan, Situation
from shared.domain.work import WorkKind
from shared.errors import CrossKeyError, Refused, StaleWrite, UnexpectedAnswer
from shared.services.commits import commit, enqueue, repeat_lost_races
from shared.services.lookups import find_customer, find_resource
from shared.services.observe_key import still_unwraps
from shared.services.operations import finish_operation
from shared.services.resources import desired_of
from shared.stores import Stored
from shared.telemetry import Event, log_event

MAX_STEPS = 10
LEASE = timedelta(minutes=5)
LONGEST_UPDATE = timedelta(seconds=90)
REFUSAL_DELAY = timedelta(minutes=1)
LONGEST_REFUSAL_DELAY = timedelta(hours=6)
QUICK_REFUSALS = 3
PROPAGATING = frozenset({Reason.KEY_REFUSED_BY_STORAGE, Reason.PROVIDER_ROLE_MISSING})
"""Refusals that a role on its way explains: an operation is not ended by the first of them."""


async def reconcile_resource(bundle: Bundle, customer_id: str, name: str, *, origin: Origin) -> timedelta | None:
    """Bring a resource to where it should be; answers after which time another look is wanted.

    Raises `NotFound`, `Unavailable` and its kinds (try later), `StaleWrite` after several lost races.
    """
    return await repeat_lost_races(
        lambda: _reconcile_once(bundle, customer_id, name, origin=origin),
        customer_id=customer_id,
        row=f"resource:{name}",
    )


async def postpone_resource(bundle: Bundle, customer_id: str, name: str, until: datetime, *, origin: Origin) -> None:
    """Write down that work on a resource waits until then, so that the sweep leaves it alone."""
    stored = await bundle.state.read_resource(customer_id, name)
    if stored is None or not stored.value.is_live:
        return
    waiting = replace(stored.value, queued_until=until)
    data = {"resource": name, "queuedUntil": until.isoformat()}
    # Whoever was first knows more; the row is only a courtesy to the sweep.
    with suppress(StaleWrite):
        await commit(bundle, waiting, Record.RESOURCE_POSTPONED, data, previous=stored, origin=origin)


async def _reconcile_once(bundle: Bundle, customer_id: str, name: str, *, origin: Origin) -> timedelta | None:
    customer = (await find_customer(bundle, customer_id)).value
    stored = await find_resource(bundle, customer_id, name)
    resource = stored.value
    if not resource.is_live:
        await _tidy(bundle, resource, origin=origin)
        return None
    now = bundle.clock.now()
    if resource.working_until is not None and now < resource.working_until:
        ends_in = resource.working_until - now
        raise WorkedElsewhere(f"Reconciling {resource.resource_id}: another run is updating it.", ends_in=ends_in)
    desired = await desired_of(bundle, customer, resource)
    memory = await bundle.fleet.read_pace(resource.resource_id.subscription_id)
    run = _Run(bundle, customer, desired, stored, origin=origin, versionless_moves=memory.versionless_moves)
    try:
        seen = await bundle.accounts.read(resource.resource_id)
    except Refused as refusal:
        return await run.refused(refusal)
    return await run.go(seen)


class WorkedElsewhere(CrossKeyError):
    """Another run is updating this resource; look again when it is done."""

    code = "WorkedElsewhere"
    status = 503
    retryable = True

    def __init__(self, message: str, *, ends_in: timedelta) -> None:
        super().__init__(message)
        self.ends_in = ends_in


class _Run:
    """One run over one resource; holds its row as it was last committed.

    Before its first update it leases the resource in the row, so that no two runs ever send updates for one resource:
    a late answer to a wish that changed meanwhile could otherwise undo what the other run did.
    """

    def __init__(
        self,
        bundle: Bundle,
        customer: Customer,
        desired: Desired,
        stored: Stored[Resource],
        *,
        origin: Origin,
        versionless_moves: bool | None,
    ) -> None:
        self._bundle = bundle
        self._customer = customer
        self._desired = desired
        self._stored = stored
        self._origin = origin
        self._versionless_moves = versionless_moves
        self._id = bundle.randomness.new_id()

    async def go(self, seen: ObservedAccount | None) -> timedelta | None:
        try:
            return await self._go(seen)
        except CrossKeyError as error:
            # Also after a lost race: nothing of ours is on its way, and the new wish need not wait for us.
            mine, let_go = self._stored.value, partial(self._let_go, error)
            with suppress(StaleWrite):
                await repeat_lost_races(let_go, customer_id=mine.customer_id, row=mine.row)
            raise

    async def _let_go(self, error: CrossKeyError) -> None:
        """Give the lease back, so that the next look need not wait for its end.

        The row is read for it: the answer that was lost may be that of the commit which took the lease.
        """
        mine = self._stored.value
        stored = await self._bundle.state.read_resource(mine.customer_id, mine.name)
        if stored is not None and stored.value.worker == self._id:
            free = replace(stored.value, worker=None, working_until=None)
            data = {**data_of(free, before=stored.value), "error": error.code}
            entry = Record.RESOURCE_INTERRUPTED
            await commit(self._bundle, free, entry, data, previous=stored, origin=self._origin)

    async def _go(self, seen: ObservedAccount | None) -> timedelta | None:
        for _ in range(MAX_STEPS):
            plan = decide_account(
                Situation(
                    # Who works on it decides nothing.
                    resource=replace(self._stored.value, worker=None, working_until=None),
                    desired=self._desired,
                    seen=seen,
                    now=self._bundle.clock.now(),
                    versionless_moves=self._versionless_moves,
                )
            )
            await self._record(plan)
            if plan.update is None or seen is None:
                if plan.look_again_after == timedelta():
                    continue
                await self._settled(plan)
                return plan.look_again_after
            if plan.proof is not None and not await self._proven(plan):
                return await self._unusable(plan.proof)
            try:
                after = await self._bundle.accounts.update(self._stored.value.resource_id, plan.update, present=seen)
            except Refused as refusal:
                return await self.refused(refusal)
            log_event(
                Event.ACCOUNT_UPDATED,
                customer_id=self._customer.customer_id,
                resource=self._stored.value.name,
                update=type(plan.update).__name__,
            )
            await self._learn(plan, seen, after)
            seen = after
        raise UnexpectedAnswer(f"Reconciling {self._stored.value.resource_id}: it did not settle.")

    async def _record(self, plan: Plan) -> None:
        """Commit what the plan says first; with the lease when an update follows, without it when none does."""
        before, now = self._stored.value, self._bundle.clock.now()
        resource, entry = plan.resource, plan.entry
        if plan.update is not None:
            leased_until = before.working_until if before.worker == self._id else None
            if leased_until is None or leased_until - now < LONGEST_UPDATE:
                leased_until, entry = now + LEASE, entry or Record.RESOURCE_UPDATING
            resource = replace(resource, worker=self._id, working_until=leased_until)
        elif before.worker is not None:
            entry = entry or Record.RESOURCE_OBSERVED
        if entry is not None:
            self._stored = await commit(
                self._bundle,
                resource,
                entry,
                data_of(resource, before=before),
                previous=self._stored,
                origin=self._origin,
                wakes=plan.update is None,
            )

    async def _settled(self, plan: Plan) -> None:
        resource = self._stored.value
        if plan.check_key:
            await enqueue(self._bundle, WorkKind.CHECK_KEY, resource.customer_id, resource.key, origin=self._origin)
        # Always: a run that died after its last commit left its operation open.
        await _tidy(self._bundle, resource, origin=self._origin)

    async def _proven(self, plan: Plan) -> bool:
        """Whether the version unwraps now; before something is encrypted with it, also whether it wraps."""
        resource = self._stored.value
        key = await self._bundle.state.read_key(resource.customer_id, resource.key)
        if key is None or plan.proof is None or not KEY_VERSION.fullmatch(plan.proof):
            return False
        wraps = isinstance(plan.update, EncryptWithKey | SetKeyVersion)
        return await still_unwraps(self._bundle, self._customer, key.value, plan.proof, wraps=wraps)

    async def _unusable(self, version: str) -> timedelta | None:
        return await self._fail(Finding(Reason.CURRENT_KEY_UNUSABLE, f"Version {version}."))

    async def refused(self, refusal: Refused) -> timedelta | None:
        """Azure said no: record why, keep trying, ever more slowly."""
        return await self._fail(finding_of(refusal.http_status, refusal.azure_code, refusal.inner_code))

    async def _fail(self, finding: Finding) -> timedelta | None:
        """Record a refusal once, and wait longer after each; answers when this chain of looks goes on, if it does."""
        before, now = self._stored.value, self._bundle.clock.now()
        refusals = before.refusals + 1
        failed = replace(
            before,
            state=before.state if before.state is ResourceState.RELEASING else ResourceState.FAILED,
            findings=(finding,),
            refusals=refusals,
            queued_until=now + min(REFUSAL_DELAY * 2 ** min(refusals, 10), LONGEST_REFUSAL_DELAY),
            worker=None,
            working_until=None,
        )
        known = before.findings == failed.findings and before.state is failed.state
        self._stored = await commit(
            self._bundle,
            failed,
            Record.RESOURCE_INTERRUPTED if known else Notification.RESOURCE_FAILED,
            data_of(failed, before=before),
            previous=self._stored,
            origin=self._origin,
        )
        if refusals > QUICK_REFUSALS or finding.reason not in PROPAGATING:
            await finish_operation(self._bundle, failed, origin=self._origin)
        return REFUSAL_DELAY if refusals <= QUICK_REFUSALS else None

    async def _learn(self, plan: Plan, before: ObservedAccount, after: ObservedAccount) -> None:
        """Remember per subscription whether repeating the versionless setting moved the account at once."""
        asked = isinstance(plan.update, SetKeyVersion) and plan.update.version is None and before.follows_latest
        moved = before.current_version != after.current_version
        # A move may have been Azure's own daily one, so one account that did not move is worth more than many that did.
        if not asked or self._versionless_moves is False or (moved and self._versionless_moves):
            return
        self._versionless_moves = moved
        subscription = self._stored.value.resource_id.subscription_id
        row = await self._bundle.fleet.read_pace(subscription)
        if row.versionless_moves is not moved:
            # Somebody else learnt it in the same moment: nothing is lost, the memory only saves a call.
            with suppress(StaleWrite):
                await self._bundle.fleet.write_pace(replace(row, versionless_moves=self._versionless_moves))


async def _tidy(bundle: Bundle, resource: Resource, *, origin: Origin) -> None:
    """After the state: end the operation, and free the claim of what no longer depends on the key."""
    await finish_operation(bundle, resource, origin=origin)
    if resource.is_live:
        return
    claim = await bundle.claims.find("resource", resource.resource_id.claim)
    if claim is None or (claim.customer_id, claim.row) != (resource.customer_id, resource.row):
        return
    # Whoever asked for the resource again meanwhile has renewed the claim, and keeps it.
    if resource.observed_at is None or claim.claimed_at <= resource.observed_at:
        await bundle.claims.remove_unchanged(claim)


def data_of(resource: Resource, *, before: Resource) -> dict[str, Any]:
    """What an entry says of a resource."""
    observed, earlier = resource.observed, before.observed
    return {
        "resource": resource.name,
        "resourceId": str(resource.resource_id),
        "key": resource.key,
        "state": resource.state.value,
        "keySource": None if observed is None else observed.key_source,
        "version": None if observed is None else observed.version_in_use,
        "previousVersion": None if earlier is None else earlier.version_in_use,
        "reasons": [finding.reason.value for finding in resource.findings],
        "findings": [finding.message for finding in resource.findings],
    }
