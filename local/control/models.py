"""Bodies and answers of the control API. Unknown members are refused; names on the wire are camelCase."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from local import names

Guid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
ResourceId = Annotated[str, Field(pattern=r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/.+[^/]$")]


class Model(BaseModel):
    """Strict, camelCase on the wire."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True, allow_inf_nan=False
    )


class ClockChange(Model):
    """Moves world time forward."""

    advance_seconds: Annotated[float, Field(ge=0, le=10 * 366 * 86400)]


class ClockState(Model):
    """World time, and how far it is ahead of real time."""

    now: datetime
    offset_seconds: float


class FaultSpec(Model):
    """A fault to inject. `service`, `operation` and `host` are globs; `times` None strikes until it is removed."""

    kind: Literal["latency", "status", "drop", "malformed", "hang"]
    service: str = "*"
    operation: str = "*"
    host: str = "*"
    when: Literal["before", "after"] = "before"
    latency_seconds: Annotated[float, Field(ge=0, le=300)] = 0.0
    status: Annotated[int, Field(ge=200, le=599)] = 503
    code: str | None = None
    message: str = "A fault was injected here."
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)
    times: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0


class FaultState(FaultSpec):
    """A fault in force: what is left of it and how often it struck."""

    id: str
    remaining: int | None
    struck: int


class TenantSpec(Model):
    """A Microsoft Entra tenant."""

    display_name: str


class ServicePrincipalSpec(Model):
    """An application's presence in a tenant; members left out stay as they are."""

    object_id: Guid | None = None
    enabled: bool | None = None
    blocked_by_policy: bool | None = None
    app_roles: list[str] | None = None


class ApplicationSpec(Model):
    """An application registration."""

    tenant_id: Guid
    display_name: str
    multitenant: bool = True
    redirect_uris: list[str] = Field(default_factory=list)
    identifier_uri: str | None = None
    secrets: list[str] = Field(default_factory=list)


class IdentitySpec(Model):
    """A user-assigned managed identity."""

    resource_id: ResourceId
    client_id: Guid
    principal_id: Guid
    tenant_id: Guid = names.PROVIDER_TENANT_ID


class FederatedCredentialSpec(Model):
    """A federated identity credential of an application."""

    application_client_id: Guid
    name: Annotated[str, Field(min_length=3, max_length=120)]
    issuer: str
    subject: str
    audience: str = names.TOKEN_EXCHANGE_AUDIENCE


class RoleAssignmentSpec(Model):
    """A role, by name, for a principal at a scope."""

    principal_id: Guid
    role: str
    scope: Annotated[str, Field(pattern=r"^/")]


class AccessPolicySpec(Model):
    """Key permissions of a principal under the access-policy model."""

    object_id: Guid
    permissions: list[str]


class FirewallSpec(Model):
    """A vault's network rules."""

    default_action: Literal["Allow", "Deny"] = "Allow"
    bypass: Literal["AzureServices", "None"] = "AzureServices"
    allowed_addresses: list[str] = Field(default_factory=list)


class VaultSpec(Model):
    """A key vault. For one that exists, members left out stay as they are; a new one needs its tenant."""

    tenant_id: Guid | None = None
    resource_id: ResourceId | None = None
    location: str | None = None
    soft_delete_days: Annotated[int, Field(ge=7, le=90)] | None = None
    purge_protection: bool | None = None
    rbac: bool | None = None
    access_policies: list[AccessPolicySpec] | None = None
    firewall: FirewallSpec | None = None
    tags: dict[str, str] | None = None


class IdentityOfResource(Model):
    """The identity block of a resource."""

    type: Literal["None", "SystemAssigned", "UserAssigned", "SystemAssigned,UserAssigned"]
    user_assigned_identities: list[ResourceId] = Field(default_factory=list)


class StorageAccountSpec(Model):
    """A storage account with Microsoft-managed keys."""

    resource_id: ResourceId
    location: str = names.LOCATION
    tags: dict[str, str] = Field(default_factory=dict)
    identity: IdentityOfResource | None = None


class EventSubscriptionSpec(Model):
    """An Event Grid subscription on a vault."""

    name: Annotated[str, Field(min_length=3, max_length=64)]
    vault_id: ResourceId
    endpoint_url: Annotated[str, Field(pattern=r"^https://")]
    schema_name: Annotated[Literal["EventGridSchema", "CloudEventSchemaV1_0"], Field(alias="schema")] = (
        "EventGridSchema"
    )
    delivery_headers: dict[str, str] = Field(default_factory=dict)
    included_event_types: list[str] | None = None


class EventGridSpec(Model):
    """How deliveries misbehave."""

    copies: Annotated[int, Field(ge=1, le=1000)] = 1
    shuffled: bool = False
    held: bool = False
    handshakes_carry_headers: bool = True


class Grant(Model):
    """A role that a token's user is given on the way."""

    role: str
    scope: Annotated[str, Field(pattern=r"^/")]


class TokenRequest(Model):
    """A token without credentials: of a user by name, or of an application's service principal."""

    tenant: str
    """`provider`, a tenant's id or its display name."""
    audience: str = names.API_CLIENT_ID
    roles: list[str] = Field(default_factory=list)
    user: str = "administrator"
    client_id: Guid | None = None
    grants: list[Grant] = Field(default_factory=list)
    lifetime_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600


class TokenAnswer(Model):
    """The token, whose it is and until when (Unix seconds of world time)."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    tenant_id: str
    object_id: str
    expires_on: int


class HostState(Model):
    """The Functions host child."""

    running: bool
    process_id: int | None
    url: str | None
