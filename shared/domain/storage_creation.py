"""Makes a storage account where there is none: asked for once it is recorded, then looked at until it is there. Pure.

An account is asked for again only while no request for it was accepted: such a request repeated for the same name is
the same request. Once one was accepted, or the account was seen, it is never made again. Part of `storage_plan`.
"""

from dataclasses import replace
from datetime import timedelta

from shared.domain.account_observation import CreateAccount, EncryptWithKey, ObservedAccount
from shared.domain.desired import Protect, Wait
from shared.domain.entries import Record
from shared.domain.findings import Finding
from shared.domain.model import Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.resource_details import Creation
from shared.domain.storage_situation import Plan, Situation, observe, record

LOOK_AGAIN = timedelta(seconds=10)
"""Where Resource Manager does not say when to look again."""


def creation_step(situation: Situation) -> Plan | None:
    """The next step of an account that is to be made or is being made; None for every other account."""
    resource, seen, creation = situation.resource, situation.seen, situation.resource.creation
    if seen is not None and not seen.is_being_made:
        return None
    accepted_at = None if creation is None else creation.poll_url
    if accepted_at is not None and resource.missing_since is None:
        return Plan(resource=resource, poll=accepted_at)
    if seen is not None:
        return Plan(resource=resource, look_again_after=LOOK_AGAIN)
    # An address that answered 404 is not asked again: either the account turns up, or it is gone.
    return _begin(situation) if accepted_at is None and resource.observed is None else None


def _begin(situation: Situation) -> Plan | None:
    resource, desired = situation.resource, situation.desired
    if resource.create is None:
        return None
    match desired:
        case Wait(finding):
            return _blocked(resource, finding)
        case Protect() if not desired.ready:
            return _blocked(resource, desired.finding or Finding(Reason.KEY_NOT_READY))
        case Protect():
            return _make(situation, desired, CreateAccount(account=resource.create, encryption=encryption(desired)))
        case _:
            return None


def encryption(wish: Protect) -> EncryptWithKey:
    """The settings that put an account on the wished key."""
    return EncryptWithKey(
        key=wish.key,
        version=None if wish.follows_latest else wish.version,
        identity=wish.identity,
        federated_client_id=wish.federated_client_id,
    )


def accepted(resource: Resource, poll_url: str) -> Resource:
    """The record once Resource Manager took the request: from now on it is not sent again."""
    return replace(
        resource, creation=None if resource.creation is None else replace(resource.creation, poll_url=poll_url)
    )


def ended_in_vain(resource: Resource) -> Resource:
    """The record once Resource Manager said that it did not make the account: it may be asked for again."""
    return replace(resource, creation=None if resource.creation is None else replace(resource.creation, poll_url=None))


def arrived(resource: Resource, seen: ObservedAccount) -> Resource:
    """The record of an account that is there: one that was made, or one that was missing for a while."""
    there = replace(resource, missing_since=None)
    if resource.creation is None:
        return there
    return replace(_under_way(there), creation=None, observed=resource.observed or observe(seen))


def _make(situation: Situation, wish: Protect, create: CreateAccount) -> Plan:
    resource = situation.resource
    creation = resource.creation or Creation(begun_at=situation.now)
    making = replace(resource, creation=creation, identity_added=wish.identity)
    if resource.state is not ResourceState.FAILED:
        making = _under_way(making)
    return Plan(resource=making, entry=None if making == resource else Record.RESOURCE_CREATING, create=create)


def _under_way(resource: Resource) -> Resource:
    if resource.state is ResourceState.RELEASING:
        return resource
    return replace(resource, state=ResourceState.APPLYING, findings=())


def _blocked(resource: Resource, finding: Finding) -> Plan:
    blocked = replace(resource, state=ResourceState.BLOCKED, findings=(finding,))
    return record(resource, blocked, Record.RESOURCE_OBSERVED)
