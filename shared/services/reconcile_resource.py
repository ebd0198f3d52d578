"""Reconcile one resource: observe it in Resource Manager, decide, record what must not be forgotten, act, record.

The answer to an update is the next observation, so one run goes on until nothing differs, `MAX_STEPS` at most.
Running twice, late or for no reason ends in the same state and, when nothing differs, writes nothing anywhere.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.bundle import Bundle
from shared.domain.account_observation import (
    EncryptWithKey,
    ObservedAccount,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
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
from shared.services.account_creation import Unmade, Waiting, make_account
from shared.services.account_scopes import AccountScopes
from shared.services.commits import commit, enqueue, repeat_lost_races
from shared.services.lookups import find_customer, find_resource
from shared.services.observe_key import still_unwraps
from shared.services.operations import finish_operation
from shared.services.resource_records import WorkedElsewhere, data_of, remember_moves, scope_data, tidy
from shared.services.resources import desired_of
from shared.services.trial import told_to_key
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


async def _reconcile_once(bundle: Bundle, customer_id: str, name: str, *, origin: Origin) -> timedelta | None:
    customer = (await find_customer(bundle, customer_id)).value
    stored = await find_resource(bundle, customer_id, name)
    resource = stored.value
    if not resource.is_live:
        await tidy(bundle, resource, origin=origin)
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
    return await told_to_key(run.go(seen), bundle, desired, resource, origin=origin)


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
        self._scopes = AccountScopes(bundle, stored.value)
        self._id = bundle.randomness.new_id()

    async def go(self, seen: ObservedAccount | None) -> timedelta | None:
        try:
            return await self._go(seen)
        except CrossKeyError as error:
            # Also after a lost race: the new wish need not wait for us. An update whose answer was lost may still land
            # late; whoever looks next finds it, as drift at worst.
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
        steps = 0
        while steps < MAX_STEPS:
            plan = decide_account(
                Situation(
                    # Who works on it decides nothing.
                    resource=replace(self._stored.value, worker=None, working_until=None),
                    desired=self._desired,
                    seen=seen,
                    now=self._bundle.clock.now(),
                    versionless_moves=self._versionless_moves,
                    scopes=self._scopes.seen,
                )
            )
            # Scopes may be many, and each is released once.
            steps += plan.scope is None
            await self._record(plan)
            if plan.create is not None or plan.poll is not None:
                made = await self._make(plan)
                if not isinstance(made, ObservedAccount):
                    return made
                seen = made
                continue
            if seen is None or not plan.acts:
                if plan.look_again_after == timedelta():
                    continue
                await self._settled(plan)
                return plan.look_again_after
            if plan.proof is not None and not await self._proven(plan):
                return await self._unusable(plan)
            try:
                after = await self._act(plan, seen)
            except Refused as refusal:
                return await self.refused(refusal)
            await self._learn(plan, seen, after)
            seen = after
        raise UnexpectedAnswer(f"Reconciling {self._stored.value.resource_id}: it did not settle.")

    async def _act(self, plan: Plan, seen: ObservedAccount) -> ObservedAccount:
        """Do what the plan says; answers the account as it is then."""
        resource = self._stored.value
        if plan.scope is not None:
            await self._scopes.release(plan.scope)
        elif plan.update is None:
            await self._scopes.read()
        else:
            seen = await self._bundle.accounts.update(resource.resource_id, plan.update, present=seen)
            update, customer_id = type(plan.update).__name__, resource.customer_id
            log_event(Event.ACCOUNT_UPDATED, customer_id=customer_id, resource=resource.name, update=update)
            if isinstance(plan.update, ReturnToMicrosoftManagedKeys):
                # A release is confirmed by scopes that are read after it.
                self._scopes.seen = None
        return seen

    async def _record(self, plan: Plan) -> None:
        """Commit what the plan says first; with the lease when an update follows, without it when none does."""
        before, now = self._stored.value, self._bundle.clock.now()
        resource, entry = plan.resource, plan.entry
        if plan.writes:
            leased_until = before.working_until if before.worker == self._id else None
            if leased_until is None or leased_until - now < LONGEST_UPDATE:
                leased_until, entry = now + LEASE, entry or Record.RESOURCE_UPDATING
            resource = replace(resource, worker=self._id, working_until=leased_until)
        elif before.worker is not None and not plan.read_scopes:
            entry = entry or Record.RESOURCE_OBSERVED
        if entry is not None:
            self._stored = await commit(
                self._bundle,
                resource,
                entry,
                data_of(resource, before=before) | scope_data(plan),
                previous=self._stored,
                origin=self._origin,
                wakes=not plan.writes and not plan.read_scopes,
            )

    async def _make(self, plan: Plan) -> ObservedAccount | timedelta | None:
        """Ask for the account, or how far it is; answers it once it is there, or when to look again."""
        before = self._stored.value
        made = await make_account(self._bundle, before, plan)
        match made:
            case Unmade(resource, finding):
                return await self._fail(finding, resource)
            case Waiting(resource, entry, look_again_after):
                if entry is not None:
                    free = replace(resource, worker=None, working_until=None)
                    data, stored = data_of(free, before=before), self._stored
                    self._stored = await commit(self._bundle, free, entry, data, previous=stored, origin=self._origin)
                return look_again_after
        return made

    async def _settled(self, plan: Plan) -> None:
        resource = self._stored.value
        if plan.check_key:
            await enqueue(self._bundle, WorkKind.CHECK_KEY, resource.customer_id, resource.key, origin=self._origin)
        if self._customer.leaving_since is not None and not resource.is_live:
            await enqueue(self._bundle, WorkKind.CHECK_CUSTOMER, resource.customer_id, origin=self._origin)
        # Always: a run that died after its last commit left its operation open.
        await tidy(self._bundle, resource, origin=self._origin)

    async def _proven(self, plan: Plan) -> bool:
        """Whether the version unwraps now; before something is encrypted with it, also whether it wraps."""
        resource = self._stored.value
        key = await self._bundle.state.read_key(resource.customer_id, resource.key)
        if key is None or plan.proof is None or not KEY_VERSION.fullmatch(plan.proof):
            return False
        wraps = isinstance(plan.update, EncryptWithKey | SetKeyVersion)
        return await still_unwraps(self._bundle, self._customer, key.value, plan.proof, wraps=wraps)

    async def _unusable(self, plan: Plan) -> timedelta | None:
        where = "" if plan.scope is None else f"Encryption scope {plan.scope.name}: "
        return await self._fail(Finding(Reason.CURRENT_KEY_UNUSABLE, f"{where}Version {plan.proof}."))

    async def refused(self, refusal: Refused) -> timedelta | None:
        """Azure said no: record why, keep trying, ever more slowly."""
        return await self._fail(finding_of(refusal.http_status, refusal.azure_code, refusal.inner_code))

    async def _fail(self, finding: Finding, resource: Resource | None = None) -> timedelta | None:
        """Record a refusal once, and wait longer after each; answers when this chain of looks goes on, if it does."""
        before, now = self._stored.value, self._bundle.clock.now()
        refusals = before.refusals + 1
        failed = replace(
            resource or before,
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
        await remember_moves(self._bundle, self._stored.value, moved=moved)
