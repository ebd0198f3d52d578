"""What one look at a key showed: the input of the check chain. Made by `services.check_key`, judged by `key_checks`.

Each part is None when an earlier part made it impossible to see. Outages are kept apart from refusals, so that
no outage can turn into a finding of revocation.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.model import Canary


class Outage(StrEnum):
    """Why nothing could be told. None of these says anything about the key."""

    UNREACHABLE = "unreachable"
    NAME_UNRESOLVED = "nameUnresolved"
    THROTTLED = "throttled"
    NO_TOKEN = "noToken"  # noqa: S105 - the words; nobody answered the token request, so the vault was not asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A 401 or 403 of the vault. `inner_code` is the innermost code, such as `ForbiddenByRbac` or `KeyDisabled`."""

    http_status: int
    inner_code: str
    bypass_on: bool | None = None
    """For firewall answers: whether trusted Azure services are let through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefusal:
    """Microsoft Entra gave no token for the customer's tenant. `aadsts` is 0 when it named no number."""

    aadsts: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedKey:
    """One version of a key as the vault answers it. `bits` is 0 for keys that are not RSA."""

    version: str
    key_type: str
    bits: int
    operations: frozenset[str]
    enabled: bool
    not_before: datetime | None
    expires: datetime | None
    created: datetime
    recovery_level: str
    tags: dict[str, str]

    def usable_at(self, now: datetime) -> bool:
        """Enabled and inside its validity window."""
        return (
            self.enabled
            and (self.not_before is None or self.not_before <= now)
            and (self.expires is None or now < self.expires)
        )


class ProbeOutcome(StrEnum):
    """What the vault did with wrapped bytes."""

    OK = "ok"
    REFUSED = "refused"
    WRONG = "wrong"
    NOT_TRIED = "notTried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Wrap and unwrap by the vault itself. `canaries` holds the outcome for every stored canary, by version.

    `disabled` are the versions whose canary the vault refused because they are disabled; `users` says how many live
    resources were last seen on a version.
    """

    version: str
    wrap: ProbeOutcome
    unwrap: ProbeOutcome
    wrap_denial: Denial | None = None
    unwrap_denial: Denial | None = None
    canaries: dict[str, ProbeOutcome] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    users: dict[str, int] = field(default_factory=dict)
    new_canary: Canary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyObservation:
    """Everything one look at a key showed."""

    at: datetime
    challenge_tenant: str | None = None
    vault_region: str | None = None
    outage: Outage | None = None
    outage_detail: str = ""
    token_obtained: bool = False
    token_refusal: TokenRefusal | None = None
    denial: Denial | None = None
    missing: bool = False
    key: ObservedKey | None = None
    probe: Probe | None = None

    @property
    def denials(self) -> tuple[Denial, ...]:
        """Every refusal of this look: to read, to wrap, to unwrap."""
        probed = () if self.probe is None else (self.probe.wrap_denial, self.probe.unwrap_denial)
        return tuple(denial for denial in (self.denial, *probed) if denial is not None)


GRACE_FOR_ROLES = timedelta(minutes=10)
