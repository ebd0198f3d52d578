"""Check one key: observe it in its vault, decide, record, and queue what follows. The same whatever woke it.

Whoever calls says nothing about why except in `origin`; `thorough` asks for a probe (wrap and unwrap by the vault),
which is otherwise made on doubt: never verified, another version than recorded, or a suspected revocation.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from shared.bundle import Bundle
from shared.domain.consequences import consequences
from shared.domain.entries import EVENT_ACTOR, SWEEP_CAUSE, Notification, Origin
from shared.domain.findings import CheckResult
from shared.domain.key_checks import judge_newer_version, run_checks
from shared.domain.key_health import KeyPlan, decide_key
from shared.domain.key_memory import LearntBy
from shared.domain.limited import is_in_service, is_out_of_reach, storage_accepted, storage_refused
from shared.domain.look import Look, owns_key
from shared.domain.model import Customer, Key, OwnershipState, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.work import WorkKind
from shared.services.commits import commit, enqueue, enqueue_all, repeat_lost_races
from shared.services.lookups import find_customer, find_key
from shared.services.observe_key import observe_key, observe_version
from shared.stores import Claim, Stored

MARGIN = timedelta(seconds=2)
"""Clocks of two workers differ: a confirming look must not come too early."""
PROPAGATION_DELAY = timedelta(seconds=60)
NAMES_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCheck:
    """A key's row after a look, and the full report of this look. `customer` is as it was read."""

    customer: Customer
    key: Stored[Key]
    checks: tuple[CheckResult, ...]

    @property
    def waits_for_role(self) -> bool:
        """Whether a role assignment may still be on its way."""
        return any(check.reason is Reason.ROLE_PROPAGATING for check in self.checks)


async def check_key(bundle: Bundle, customer_id: str, name: str, *, origin: Origin, thorough: bool = False) -> KeyCheck:
    """Check a key and answer its row with the full report of this look.

    Raises `NotFound`, `StaleWrite` after several lost races, and whatever the tables raise; what the vault and
    Microsoft Entra answer is data and raises nothing.
    """
    return await repeat_lost_races(
        lambda: _check_once(bundle, customer_id, name, origin=origin, thorough=thorough),
        customer_id=customer_id,
        row=f"key:{name}",
    )


async def _check_once(bundle: Bundle, customer_id: str, name: str, *, origin: Origin, thorough: bool) -> KeyCheck:
    customer = (await find_customer(bundle, customer_id)).value
    stored = await find_key(bundle, customer_id, name)
    seen = await observe_key(bundle, customer, stored.value, thorough=thorough)
    look = Look(customer=customer, key=stored.value, seen=seen, now=bundle.clock.now(), learnt_by=_learnt_by(origin))
    unusable = judge_newer_version(look)
    if unusable is not None and stored.value.latest_version is not None:
        # Everything stays on the version taken over; so that is the one to judge.
        seen = await observe_version(bundle, customer, stored.value, stored.value.latest_version)
        look = replace(look, seen=seen, unusable=unusable)
    if is_out_of_reach(stored.value):
        rows = [row.value for row in await bundle.state.read_resources(customer_id)]
        refused, accepted = storage_refused(stored.value, rows), storage_accepted(stored.value, rows)
        look = replace(look, storage_refused=refused, storage_accepted=accepted)
    look = replace(look, claimed_elsewhere=await _claim_if_proven(bundle, look))
    checks = run_checks(look)
    plan = decide_key(look, checks)
    told = await _told(bundle, look, plan)
    for position, step in enumerate(plan.steps, start=1):
        last = position == len(plan.steps)
        data = step.data | told.get(position, {})
        stored = await commit(bundle, step.key, step.type, data, previous=stored, origin=origin, wakes=last)
    await _follow_up(bundle, customer, stored.value, plan, origin=origin)
    return KeyCheck(customer=customer, key=stored, checks=checks)


async def _told(bundle: Bundle, look: Look, plan: KeyPlan) -> dict[int, dict[str, Any]]:
    """What announcements say beside the key itself, by the step's position: what is affected, what a loss means.

    Read once, before anything is written, and only when something is announced.
    """
    announced = {at: step for at, step in enumerate(plan.steps, start=1) if isinstance(step.type, Notification)}
    if not announced:
        return {}
    rows = [row.value for row in await bundle.state.read_resources(look.key.customer_id)]
    told: dict[int, dict[str, Any]] = {}
    for at, step in announced.items():
        names = sorted(row.name for row in rows if row.key == step.key.name and row.is_live)
        told[at] = {"affected": {"count": len(names), "resources": names[:NAMES_TOLD]}}
        if step.type is Notification.KEY_ACCESS_LOST:
            told[at]["consequences"] = consequences(look.customer, step.key, rows)
    return told


async def _live_resources(bundle: Bundle, key: Key) -> list[Resource]:
    resources = [stored.value for stored in await bundle.state.read_resources(key.customer_id)]
    return [resource for resource in resources if resource.key == key.name and resource.is_live]


async def _claim_if_proven(bundle: Bundle, look: Look) -> bool:
    """Claim the key before its ownership is recorded; true when somebody else holds it."""
    key = look.key
    if key.ownership.state is OwnershipState.PROVEN or not owns_key(look):
        return False
    return not await claim_key(bundle, key)


async def claim_key(bundle: Bundle, key: Key) -> bool:
    """Claim a key for its registration; false when somebody else holds it."""
    wanted = Claim(
        kind="key",
        identifier=key.identifier.claim,
        customer_id=key.customer_id,
        row=key.row,
        claimed_at=bundle.clock.now(),
    )
    held = await bundle.claims.claim(wanted)
    return (held.customer_id, held.row) == (wanted.customer_id, wanted.row)


def _learnt_by(origin: Origin) -> LearntBy | None:
    """Whether an event or the sweep made us look; it decides nothing but what is said of the event subscription."""
    if origin.actor == EVENT_ACTOR:
        return LearntBy.EVENT
    return LearntBy.SWEEP if origin.cause.startswith(SWEEP_CAUSE) else None


async def _follow_up(bundle: Bundle, customer: Customer, key: Key, plan: KeyPlan, *, origin: Origin) -> None:
    if plan.moves_resources:
        await queue_resources(bundle, key, origin=origin, settled=False)
    if plan.look_again_after is not None and plan.steps:
        await enqueue(
            bundle, WorkKind.CHECK_KEY, key.customer_id, key.name, origin=origin, delay=plan.look_again_after + MARGIN
        )
    unwelcomed = customer.onboarded_at is None and is_in_service(key)
    if (plan.consent is not None and plan.consent is not customer.consent.state) or unwelcomed:
        await enqueue(bundle, WorkKind.CHECK_CUSTOMER, key.customer_id, origin=origin)


async def queue_resources(bundle: Bundle, key: Key, *, origin: Origin, settled: bool = True) -> None:
    """Queue a look at every live resource of a key; without those `settled` on the version they should be on."""
    resources = await _live_resources(bundle, key)
    names = [resource.name for resource in resources if settled or not _is_settled(resource, key)]
    await enqueue_all(bundle, WorkKind.RECONCILE_RESOURCE, key.customer_id, names, origin=origin)


def _is_settled(resource: Resource, key: Key) -> bool:
    observed = resource.observed
    return (
        resource.state is ResourceState.PROTECTED
        and observed is not None
        and observed.version_in_use == key.target_version
        and all(finding.reason is not Reason.KEY_NOT_READY for finding in resource.findings)
    )
