"""Reconcile one resource: observe it in Resource Manager, decide, record what must not be forgotten, act, record.

The answer to an update is the next observation, so one run goes on until nothing differs, `MAX_STEPS` at most.
Running twice, late or for no reason ends in the same state and, when nothing differs, writes nothing anywhere.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.bundle import Bundle
from shared.domain.account_observation import ObservedAccount, SetKeyVersion
from shared.domain.desired import Desired
from shared.domain.entries import Notification, Origin, Record
from shared.domain.findings import Finding
from shared.domain.model import Customer, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.refusals import finding_of
from shared.domain.storage_plan import decide_account
from shared.domain.storage_situation import Plan, Situation
from shared.domain.work import WorkKind
from shared.errors import Refused, StaleWrite, UnexpectedAnswer
from shared.services.commits import commit, enqueue, repeat_lost_races
from shared.services.lookups import find_customer, find_resource
from shared.services.observe_key import still_unwraps
from shared.services.operations import finish_operation
from shared.services.resources import desired_of
from shared.stores import Stored

MAX_STEPS = 10
REFUSAL_DELAY = timedelta(minutes=1)


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
    desired = await desired_of(bundle, customer, resource)
    memory = await bundle.fleet.read_pace(resource.resource_id.subscription_id)
    run = _Run(bundle, customer, desired, stored, origin=origin, versionless_moves=memory.versionless_moves)
    try:
        seen = await bundle.accounts.read(resource.resource_id)
    except Refused as refusal:
        return await run.refused(refusal)
    return await run.go(seen)


class _Run:
    """One run over one resource; holds its row as it was last committed."""

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

    async def go(self, seen: ObservedAccount | None) -> timedelta | None:
        for _ in range(MAX_STEPS):
            plan = decide_account(
                Situation(
                    resource=self._stored.value,
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
            if plan.proof is not None and not await self._proven(plan.proof):
                return await self._unusable(plan.proof)
            try:
                after = await self._bundle.accounts.update(self._stored.value.resource_id, plan.update, present=seen)
            except Refused as refusal:
                return await self.refused(refusal)
            await self._learn(plan, seen, after)
            seen = after
        raise UnexpectedAnswer(f"Reconciling {self._stored.value.resource_id}: it did not settle.")

    async def _record(self, plan: Plan) -> None:
        if plan.entry is not None:
            self._stored = await commit(
                self._bundle,
                plan.resource,
                plan.entry,
                data_of(plan.resource, before=self._stored.value),
                previous=self._stored,
                origin=self._origin,
                wakes=plan.update is None,
            )

    async def _settled(self, plan: Plan) -> None:
        resource = self._stored.value
        if plan.check_key:
            await enqueue(self._bundle, WorkKind.CHECK_KEY, resource.customer_id, resource.key, origin=self._origin)
        if plan.entry is not None:
            await _tidy(self._bundle, resource, origin=self._origin)

    async def _proven(self, version: str) -> bool:
        resource = self._stored.value
        key = await self._bundle.state.read_key(resource.customer_id, resource.key)
        return key is not None and await still_unwraps(self._bundle, self._customer, key.value, version)

    async def _unusable(self, version: str) -> timedelta:
        finding = Finding(Reason.CURRENT_KEY_UNUSABLE, f"Version {version}.")
        await self._fail(finding)
        return REFUSAL_DELAY

    async def refused(self, refusal: Refused) -> timedelta:
        """Azure said no: record why, keep trying slowly."""
        await self._fail(finding_of(refusal.http_status, refusal.azure_code, refusal.inner_code))
        return REFUSAL_DELAY

    async def _fail(self, finding: Finding) -> None:
        before = self._stored.value
        state = before.state if before.state is ResourceState.RELEASING else ResourceState.FAILED
        failed = replace(before, state=state, findings=(finding,))
        if failed == before:
            return
        data = data_of(failed, before=before)
        self._stored = await commit(
            self._bundle,
            failed,
            Notification.RESOURCE_FAILED,
            data,
            previous=self._stored,
            origin=self._origin,
        )
        await finish_operation(self._bundle, failed, origin=self._origin)

    async def _learn(self, plan: Plan, before: ObservedAccount, after: ObservedAccount) -> None:
        """Remember per subscription whether repeating the versionless setting moved the account at once."""
        asked = isinstance(plan.update, SetKeyVersion) and plan.update.version is None and before.follows_latest
        if not asked or self._versionless_moves is not None:
            return
        self._versionless_moves = before.current_version != after.current_version
        subscription = self._stored.value.resource_id.subscription_id
        row = await self._bundle.fleet.read_pace(subscription)
        if row.versionless_moves is None:
            # Somebody else learnt it in the same moment: nothing is lost, the memory only saves a call.
            with suppress(StaleWrite):
                await self._bundle.fleet.write_pace(replace(row, versionless_moves=self._versionless_moves))


async def _tidy(bundle: Bundle, resource: Resource, *, origin: Origin) -> None:
    """After the state: end the operation, and free the claim of what no longer depends on the key."""
    await finish_operation(bundle, resource, origin=origin)
    if not resource.is_live:
        await bundle.claims.release(
            "resource", resource.resource_id.claim, customer_id=resource.customer_id, row=resource.row
        )


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
