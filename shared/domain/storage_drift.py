"""Drift: somebody else changed a storage account's encryption. Announced, and repaired unless its policy is to report.

A repair first proves that the key still works, is recorded before it is sent, and is tried three times in a day; then
a person is asked. Part of `storage_plan`; pure.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.account_observation import AccountUpdate, ObservedAccount
from shared.domain.desired import Protect
from shared.domain.entries import Notification, Record
from shared.domain.findings import Finding
from shared.domain.model import DriftPolicy, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.storage_situation import Plan, Situation, has_identity, observe, record

REPAIR_WINDOW = timedelta(hours=24)
MAX_REPAIRS = 3


def drift(situation: Situation, seen: ObservedAccount, detail: str) -> Plan:
    """Record what somebody else did; the repair, where wanted, comes at the next look."""
    resource = situation.resource
    drifted = replace(
        resource,
        state=ResourceState.DRIFTED,
        findings=(Finding(Reason.DRIFTED, detail),),
        observed=observe(seen),
        observed_at=situation.now,
    )
    repairs = resource.drift_policy is DriftPolicy.REPAIR
    return record(resource, drifted, Notification.RESOURCE_DRIFTED, look_again_after=timedelta() if repairs else None)


def repair(situation: Situation, wish: Protect, seen: ObservedAccount, update: AccountUpdate) -> Plan:
    """Undo it, within limits, while the key is ready."""
    resource = situation.resource
    recent = recent_repairs(resource, situation.now)
    if resource.drift_policy is DriftPolicy.REPORT or not wish.ready:
        return Plan(resource=resource)
    if len(recent) >= MAX_REPAIRS:
        finding = Finding(Reason.REPAIRS_EXHAUSTED)
        if finding in resource.findings:
            return Plan(resource=resource)
        exhausted = replace(resource, findings=(*resource.findings, finding))
        return record(resource, exhausted, Notification.ATTENTION_NEEDED)
    repairing = replace(
        resource,
        state=ResourceState.APPLYING,
        identity_added=identity_added(resource, wish, seen),
        repairs=(*recent, situation.now),
        findings=(),
    )
    return Plan(resource=repairing, entry=Record.RESOURCE_APPLYING, update=update, proof=wish.version)


def without_identity(situation: Situation, seen: ObservedAccount) -> Plan:
    """The account is to use the key as itself and has no identity. CrossKey cannot give one that the vault knows."""
    resource = situation.resource
    if resource.state is ResourceState.PROTECTED:
        return drift(situation, seen, "Its system-assigned identity was taken off.")
    blocked = replace(
        resource,
        state=ResourceState.BLOCKED,
        findings=(Finding(Reason.SYSTEM_IDENTITY_MISSING),),
        observed=observe(seen),
        observed_at=situation.now,
    )
    if replace(blocked, observed_at=resource.observed_at) == resource:
        return Plan(resource=resource)
    return record(resource, blocked, Record.RESOURCE_OBSERVED)


def recent_repairs(resource: Resource, now: datetime) -> tuple[datetime, ...]:
    """The repairs of the last 24 hours."""
    return tuple(at for at in resource.repairs if now - at < REPAIR_WINDOW)


def moved_by_hand(resource: Resource, seen: ObservedAccount) -> bool:
    """Whether the version differs from the recorded one and neither CrossKey nor Azure's automatic update did it."""
    recorded = resource.observed
    if resource.state is not ResourceState.PROTECTED or recorded is None or recorded.version_in_use is None:
        return False
    by_azure = seen.follows_latest and not recorded.pinned
    return seen.current_version != recorded.version_in_use and not by_azure


def identity_added(resource: Resource, wish: Protect, seen: ObservedAccount) -> str | None:
    """The identity that the release takes off again: the one that the next update puts on."""
    there = wish.identity is None or has_identity(seen, wish.identity)
    return resource.identity_added or (None if there else wish.identity)
