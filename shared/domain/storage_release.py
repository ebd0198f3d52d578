"""Leaving a key: the account's encryption scopes first, then the account, then the identity that CrossKey added.

Part of `storage_plan`; pure. Each step first proves that the version it leaves still unwraps. Whether scopes are left
is read again after the account's own update, so that a release is never declared on an old picture.
"""

from dataclasses import replace

from shared.domain.account_observation import ObservedAccount, RemoveIdentity, ReturnToMicrosoftManagedKeys
from shared.domain.desired import Leave
from shared.domain.encryption_scopes import ReleaseScope, scopes_on
from shared.domain.entries import Notification, Record
from shared.domain.findings import Finding
from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.domain.storage_situation import Plan, Situation, has_identity, observe, uses_same_key, uses_vault

UNKNOWN_VERSION = "unknown"


def leave(situation: Situation, wish: Leave, seen: ObservedAccount) -> Plan:
    """Choose the next step of a release."""
    resource, entry = situation.resource, None
    if resource.state is not ResourceState.RELEASING:
        resource, entry = replace(resource, state=ResourceState.RELEASING, findings=()), Record.RESOURCE_RELEASING
    if situation.scopes is None:
        return Plan(resource=resource, entry=entry, read_scopes=True)
    key = wish.key or seen.current_key
    scopes = [] if key is None else scopes_on(situation.scopes, key)
    if scopes:
        # Each scope is written down before it is changed: the timeline is the evidence of how a key was left.
        return Plan(
            resource=resource,
            entry=entry or Record.RESOURCE_UPDATING,
            scope=ReleaseScope(name=scopes[0].name),
            proof=scopes[0].version or UNKNOWN_VERSION,
        )
    on_vault_key = uses_vault(seen)
    # A key that is not registered any more cannot be proven, so that a person is asked instead of letting go.
    if on_vault_key and (wish.key is None or uses_same_key(seen, wish.key)):
        update = ReturnToMicrosoftManagedKeys()
        proof = seen.current_version or seen.key_version or UNKNOWN_VERSION
        return Plan(resource=resource, entry=entry, update=update, proof=proof)
    if resource.identity_added is not None and not on_vault_key and has_identity(seen, resource.identity_added):
        return Plan(resource=resource, entry=entry, update=RemoveIdentity(identity=resource.identity_added))
    findings = (Finding(Reason.ANOTHER_KEY_IN_USE, f"{seen.current_key or seen.vault_uri}."),) if on_vault_key else ()
    released = replace(
        resource,
        state=ResourceState.RELEASED,
        identity_added=None,
        rotation=None,
        attention=None,
        findings=findings,
        observed=observe(seen),
        observed_at=situation.now,
    )
    return Plan(resource=released, entry=Notification.RESOURCE_RELEASED)
