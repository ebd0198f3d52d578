"""Decides the next step of a storage account from its wish, its record and one observation. Pure.

A plan says what to record first and which one update to send then; the answer to the update is the next
observation, and the same function is asked again until nothing differs. What a crash must not forget (an identity
about to be added, a version about to be pinned) is recorded before the update that causes it.

Rules that keep data readable:
- leaving a key or repairing drift first proves that the version in use still unwraps (`proof`);
- a version that Azure chose itself and CrossKey has not verified yet is never moved back: the key is looked at;
- an account that somebody put on another key is not taken over unless it was ours before.
"""

from dataclasses import replace
from datetime import timedelta

from shared.domain.account_observation import (
    ObservedAccount,
    SetKeyVersion,
)
from shared.domain.desired import Leave, Protect, Strand, Wait
from shared.domain.entries import Notification, Record
from shared.domain.findings import Finding
from shared.domain.model import DriftPolicy, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.resource_details import Rotation
from shared.domain.storage_creation import arrived, creation_step, encryption
from shared.domain.storage_drift import drift, identity_added, moved_by_hand, repair, without_identity
from shared.domain.storage_release import leave
from shared.domain.storage_situation import (
    Plan,
    Situation,
    is_on_key,
    observe,
    record,
    uses_same_key,
    uses_vault,
    was_on_key,
)

MISSING_CONFIRMATION = timedelta(seconds=60)
COVERABLE = ("blob", "file", "queue", "table")


def decide_account(situation: Situation) -> Plan:
    """Choose the next step."""
    resource, seen = situation.resource, situation.seen
    making = creation_step(situation)
    if making is not None:
        return making
    if seen is None:
        return _missing(situation)
    if resource.missing_since is None and resource.creation is None:
        return _decide(situation, seen)
    plan = _decide(replace(situation, resource=arrived(resource, seen)), seen)
    # That it is there must be recorded even when nothing else is news: a later 404 counts from its own beginning.
    return plan if plan.entry is not None else replace(plan, entry=Record.RESOURCE_OBSERVED)


def _decide(situation: Situation, seen: ObservedAccount) -> Plan:
    desired = situation.desired
    match desired:
        case Leave():
            return leave(situation, desired, seen)
        case Strand():
            return _strand(situation, seen)
        case Wait(finding):
            return _settle(situation, seen, ResourceState.BLOCKED, (finding,))
        case Protect():
            return _protect(situation, desired, seen)


def _missing(situation: Situation) -> Plan:
    """404: gone only when seen twice, and only when it had ever been there."""
    resource, now = situation.resource, situation.now
    leaving = isinstance(situation.desired, Leave)
    released = replace(
        resource, state=ResourceState.RELEASED, identity_added=None, rotation=None, findings=(), observed_at=now
    )
    released = replace(released, creation=None)
    if resource.observed is None and resource.creation is None and leaving:
        return record(resource, released, Notification.RESOURCE_RELEASED)
    if resource.observed is None and resource.creation is None:
        blocked = replace(resource, state=ResourceState.BLOCKED, findings=(Finding(Reason.RESOURCE_NOT_FOUND),))
        return record(resource, blocked, Record.RESOURCE_OBSERVED)
    if resource.missing_since is None:
        return record(
            resource,
            replace(resource, missing_since=now),
            Record.RESOURCE_OBSERVED,
            look_again_after=MISSING_CONFIRMATION,
        )
    if now - resource.missing_since < MISSING_CONFIRMATION:
        return Plan(resource=resource, look_again_after=MISSING_CONFIRMATION)
    if leaving:
        return record(resource, released, Notification.RESOURCE_RELEASED)
    gone = replace(resource, state=ResourceState.GONE, findings=(Finding(Reason.RESOURCE_NOT_FOUND),), observed_at=now)
    return record(resource, gone, Notification.RESOURCE_GONE)


def _strand(situation: Situation, seen: ObservedAccount) -> Plan:
    """The key was given up: say how the account stands, and send nothing."""
    resource, scopes = situation.resource, situation.scopes
    if scopes is None:
        return Plan(resource=resource, read_scopes=True)
    depends = uses_vault(seen) or any(scope.uses_vault for scope in scopes)
    ended = replace(
        resource,
        state=ResourceState.STRANDED if depends else ResourceState.RELEASED,
        rotation=None,
        attention=None,
        findings=(Finding(Reason.CURRENT_KEY_UNUSABLE, "The key was given up."),) if depends else (),
        observed=observe(seen),
        observed_at=situation.now,
    )
    return Plan(resource=ended, entry=Record.RESOURCE_STRANDED if depends else Notification.RESOURCE_RELEASED)


def _protect(situation: Situation, wish: Protect, seen: ObservedAccount) -> Plan:
    if wish.identity is None and not seen.system_assigned:
        return without_identity(situation, seen)
    if not is_on_key(seen, wish):
        return _take_back(situation, wish, seen)
    if wish.version is not None and seen.current_version != wish.version:
        return _move(situation, wish, seen)
    if wish.follows_latest is not seen.follows_latest:
        return _follow(situation, wish, seen)
    return _converged(situation, seen)


def _take_back(situation: Situation, wish: Protect, seen: ObservedAccount) -> Plan:
    """The account is not on the key: it never was, or somebody else changed it."""
    resource = situation.resource
    lost = was_on_key(resource, wish.key) and not uses_same_key(seen, wish.key)
    match resource.state:
        case ResourceState.PROTECTED:
            return drift(situation, seen, f"Found {seen.current_key or seen.key_source}.")
        case ResourceState.FAILED | ResourceState.APPLYING | ResourceState.BLOCKED if lost:
            # It was ours when an update was refused or cut short, and somebody moved it since.
            return drift(situation, seen, f"Found {seen.current_key or seen.key_source}.")
        case ResourceState.DRIFTED:
            return repair(situation, wish, seen, encryption(wish))
        case _:
            return _encrypt(situation, wish, seen)


def _encrypt(situation: Situation, wish: Protect, seen: ObservedAccount) -> Plan:
    resource = situation.resource
    if not wish.ready:
        return _settle(situation, seen, ResourceState.BLOCKED, _findings(wish))
    on_another = uses_vault(seen) and not uses_same_key(seen, wish.key)
    # Only a repair that was begun goes on, however long it was held up (a revoked key, a lock): what was never ours
    # is not taken over, even halfway through.
    repairing = bool(resource.repairs) and resource.drift_policy is DriftPolicy.REPAIR
    if on_another and not repairing:
        finding = Finding(Reason.ANOTHER_KEY_IN_USE, f"{seen.current_key or seen.vault_uri}.")
        return _settle(situation, seen, ResourceState.BLOCKED, (finding,))
    update, proof = encryption(wish), wish.version if repairing else None
    added = identity_added(resource, wish, seen)
    if resource.state in (ResourceState.APPLYING, ResourceState.FAILED) and added == resource.identity_added:
        return Plan(resource=resource, update=update, proof=proof)
    applying = replace(
        resource,
        state=ResourceState.APPLYING,
        identity_added=added,
        findings=(),
        observed=observe(seen),
        observed_at=situation.now,
    )
    return Plan(resource=applying, entry=Record.RESOURCE_APPLYING, update=update, proof=proof)


def _move(situation: Situation, wish: Protect, seen: ObservedAccount) -> Plan:
    """The account is on the key but on another version than wished."""
    resource = situation.resource
    if wish.follows_latest and seen.follows_latest and _is_ahead(resource, wish, seen):
        return replace(_converged(situation, seen), check_key=True)
    if resource.state is ResourceState.DRIFTED:
        return repair(situation, wish, seen, _set_version(wish, wish.version))
    if resource.rotation is None and moved_by_hand(resource, seen):
        return drift(situation, seen, f"Version {seen.current_version} was set.")
    if wish.version is None or not wish.ready:
        return _settle(situation, seen, ResourceState.PROTECTED, _findings(wish))
    return _rotate(situation, wish, wish.version, seen)


def _is_ahead(resource: Resource, wish: Protect, seen: ObservedAccount) -> bool:
    """Whether Azure took a version by itself that CrossKey must look at first.

    Azure takes the newest version there is. So what it took before the wished one was made is older than that.
    """
    if seen.rotated_at is not None and wish.created is not None and seen.rotated_at < wish.created:
        return False
    known = None if resource.observed is None else resource.observed.version_in_use
    return seen.current_version != known or seen.current_version not in wish.proven


def _rotate(situation: Situation, wish: Protect, version: str, seen: ObservedAccount) -> Plan:
    """Move to the version: by Azure's own look-up where that works, else by pinning, which is recorded first."""
    resource, update = situation.resource, _set_version(wish, version)
    if resource.rotation is not None and resource.rotation.version == version:
        return Plan(resource=resource, update=update)
    if wish.follows_latest and seen.follows_latest and situation.versionless_moves is not False:
        return Plan(resource=resource, update=_set_version(wish, None))
    rotating = replace(resource, rotation=Rotation(version=version, begun_at=situation.now))
    return Plan(resource=rotating, entry=Record.RESOURCE_ROTATING, update=update)


def _follow(situation: Situation, wish: Protect, seen: ObservedAccount) -> Plan:
    """On the wished version, but pinned or following against the policy: finish our own change, or undo another's."""
    resource, recorded = situation.resource, situation.resource.observed
    update = _set_version(wish, None if wish.follows_latest else wish.version)
    if resource.state is ResourceState.DRIFTED:
        return repair(situation, wish, seen, update)
    ours = resource.rotation is not None or recorded is None or recorded.pinned is not seen.follows_latest
    if ours or resource.state is not ResourceState.PROTECTED:
        return Plan(resource=resource, update=update)
    found = "Azure's automatic update was on." if seen.follows_latest else f"Version {seen.key_version} was pinned."
    return drift(situation, seen, found)


def _converged(situation: Situation, seen: ObservedAccount) -> Plan:
    resource = situation.resource
    before = resource.observed
    uncovered = tuple(service for service in COVERABLE if service not in seen.covered_services)
    findings = (Finding(Reason.SERVICES_NOT_COVERED, f"{', '.join(uncovered)}."),) if uncovered else ()
    after = replace(
        resource,
        state=ResourceState.PROTECTED,
        findings=findings,
        observed=observe(seen),
        observed_at=situation.now,
        rotation=None,
        queued_until=None,
        refusals=0,
        attention=None,
    )
    if replace(after, observed_at=resource.observed_at) == resource:
        return Plan(resource=resource)
    # A refused rotation that succeeds later is still a rotation: the account never left the key.
    stayed = resource.state is ResourceState.FAILED and before is not None and before.version_in_use is not None
    if resource.state is not ResourceState.PROTECTED and not stayed:
        return record(resource, after, Notification.RESOURCE_PROTECTED)
    if before is None or before.version_in_use != seen.current_version:
        return record(resource, after, Notification.RESOURCE_ROTATED)
    return record(resource, after, Record.RESOURCE_OBSERVED)


def _settle(situation: Situation, seen: ObservedAccount, state: ResourceState, findings: tuple[Finding, ...]) -> Plan:
    """Nothing can be done now: record the state and why, if that is news."""
    resource = situation.resource
    after = replace(resource, state=state, findings=findings, observed=observe(seen), observed_at=situation.now)
    if replace(after, observed_at=resource.observed_at) == resource:
        return Plan(resource=resource)
    arrived = state is ResourceState.PROTECTED and resource.state is not ResourceState.PROTECTED
    return record(resource, after, Notification.RESOURCE_PROTECTED if arrived else Record.RESOURCE_OBSERVED)


def _set_version(wish: Protect, version: str | None) -> SetKeyVersion:
    return SetKeyVersion(
        key=wish.key, version=version, identity=wish.identity, federated_client_id=wish.federated_client_id
    )


def _findings(wish: Protect) -> tuple[Finding, ...]:
    return () if wish.finding is None else (wish.finding,)
