"""What Resource Manager says of a storage account, and the updates CrossKey can ask of it.

An update is data here, so that a plan can be shown (`whatIf`), compared and tested; the adapter spells it in
ARM's words (https://learn.microsoft.com/azure/storage/common/customer-managed-keys-overview).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.identifiers import KeyIdentifier
from shared.domain.resource_details import NewAccount

STORAGE_MANAGED = "Microsoft.Storage"
VAULT_MANAGED = "Microsoft.Keyvault"
BEING_MADE = frozenset({"creating", "resolvingdns", "accepted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedAccount:
    """A storage account's identity and encryption. ARM ids are spelled as ARM did; compare them case-folded.

    `key_version` is the setting: None or empty text means Azure's automatic update. `current_version` is the
    version really in use. Without an `encryption_identity` the account comes to the vault as itself.
    """

    resource_id: str
    location: str
    system_assigned: bool
    user_assigned: tuple[str, ...]
    key_source: str
    vault_uri: str | None = None
    key_name: str | None = None
    key_version: str | None = None
    current_key: KeyIdentifier | None = None
    rotated_at: datetime | None = None
    encryption_identity: str | None = None
    federated_client_id: str | None = None
    covered_services: tuple[str, ...] = ()
    encryption_services: tuple[str, ...] = ()
    provisioning_state: str = "Succeeded"

    @property
    def is_being_made(self) -> bool:
        """Whether its creation has not ended yet: until then it takes no updates."""
        return self.provisioning_state.lower() in BEING_MADE

    @property
    def current_version(self) -> str | None:
        """The key version in use."""
        return None if self.current_key is None else self.current_key.version

    @property
    def follows_latest(self) -> bool:
        """Whether Azure's own automatic version update is on."""
        return not self.key_version


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptWithKey:
    """Encrypt with the key: adds `identity` to those present, and sets the Key Vault properties.

    `version` None asks for Azure's automatic update (an explicit empty text on the wire); `identity` None for the
    account's system-assigned identity, which must be there.
    """

    key: KeyIdentifier
    version: str | None
    identity: str | None
    federated_client_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetKeyVersion:
    """Move an account that is already encrypted with the key; leaves identities alone. None: automatic update."""

    key: KeyIdentifier
    version: str | None
    identity: str | None
    federated_client_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnToMicrosoftManagedKeys:
    """Back to `Microsoft.Storage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveIdentity:
    """Take one user-assigned identity off the account, keeping all others."""

    identity: str


type AccountUpdate = EncryptWithKey | SetKeyVersion | ReturnToMicrosoftManagedKeys | RemoveIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAccount:
    """Make an account that is encrypted with the key from the start; Azure asks for a user-assigned identity then."""

    account: NewAccount
    encryption: EncryptWithKey


@dataclass(frozen=True, slots=True, kw_only=True)
class CreationAccepted:
    """Resource Manager is making the account and says at `poll_url` how far it is; `retry_after`: not before."""

    poll_url: str
    retry_after: timedelta | None = None
