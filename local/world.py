"""The state of the local Azure: tenants, identities, vaults with real keys, accounts, event subscriptions.

Plain mutable dataclasses, changed only by the services (as a caller asks through Azure's own APIs) and by
the control API (as a test or the demo seeds and disturbs the world). Lives in one process; nothing is persisted.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.clock import Clock


@dataclass
class ServicePrincipal:
    """An application's presence in one tenant."""

    client_id: str
    object_id: str
    enabled: bool = True
    blocked_by_policy: bool = False
    app_roles: list[str] = field(default_factory=list)
    """Roles of the API's application granted to it: the `roles` claim of its tokens for that application."""


@dataclass
class Tenant:
    """A Microsoft Entra tenant; service principals by client id."""

    tenant_id: str
    display_name: str
    service_principals: dict[str, ServicePrincipal] = field(default_factory=dict)
    removed_service_principals: set[str] = field(default_factory=set)
    """Client ids that were here once; Entra answers for them differently than for unknown ones."""


@dataclass
class FederatedCredential:
    """A federated identity credential of an application. Matching is case-sensitive."""

    name: str
    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


@dataclass
class Application:
    """An application registration in its home tenant."""

    client_id: str
    tenant_id: str
    display_name: str
    multitenant: bool = True
    redirect_uris: list[str] = field(default_factory=list)
    federated_credentials: list[FederatedCredential] = field(default_factory=list)
    identifier_uri: str | None = None
    secrets: list[str] = field(default_factory=list)


@dataclass
class ManagedIdentity:
    """A user-assigned managed identity."""

    resource_id: str
    client_id: str
    principal_id: str
    tenant_id: str


@dataclass
class RoleAssignment:
    """A role given to a principal at a scope (an ARM id; for vaults also `{vault id}/keys/{name}`)."""

    principal_id: str
    role: str
    scope: str
    name: str = field(default_factory=lambda: str(uuid.uuid4()))
    effective_at: datetime | None = None
    """When the grant takes effect (Azure needs minutes); None: at once."""


@dataclass
class AccessPolicy:
    """Key permissions of one principal under the older access-policy model, such as `get`, `wrapKey`."""

    object_id: str
    permissions: set[str]


@dataclass
class Firewall:
    """A vault's network rules."""

    default_action: str = "Allow"
    bypass: str = "AzureServices"
    allowed_addresses: list[str] = field(default_factory=list)


@dataclass
class KeyVersion:
    """One version of a key with its real private key. Times are Unix seconds."""

    version: str
    private_key: RSAPrivateKey | EllipticCurvePrivateKey
    kty: str
    key_ops: list[str]
    created: int
    updated: int
    enabled: bool = True
    nbf: int | None = None
    exp: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    near_expiry_raised: bool = False
    expired_raised: bool = False


@dataclass
class VaultKey:
    """A key: its versions in order of creation, the newest last."""

    name: str
    versions: list[KeyVersion] = field(default_factory=list)
    rotation_policy: dict[str, Any] | None = None
    deleted_at: datetime | None = None
    scheduled_purge_at: datetime | None = None


@dataclass
class Vault:
    """A key vault in a customer's (or the provider's) tenant."""

    name: str
    resource_id: str
    tenant_id: str
    location: str
    soft_delete_days: int = 90
    purge_protection: bool = False
    rbac: bool = True
    access_policies: list[AccessPolicy] = field(default_factory=list)
    firewall: Firewall = field(default_factory=Firewall)
    keys: dict[str, VaultKey] = field(default_factory=dict)
    deleted_keys: dict[str, VaultKey] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    transactions_per_10_seconds: int = 4000


@dataclass
class WrappedAccountKey:
    """The account encryption key as the storage account keeps it: wrapped by one key version."""

    key_identifier: str
    wrapped: bytes


@dataclass
class ScopeKey:
    """The key of one encryption scope, and how it is wrapped where the scope is on a Key Vault key."""

    key: bytes
    wrapped: WrappedAccountKey | None = None
    last_version_check: datetime | None = None


@dataclass
class StorageAccount:
    """A storage account: the ARM document as GET answers it, and the account encryption key."""

    resource_id: str
    document: dict[str, Any]
    account_key: bytes
    wrapped_key: WrappedAccountKey | None = None
    last_version_check: datetime | None = None
    encryption_scopes: list[dict[str, Any]] = field(default_factory=list)
    scope_keys: dict[str, ScopeKey] = field(default_factory=dict)
    creating_until: datetime | None = None


@dataclass
class EventSubscription:
    """An Event Grid subscription on a vault. Schema is `EventGridSchema` or `CloudEventSchemaV1_0`."""

    name: str
    vault_id: str
    endpoint_url: str
    schema: str = "EventGridSchema"
    delivery_headers: dict[str, str] = field(default_factory=dict)
    included_event_types: list[str] | None = None
    provisioning_state: str = "Succeeded"


@dataclass
class EventGridBehaviour:
    """How deliveries misbehave, on demand."""

    copies: int = 1
    shuffled: bool = False
    held: bool = False
    handshakes_carry_headers: bool = True
    """Whether a handshake has the subscription's delivery headers; Azure documents them for events only."""


@dataclass
class PendingDelivery:
    """An event that still has to reach one subscription's endpoint. `event` is in the Event Grid schema."""

    subscription: EventSubscription
    event: dict[str, Any]
    raised_at: datetime
    due_at: datetime
    attempts: int = 0


@dataclass
class ArmThrottling:
    """Resource Manager's token buckets per subscription and principal: bucket size, and tokens a second."""

    enabled: bool = True
    write_bucket: int = 200
    writes_per_second: float = 10
    read_bucket: int = 250
    reads_per_second: float = 25
    sends_retry_after: bool = True


def _new_signing_key() -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class World:
    """Everything the local Azure knows."""

    clock: Clock
    tenants: dict[str, Tenant] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    managed_identities: dict[str, ManagedIdentity] = field(default_factory=dict)
    """By resource id, case-folded."""
    role_assignments: list[RoleAssignment] = field(default_factory=list)
    vaults: dict[str, Vault] = field(default_factory=dict)
    """By name, lower case."""
    storage_accounts: dict[str, StorageAccount] = field(default_factory=dict)
    """By resource id, case-folded."""
    subscriptions: dict[str, str] = field(default_factory=dict)
    """Azure subscriptions: id to tenant id. One that is missing here exists if a resource lies in it."""
    resource_groups: set[str] = field(default_factory=set)
    """ARM ids, case-folded, of groups that hold no resource yet. Others exist by what lies in them."""
    event_subscriptions: list[EventSubscription] = field(default_factory=list)
    event_grid: EventGridBehaviour = field(default_factory=EventGridBehaviour)
    pending_deliveries: list[PendingDelivery] = field(default_factory=list)
    topic_events: list[dict[str, Any]] = field(default_factory=list)
    """CloudEvents ingested by the provider's topic, in order of arrival."""
    topic_sender_role_required: bool = False
    arm_throttling: ArmThrottling = field(default_factory=ArmThrottling)
    client_address: str = "203.0.113.10"
    """The public address from which every caller on this machine seems to come; vault firewalls look at it."""
    role_propagation_seconds: int = 0
    """How long a role granted through Resource Manager takes to work."""
    access_policy_refusal: str = "ForbiddenByPolicy"
    """The inner code of a missing access-policy permission; `AccessDenied` is seen as well."""
    vault_pages_begin_empty: bool = False
    """Whether a vault's lists begin with an empty page that has a next link, as recorded of Azure."""
    versionless_patch_looks_up: bool = False
    """Whether repeating a versionless PATCH makes Storage look for a newer version. False is the harsher guess."""
    create_seconds: int = 17
    """How long the creation of a storage account takes, and the Retry-After it announces."""
    proxy_url: str = ""
    """The edge's proxy, through which Event Grid reaches webhooks, as everybody reaches everything."""
    ca_file: Path | None = None
    """The certificate authority that speaks for every host behind the proxy."""
    signing_key: RSAPrivateKey = field(default_factory=_new_signing_key)
    """Signs every token of the local Entra."""
