"""The sweep's resources: compare what Resource Manager lists with what is recorded, and queue what differs.

Lists are cheap (one call for many accounts), but whether they carry the version in use is not documented; so a
list only raises a suspicion, and the reconciler confirms it by reading the account.
"""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from shared.bundle import Bundle
from shared.domain.account_observation import ObservedAccount
from shared.domain.entries import Origin
from shared.domain.identifiers import MalformedIdentifier, StorageAccountId
from shared.domain.model import Customer, Key, Resource
from shared.domain.storage_plan import decide_account
from shared.domain.storage_situation import Situation
from shared.domain.work import WorkKind
from shared.errors import CrossKeyError
from shared.services.commits import enqueue
from shared.services.resources import desired_of
from shared.stores import Stored
from shared.telemetry import Event, log_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged:
    """A resource recorded as protected, with the rows that decide what it should be."""

    customer: Customer
    key: Stored[Key] | None
    resource: Resource


async def queue_differing(bundle: Bundle, converged: Iterable[Converged], *, origin: Origin) -> int:
    """Queue every resource whose listed state asks for a step; answers how many."""
    by_subscription: dict[str, list[Converged]] = defaultdict(list)
    for item in converged:
        by_subscription[item.resource.resource_id.subscription_id].append(item)
    queued = 0
    for subscription, items in by_subscription.items():
        try:
            listed = await _list(bundle, subscription)
        except CrossKeyError as error:
            log_event(Event.SUBSCRIPTION_UNLISTED, subscription=subscription, code=error.code)
            continue
        for item in items:
            try:
                differs = await _differs(bundle, item, listed.get(item.resource.resource_id.claim))
            except CrossKeyError as error:
                # One customer's fault, such as a pool application that left the settings, is not the range's.
                resource = item.resource
                log_event(
                    Event.RESOURCE_UNOBSERVED,
                    customer_id=resource.customer_id,
                    resource=resource.name,
                    code=error.code,
                )
                continue
            if differs:
                queued += 1
                await enqueue(
                    bundle,
                    WorkKind.RECONCILE_RESOURCE,
                    item.resource.customer_id,
                    item.resource.name,
                    origin=origin,
                )
    return queued


async def _list(bundle: Bundle, subscription: str) -> dict[str, ObservedAccount]:
    listed: dict[str, ObservedAccount] = {}
    async for account in bundle.accounts.read_subscription(subscription):
        # The subscription holds accounts that are none of ours, in groups with names that we would not accept.
        with suppress(MalformedIdentifier):
            listed[StorageAccountId.parse(account.resource_id).claim] = account
    return listed


async def _differs(bundle: Bundle, item: Converged, seen: ObservedAccount | None) -> bool:
    desired = await desired_of(bundle, item.customer, item.resource, key=item.key)
    situation = Situation(resource=item.resource, desired=desired, seen=seen, now=bundle.clock.now())
    plan = decide_account(situation)
    return plan.entry is not None or plan.update is not None or plan.look_again_after is not None or plan.read_scopes
