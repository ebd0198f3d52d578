"""The three nouns and what is recorded of them: customer, key, resource; and operation.

Each is one row of the `state` table. Wishes stand where they belong (a customer's `leaving_since`, a key's
`identifier` and `version_policy`, a resource's `releasing_since`); everything a resource should be is derived
from them by `desired`. Observations are kept apart from wishes. Times are aware UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.domain.findings import CheckResult, Finding
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.key_memory import KeyMemory
from shared.domain.old_versions import OldVersion
from shared.domain.reasons import Reason
from shared.domain.resource_details import Creation, EncryptionIdentity, NewAccount, ObservedEncryption, Rotation


class ConsentState(StrEnum):
    """Whether the application may act in the customer's tenant, as the last token request showed."""

    UNKNOWN = "unknown"
    GRANTED = "granted"
    MISSING = "missing"
    DISABLED = "disabled"
    BLOCKED = "blocked"


class VersionPolicy(StrEnum):
    """How a key's resources follow its versions."""

    LATEST = "latest"
    PINNED = "pinned"


class HealthState(StrEnum):
    """Health of a key as CrossKey can see it."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    DISABLED = "disabled"
    DELETED = "deleted"
    ACCESS_DENIED = "accessDenied"
    CONSENT_LOST = "consentLost"
    UNOBSERVABLE = "unobservable"
    PROVIDER_FAULT = "providerFault"


REVOKED_STATES = frozenset(
    {HealthState.DISABLED, HealthState.DELETED, HealthState.ACCESS_DENIED, HealthState.CONSENT_LOST}
)


class VerificationState(StrEnum):
    """Whether the key has passed every check."""

    PENDING = "pending"
    VERIFIED = "verified"
    LIMITED = "limited"
    FAILED = "failed"


class OwnershipState(StrEnum):
    """Whether it was shown that whoever onboards controls the key."""

    UNPROVEN = "unproven"
    PROVEN = "proven"
    ATTESTED = "attested"


class DriftPolicy(StrEnum):
    """What to do when somebody else changed a resource's encryption."""

    REPAIR = "repair"
    REPORT = "report"


class ResourceState(StrEnum):
    """Where a resource stands between its wish and Azure."""

    PENDING = "pending"
    APPLYING = "applying"
    PROTECTED = "protected"
    DRIFTED = "drifted"
    BLOCKED = "blocked"
    FAILED = "failed"
    RELEASING = "releasing"
    RELEASED = "released"
    GONE = "gone"
    STRANDED = "stranded"


class OperationKind(StrEnum):
    """What an operation does."""

    PROTECT = "protectResource"
    RELEASE = "releaseResource"
    OFFBOARD = "offboardCustomer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Work on this object was set aside for a person."""

    since: datetime
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """`link_id` names the one consent link that may still be answered."""

    state: ConsentState = ConsentState.UNKNOWN
    since: datetime | None = None
    link_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """An Entra tenant we serve. `application` is the pool application's client id; `operation_id` its offboarding."""

    customer_id: str
    display_name: str
    tenant_id: str
    application: str
    ownership_nonce: str
    created_at: datetime
    consent: Consent = field(default_factory=Consent)
    onboarded_at: datetime | None = None
    leaving_since: datetime | None = None
    abandoned_at: datetime | None = None
    operation_id: str | None = None
    attention: Attention | None = None

    @property
    def row(self) -> str:
        """Row key in the customer's partition."""
        return "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHealth:
    """`suspected_at` and `suspected_state` hold a revocation seen once and not announced yet."""

    state: HealthState = HealthState.UNKNOWN
    since: datetime | None = None
    reasons: tuple[Reason, ...] = ()
    suspected_at: datetime | None = None
    suspected_state: HealthState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The last full report whose outcome differed from the one before."""

    state: VerificationState = VerificationState.PENDING
    checked_at: datetime | None = None
    checks: tuple[CheckResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Proven once per key and remembered; new versions need no tag."""

    state: OwnershipState = OwnershipState.UNPROVEN
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Random bytes wrapped by one key version: `wrapped` is base64url, `digest` the SHA-256 of the bytes."""

    version: str
    wrapped: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a customer. `latest_version`, made at `latest_created`, is the newest that passed every check.

    `expiry_step` is the last step of the expiry ladder that was announced, in days.
    """

    customer_id: str
    name: str
    identifier: KeyIdentifier
    registered_at: datetime
    version_policy: VersionPolicy = VersionPolicy.LATEST
    pinned_version: str | None = None
    vault_resource_id: str | None = None
    health: KeyHealth = field(default_factory=KeyHealth)
    verification: Verification = field(default_factory=Verification)
    ownership: Ownership = field(default_factory=Ownership)
    latest_version: str | None = None
    latest_created: datetime | None = None
    expires_at: datetime | None = None
    expiry_step: int | None = None
    vault_region: str | None = None
    canaries: tuple[Canary, ...] = ()
    removing_since: datetime | None = None
    attention: Attention | None = None
    memory: KeyMemory = field(default_factory=KeyMemory)
    old_versions: tuple[OldVersion, ...] = ()

    @property
    def row(self) -> str:
        """Row key in the customer's partition."""
        return f"key:{self.name}"

    @property
    def target_version(self) -> str | None:
        """The version that resources should be on; None while no version has passed."""
        return self.pinned_version if self.version_policy is VersionPolicy.PINNED else self.latest_version

    def canary(self, version: str) -> Canary | None:
        """The canary of one version."""
        return next((canary for canary in self.canaries if canary.version == version), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource and the key that protects it. `identity_added` is the identity that CrossKey put on it.

    `create` is how to make the account where there is none, `creation` that this was begun.
    `repairs` are the times of the repairs of the last day, `refusals` Azure's refusals in a row: each makes the next
    try wait longer. `worker` is the run that alone may send updates until `working_until`.
    """

    customer_id: str
    name: str
    resource_id: StorageAccountId
    key: str
    registered_at: datetime
    drift_policy: DriftPolicy = DriftPolicy.REPAIR
    identity: EncryptionIdentity = EncryptionIdentity.USER_ASSIGNED
    create: NewAccount | None = None
    state: ResourceState = ResourceState.PENDING
    operation_id: str | None = None
    observed: ObservedEncryption | None = None
    observed_at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    identity_added: str | None = None
    creation: Creation | None = None
    rotation: Rotation | None = None
    releasing_since: datetime | None = None
    missing_since: datetime | None = None
    repairs: tuple[datetime, ...] = ()
    queued_until: datetime | None = None
    refusals: int = 0
    worker: str | None = None
    working_until: datetime | None = None
    attention: Attention | None = None

    @property
    def row(self) -> str:
        """Row key in the customer's partition."""
        return f"resource:{self.name}"

    @property
    def is_live(self) -> bool:
        """Whether the resource still depends on its key, as far as CrossKey knows."""
        return self.state not in (ResourceState.RELEASED, ResourceState.GONE, ResourceState.STRANDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What somebody asked for. Progress is derived from the rows it concerns; `succeeded` is None until it ended."""

    customer_id: str
    operation_id: str
    kind: OperationKind
    target: str
    created_at: datetime
    finished_at: datetime | None = None
    succeeded: bool | None = None
    error_code: str | None = None
    error_message: str | None = None

    @property
    def row(self) -> str:
        """Row key in the customer's partition."""
        return f"operation:{self.operation_id}"


type StateRow = Customer | Key | Resource | Operation
