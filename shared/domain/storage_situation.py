"""What a storage account's next step depends on, and what it looks like: the input and output of `storage_plan`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.account_observation import VAULT_MANAGED, AccountUpdate, CreateAccount, ObservedAccount
from shared.domain.desired import Desired, Protect
from shared.domain.encryption_scopes import ObservedScope, ReleaseScope
from shared.domain.entries import EntryType
from shared.domain.identifiers import KeyIdentifier, same_arm_id
from shared.domain.model import Resource
from shared.domain.resource_details import ObservedEncryption


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything the decision depends on. `versionless_moves` is the subscription's memory of Azure's behaviour.

    `scopes` are the account's encryption scopes; None while they were not read.
    """

    resource: Resource
    desired: Desired
    seen: ObservedAccount | None
    now: datetime
    versionless_moves: bool | None = None
    scopes: tuple[ObservedScope, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The next step. Record `resource` under `entry` (None: nothing to record), then send `update` (None: done).

    Instead of an update it may `create` the account, look at `poll` how far its creation is, put a `scope` back on
    Microsoft-managed keys, or ask for the account's scopes first (`read_scopes`).

    `proof` is the version that must unwrap before the update; `look_again_after` asks for another look;
    `check_key` says that the key has a version we do not know.
    """

    resource: Resource
    entry: EntryType | None = None
    update: AccountUpdate | None = None
    create: CreateAccount | None = None
    poll: str | None = None
    scope: ReleaseScope | None = None
    read_scopes: bool = False
    proof: str | None = None
    look_again_after: timedelta | None = None
    check_key: bool = False

    @property
    def acts(self) -> bool:
        """Whether Resource Manager is asked for something about an account that is there."""
        return self.update is not None or self.scope is not None or self.read_scopes

    @property
    def writes(self) -> bool:
        """Whether something is sent that changes Azure."""
        return self.update is not None or self.create is not None or self.scope is not None


def observe(seen: ObservedAccount) -> ObservedEncryption:
    """What is recorded of an observation."""
    return ObservedEncryption(
        key_source=seen.key_source,
        key_identifier=None if seen.current_key is None else str(seen.current_key),
        version_in_use=seen.current_version,
        pinned=bool(seen.key_version),
        rotated_at=seen.rotated_at,
        coverage=seen.covered_services,
    )


def is_on_key(seen: ObservedAccount, wish: Protect) -> bool:
    """Whether the account is encrypted with the wished key, through the wished identity and application."""
    return (
        uses_same_key(seen, wish.key)
        and same_arm_id(seen.encryption_identity or "", wish.identity or "")
        and (wish.identity is not None or seen.system_assigned)
        and (seen.federated_client_id or "").lower() == (wish.federated_client_id or "").lower()
    )


def uses_same_key(seen: ObservedAccount, key: KeyIdentifier) -> bool:
    """Whether the account is encrypted with the key, whatever its version."""
    return (
        uses_vault(seen)
        and (seen.vault_uri or "").rstrip("/").lower() == key.vault_uri
        and (seen.key_name or "").lower() == key.key_name.lower()
    )


def uses_vault(seen: ObservedAccount) -> bool:
    """Whether the account is encrypted with a key of somebody's vault."""
    return seen.key_source.lower() == VAULT_MANAGED.lower()


def was_on_key(resource: Resource, key: KeyIdentifier) -> bool:
    """Whether the resource was on the key when it was last looked at."""
    recorded = None if resource.observed is None else resource.observed.key_identifier
    return recorded is not None and recorded.lower().startswith(f"{key.versionless}/".lower())


def has_identity(seen: ObservedAccount, identity: str) -> bool:
    """Whether the account carries the user-assigned identity."""
    return any(same_arm_id(present, identity) for present in seen.user_assigned)


def record(before: Resource, after: Resource, entry: EntryType, *, look_again_after: timedelta | None = None) -> Plan:
    """A plan that records `after`, if that is news."""
    if after == before:
        return Plan(resource=before, look_again_after=look_again_after)
    return Plan(resource=after, entry=entry, look_again_after=look_again_after)
