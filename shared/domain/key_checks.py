"""The check chain: what a key must be before anything is encrypted with it.

`CHECKS` reads as a table. Each check is a small pure function over one `Look`; every one is evaluated, so that the
customer sees everything that is wrong at once. A check that could not be made, because an earlier obstacle hides
what it needs, is `skipped` and says so. Sources: Azure Storage's requirements for customer-managed keys; Key Vault's
key attributes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.findings import CheckResult, Result
from shared.domain.key_observation import GRACE_FOR_ROLES, Denial, KeyObservation, Outage, ProbeOutcome
from shared.domain.model import Customer, Key, OwnershipState
from shared.domain.reasons import Reason
from shared.domain.remedies import ownership_tag

SUPPORTED_TYPES = frozenset({"RSA", "RSA-HSM"})
SUPPORTED_SIZES = frozenset({2048, 3072, 4096})
EXPIRY_STEPS = (90, 30, 14, 7, 1)

CONSENT_MISSING_CODES = frozenset({700016, 7000229, 650052, 65001, 65004, 500011})
APPLICATION_DISABLED_CODES = frozenset({7000112})
CONDITIONAL_ACCESS_CODES = frozenset({53003, 530034, 53000})
ROLE_DENIALS = frozenset({"ForbiddenByRbac", "ForbiddenByPolicy", "AccessDenied"})
FIREWALL_DENIALS = frozenset({"ForbiddenByFirewall", "ForbiddenByConnection"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One observation beside what is recorded of the customer and the key."""

    customer: Customer
    key: Key
    seen: KeyObservation
    now: datetime
    claimed_elsewhere: bool = False


type Check = Callable[[Look], CheckResult]


def run_checks(look: Look) -> tuple[CheckResult, ...]:
    """Evaluate the whole chain."""
    return tuple(check(look) for check in CHECKS)


def owns_key(look: Look) -> bool:
    """Whether the key carries the tag with this customer's nonce."""
    name, value = ownership_tag(look.customer)
    return look.seen.key is not None and look.seen.key.tags.get(name) == value


def vault_tenant(look: Look) -> CheckResult:
    """The vault must belong to the tenant an operator registered."""
    seen = look.seen
    if seen.challenge_tenant is None:
        return _skip("vaultTenant", "The vault did not answer.")
    if seen.challenge_tenant != look.customer.tenant_id:
        return _fail("vaultTenant", Reason.VAULT_IN_ANOTHER_TENANT, f"The vault's tenant is {seen.challenge_tenant}.")
    return _pass("vaultTenant")


def provider_credential(look: Look) -> CheckResult:
    """Our own federated credential must work; its faults are never shown as the customer's."""
    refusal = look.seen.token_refusal
    if refusal is not None and token_reason(refusal.aadsts) is Reason.PROVIDER_CREDENTIAL_BROKEN:
        return _fail("providerCredential", Reason.PROVIDER_CREDENTIAL_BROKEN, refusal.detail)
    if refusal is None and not look.seen.token_obtained:
        return _skip("providerCredential", "No token was asked for.")
    return _pass("providerCredential")


def consent(look: Look) -> CheckResult:
    """The application must be present, enabled and allowed in the customer's tenant."""
    refusal = look.seen.token_refusal
    if refusal is None:
        return _pass("consent") if look.seen.token_obtained else _skip("consent", "No token was asked for.")
    reason = token_reason(refusal.aadsts)
    if reason is Reason.PROVIDER_CREDENTIAL_BROKEN:
        return _skip("consent", "The provider's credential comes first.")
    return _fail("consent", reason, refusal.detail)


def vault_reachable(look: Look) -> CheckResult:
    """The vault must answer and let the call through its firewall."""
    seen = look.seen
    if seen.outage is not None:
        return _fail("vaultReachable", _OUTAGES[seen.outage], seen.outage_detail)
    if seen.denial is not None and seen.denial.inner_code in FIREWALL_DENIALS:
        bypass = {
            True: "Trusted Azure services are let through, so storage itself may still reach the key.",
            False: "Trusted Azure services are not let through either, so storage cannot reach the key.",
            None: "",
        }[seen.denial.bypass_on]
        return _fail("vaultReachable", Reason.VAULT_FIREWALL, bypass)
    return _pass("vaultReachable")


def role(look: Look) -> CheckResult:
    """The role must let the application get, wrap and unwrap."""
    seen = look.seen
    probe = seen.probe
    denials = [seen.denial] if probe is None else [seen.denial, probe.wrap_denial, probe.unwrap_denial]
    refused = [denial for denial in denials if denial is not None and is_role_denial(denial)]
    if refused:
        propagating = look.now - look.key.registered_at < GRACE_FOR_ROLES
        reason = Reason.ROLE_PROPAGATING if propagating else Reason.ROLE_MISSING
        return _fail("role", reason, f"The vault answered {refused[0].inner_code}.")
    if seen.key is None and not seen.missing:
        return _skip("role", "The key could not be asked for.")
    return _pass("role")


def key_exists(look: Look) -> CheckResult:
    """The key must be there and not soft-deleted."""
    if look.seen.missing:
        return _fail("keyExists", Reason.KEY_NOT_FOUND)
    return _pass("keyExists") if look.seen.key is not None else _unread("keyExists")


def key_enabled(look: Look) -> CheckResult:
    """The version must be enabled."""
    key = look.seen.key
    if key is None:
        return _unread("keyEnabled")
    if not key.enabled:
        return _fail("keyEnabled", Reason.KEY_DISABLED, f"Version {key.version}.")
    return _pass("keyEnabled")


def validity_window(look: Look) -> CheckResult:
    """The present must lie between the version's not-before and expiry times."""
    key = look.seen.key
    if key is None:
        return _unread("validityWindow")
    if key.not_before is not None and look.now < key.not_before:
        return _fail("validityWindow", Reason.KEY_NOT_YET_VALID, f"Valid from {key.not_before:%Y-%m-%d %H:%M} UTC.")
    if key.expires is not None and key.expires <= look.now:
        return _fail("validityWindow", Reason.KEY_EXPIRED, f"Expired at {key.expires:%Y-%m-%d %H:%M} UTC.")
    return _pass("validityWindow")


def key_type(look: Look) -> CheckResult:
    """RSA or RSA-HSM."""
    key = look.seen.key
    if key is None:
        return _unread("keyType")
    if key.key_type not in SUPPORTED_TYPES:
        return _fail("keyType", Reason.KEY_TYPE_UNSUPPORTED, f"The key is {key.key_type}.")
    return _pass("keyType")


def key_size(look: Look) -> CheckResult:
    """2048, 3072 or 4096 bits."""
    key = look.seen.key
    if key is None:
        return _unread("keySize")
    if key.key_type not in SUPPORTED_TYPES:
        return _skip("keySize", "Only RSA keys have a size to check.")
    if key.bits not in SUPPORTED_SIZES:
        return _fail("keySize", Reason.KEY_SIZE_UNSUPPORTED, f"The key has {key.bits} bits.")
    return _pass("keySize")


def key_operations(look: Look) -> CheckResult:
    """Both wrapKey and unwrapKey must be permitted."""
    key = look.seen.key
    if key is None:
        return _unread("keyOperations")
    missing = sorted({"wrapKey", "unwrapKey"} - key.operations)
    if missing:
        return _fail("keyOperations", Reason.KEY_OPERATIONS_MISSING, f"Missing: {', '.join(missing)}.")
    return _pass("keyOperations")


def purge_protection(look: Look) -> CheckResult:
    """Soft delete and purge protection, read from the key's recovery level."""
    key = look.seen.key
    if key is None:
        return _unread("purgeProtection")
    if not key.recovery_level or "purgeable" in key.recovery_level.lower():
        return _fail(
            "purgeProtection", Reason.PURGE_PROTECTION_MISSING, f"Recovery level: {key.recovery_level or 'none'}."
        )
    return _pass("purgeProtection")


def wrap(look: Look) -> CheckResult:
    """The vault itself must wrap with the version."""
    probe = look.seen.probe
    return _probed("wrap", Reason.WRAP_REFUSED, None if probe is None else (probe.wrap, probe.wrap_denial))


def unwrap(look: Look) -> CheckResult:
    """The vault itself must unwrap what it wrapped, and the canary of every version in use."""
    probe = look.seen.probe
    if probe is None:
        return _skip("unwrap", "The vault was not asked to unwrap.")
    lost = sorted(version for version, outcome in probe.canaries.items() if outcome not in _NOT_LOST)
    if lost:
        return _fail(
            "unwrap", Reason.UNWRAP_REFUSED, f"What was wrapped earlier no longer unwraps: version {', '.join(lost)}."
        )
    return _probed("unwrap", Reason.UNWRAP_REFUSED, (probe.unwrap, probe.unwrap_denial))


def ownership(look: Look) -> CheckResult:
    """Whoever onboards must have shown once that the key is theirs to tag."""
    if look.key.ownership.state is not OwnershipState.UNPROVEN:
        return _pass("ownership")
    if look.seen.key is None:
        return _unread("ownership")
    if look.claimed_elsewhere:
        return _fail("ownership", Reason.KEY_CLAIMED_ELSEWHERE)
    name, _ = ownership_tag(look.customer)
    return _pass("ownership") if owns_key(look) else _fail("ownership", Reason.OWNERSHIP_UNPROVEN, f"Tag {name}.")


def expiry(look: Look) -> CheckResult:
    """Expiry that comes near is a warning, step by step."""
    key = look.seen.key
    if key is None:
        return _unread("expiry")
    if key.expires is None or key.expires <= look.now:
        return _pass("expiry")
    step = expiry_step(key.expires, look.now)
    if step is None:
        return _pass("expiry")
    return CheckResult(
        "expiry", Result.WARN, Reason.NEAR_EXPIRY, f"Expires {key.expires:%Y-%m-%d}, within {step} days."
    )


CHECKS: tuple[Check, ...] = (
    vault_tenant,  # whose vault is it
    provider_credential,  # does our own chain work
    consent,  # may the application act in the tenant
    vault_reachable,  # does the vault let us in
    role,  # may we get, wrap, unwrap
    key_exists,
    key_enabled,
    validity_window,
    key_type,
    key_size,
    key_operations,
    purge_protection,
    wrap,  # by the vault, never locally
    unwrap,  # with the canaries of versions in use
    ownership,
    expiry,  # a warning
)


def token_reason(aadsts: int) -> Reason:
    """Whose fault a refused token is. Unknown numbers are ours until shown otherwise: no customer is blamed."""
    if aadsts in CONSENT_MISSING_CODES:
        return Reason.CONSENT_MISSING
    if aadsts in APPLICATION_DISABLED_CODES:
        return Reason.APPLICATION_DISABLED
    if aadsts in CONDITIONAL_ACCESS_CODES:
        return Reason.BLOCKED_BY_CONDITIONAL_ACCESS
    return Reason.PROVIDER_CREDENTIAL_BROKEN


def is_role_denial(denial: Denial) -> bool:
    """Whether a vault's refusal is about permissions; a 401 after a token is one too (the vault moved tenant)."""
    return denial.inner_code in ROLE_DENIALS or denial.http_status == 401


def expiry_step(expires: datetime, now: datetime) -> int | None:
    """The smallest step of the expiry ladder that has been reached, in days."""
    left = expires - now
    return next((days for days in reversed(EXPIRY_STEPS) if left <= timedelta(days=days)), None)


_OUTAGES = {
    Outage.UNREACHABLE: Reason.VAULT_UNREACHABLE,
    Outage.NAME_UNRESOLVED: Reason.VAULT_NAME_UNRESOLVED,
    Outage.THROTTLED: Reason.VAULT_THROTTLED,
}
_NOT_LOST = frozenset({ProbeOutcome.OK, ProbeOutcome.NOT_TRIED})


def _probed(check: str, reason: Reason, answer: tuple[ProbeOutcome, Denial | None] | None) -> CheckResult:
    if answer is None or answer[0] is ProbeOutcome.NOT_TRIED:
        return _skip(check, f"The vault was not asked to {check}.")
    outcome, denial = answer
    if outcome is ProbeOutcome.OK:
        return _pass(check)
    if denial is not None and is_role_denial(denial):
        return _skip(check, "The role comes first.")
    detail = "The vault answered other bytes." if denial is None else f"The vault answered {denial.inner_code}."
    return _fail(check, reason, detail)


def _pass(check: str) -> CheckResult:
    return CheckResult(check, Result.PASS)


def _fail(check: str, reason: Reason, detail: str = "") -> CheckResult:
    return CheckResult(check, Result.FAIL, reason, detail)


def _skip(check: str, detail: str) -> CheckResult:
    return CheckResult(check, Result.SKIPPED, None, detail)


def _unread(check: str) -> CheckResult:
    return _skip(check, "The key could not be read.")
