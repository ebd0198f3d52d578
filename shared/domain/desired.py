"""What a resource should be, derived from the wishes on the customer's, the key's and its own row.

Nothing of this is stored: a change of key or a customer's leaving touches one row, and each resource finds out
when it is reconciled.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.findings import Finding
from shared.domain.identifiers import KeyIdentifier
from shared.domain.key_health import is_ready
from shared.domain.limited import is_out_of_reach, may_try_again
from shared.domain.model import Customer, Key, Resource, VersionPolicy
from shared.domain.reasons import Reason
from shared.domain.resource_details import EncryptionIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Protect:
    """Be encrypted with `key`, at `version`; `follows_latest` leaves Azure's automatic update on.

    `created` is when that version was made, where it is known; `proven` are the versions that CrossKey has seen wrap
    and unwrap. `identity` None is the account's system-assigned identity. `ready` is false while nothing new may be
    encrypted with the key; `finding` then says why.
    """

    key: KeyIdentifier
    version: str | None
    follows_latest: bool
    identity: str | None
    federated_client_id: str | None
    ready: bool
    created: datetime | None = None
    proven: frozenset[str] = frozenset()
    limited: bool = False
    """CrossKey never reached the key: Azure Storage's answer to the update is the only proof there is."""
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Go back to Microsoft-managed keys from `key`; None when that key is not registered any more."""

    key: KeyIdentifier | None = None


@dataclass(frozen=True, slots=True)
class Strand:
    """Give up: nothing is sent any more, and what still depends on the key is said to be stranded."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be derived yet."""

    finding: Finding


type Desired = Protect | Leave | Strand | Wait


def derive_desired(
    customer: Customer, key: Key | None, resource: Resource, *, identity: str, provider_tenant_id: str
) -> Desired:
    """Derive the desired state. `identity` is the pool entry's user-assigned identity, as an ARM id."""
    if customer.abandoned_at is not None:
        return Strand()
    if customer.leaving_since is not None or resource.releasing_since is not None:
        return Leave(None if key is None else key.identifier.versionless)
    if key is None:
        return Wait(Finding(Reason.KEY_NOT_REGISTERED, f"Key {resource.key}."))
    ready = is_ready(key) or may_try_again(key, resource)
    why = ", ".join(key.health.reasons) or f"verification {key.verification.state}"
    return Protect(
        key=key.identifier.versionless,
        version=key.target_version,
        follows_latest=key.version_policy is VersionPolicy.LATEST,
        identity=identity if resource.identity is EncryptionIdentity.USER_ASSIGNED else None,
        federated_client_id=None if customer.tenant_id == provider_tenant_id else customer.application,
        ready=ready,
        created=key.latest_created if key.version_policy is VersionPolicy.LATEST else None,
        proven=frozenset(canary.version for canary in key.canaries),
        limited=is_out_of_reach(key),
        finding=None if ready else Finding(Reason.KEY_NOT_READY, f"Key {key.name}: {why}."),
    )
