"""The check chain: what a key must be before anything is encrypted with it.

`CHECKS` reads as a table. Each check is a small pure function over one `Look`; every one is evaluated, so that the
customer sees everything that is wrong at once. A check that could not be made, because an earlier obstacle hides
what it needs, is `skipped` and says so. Sources: Azure Storage's requirements for customer-managed keys; Key Vault's
key attributes.
"""

from collections.abc import Callable

from shared.domain.findings import CheckResult, Result, failed, passed, skipped
from shared.domain.key_observation import GRACE_FOR_ROLES, Outage
from shared.domain.key_refusals import (
    DISABLED_DENIAL,
    FIREWALL_DENIALS,
    WINDOW_DENIALS,
    is_role_denial,
    refuses_reading,
    tells_nothing,
    token_reason,
)
from shared.domain.limited import trial_update
from shared.domain.look import Look, owns_key
from shared.domain.model import OwnershipState
from shared.domain.probe_checks import unwrap, wrap
from shared.domain.reasons import Reason
from shared.domain.remedies import ownership_tag
from shared.domain.warning_checks import event_subscription, expiry, new_version, rotation_age

SUPPORTED_TYPES = frozenset({"RSA", "RSA-HSM"})
SUPPORTED_SIZES = frozenset({2048, 3072, 4096})

OF_VERSION = frozenset({"keyEnabled", "validityWindow", "keyType", "keySize", "keyOperations", "wrap", "unwrap"})

type Check = Callable[[Look], CheckResult]


def judge_newer_version(look: Look) -> CheckResult | None:
    """The warning that a newer version than the one taken over deserves; None when it is fit, or not what was seen.

    Only faults of the version itself count: an outage or a missing role says nothing about it.
    """
    seen, known = look.seen.key, look.key.latest_version
    if seen is None or known in (None, seen.version) or look.key.pinned_version is not None:
        return None
    failures = [check for check in run_checks(look) if check.result is Result.FAIL and check.check in OF_VERSION]
    # That an older version was disabled too early is no fault of this one.
    faults = [check.reason for check in failures if check.reason is not Reason.VERSION_IN_USE_DISABLED]
    if not faults:
        return None
    reasons = ", ".join(reason.value for reason in faults if reason is not None)
    return CheckResult("newVersion", Result.WARN, Reason.NEW_VERSION_UNUSABLE, f"Version {seen.version}: {reasons}.")


def run_checks(look: Look) -> tuple[CheckResult, ...]:
    """Evaluate the whole chain."""
    return tuple(check(look) for check in CHECKS)


def vault_tenant(look: Look) -> CheckResult:
    """The vault must belong to the tenant an operator registered."""
    seen = look.seen
    if any(denial.inner_code == Reason.VAULT_IN_ANOTHER_TENANT for denial in seen.denials):
        return failed("vaultTenant", Reason.VAULT_IN_ANOTHER_TENANT)
    if seen.challenge_tenant is None:
        return skipped("vaultTenant", "The vault did not answer.")
    if seen.challenge_tenant != look.customer.tenant_id:
        return failed("vaultTenant", Reason.VAULT_IN_ANOTHER_TENANT, f"The vault's tenant is {seen.challenge_tenant}.")
    return passed("vaultTenant")


def provider_credential(look: Look) -> CheckResult:
    """Our own federated credential must work; its faults are never shown as the customer's."""
    refusal = look.seen.token_refusal
    if look.seen.outage is Outage.NO_TOKEN:
        return failed("providerCredential", Reason.TOKEN_UNAVAILABLE, look.seen.outage_detail)
    if refusal is not None and token_reason(refusal.aadsts) is Reason.PROVIDER_CREDENTIAL_BROKEN:
        return failed("providerCredential", Reason.PROVIDER_CREDENTIAL_BROKEN, refusal.detail)
    if refusal is None and not look.seen.token_obtained:
        return skipped("providerCredential", "No token was asked for.")
    return passed("providerCredential")


def consent(look: Look) -> CheckResult:
    """The application must be present, enabled and allowed in the customer's tenant."""
    refusal = look.seen.token_refusal
    if refusal is None:
        return passed("consent") if look.seen.token_obtained else skipped("consent", "No token was asked for.")
    reason = token_reason(refusal.aadsts)
    if reason is Reason.PROVIDER_CREDENTIAL_BROKEN:
        return skipped("consent", "The provider's credential comes first.")
    return failed("consent", reason, refusal.detail)


def vault_reachable(look: Look) -> CheckResult:
    """The vault must answer and let the call through its firewall."""
    seen = look.seen
    if seen.outage is Outage.NO_TOKEN:
        return skipped("vaultReachable", "Without a token the vault was not asked.")
    if seen.outage is not None:
        return failed("vaultReachable", _OUTAGES[seen.outage], seen.outage_detail)
    firewall = next((denial for denial in seen.denials if denial.inner_code in FIREWALL_DENIALS), None)
    if firewall is not None:
        bypass = {
            True: "Trusted Azure services are let through, so storage itself may still reach the key.",
            False: "Trusted Azure services are not let through either, so storage cannot reach the key.",
            None: "",
        }[firewall.bypass_on]
        return failed("vaultReachable", Reason.VAULT_FIREWALL, bypass)
    if seen.denial is not None and (tells_nothing(seen.denial) or not seen.token_obtained):
        return failed("vaultReachable", Reason.VAULT_UNREACHABLE, f"The vault answered {seen.denial.inner_code}.")
    return passed("vaultReachable")


def role(look: Look) -> CheckResult:
    """The role must let the application get, wrap and unwrap."""
    seen = look.seen
    probe = seen.probe
    probed = () if probe is None else (probe.wrap_denial, probe.unwrap_denial)
    refused = [denial for denial in probed if denial is not None and is_role_denial(denial)]
    if seen.denial is not None and seen.token_obtained and refuses_reading(seen.denial):
        refused.insert(0, seen.denial)
    if refused:
        propagating = look.now - look.key.registered_at < GRACE_FOR_ROLES
        reason = Reason.ROLE_PROPAGATING if propagating else Reason.ROLE_MISSING
        return failed("role", reason, f"The vault answered {refused[0].inner_code}.")
    if seen.key is None and not seen.missing:
        return skipped("role", "The key could not be asked for.")
    return passed("role")


def key_exists(look: Look) -> CheckResult:
    """The key must be there and not soft-deleted."""
    if look.seen.missing:
        return failed("keyExists", Reason.KEY_NOT_FOUND)
    return passed("keyExists") if look.seen.key is not None else _unread("keyExists")


def key_enabled(look: Look) -> CheckResult:
    """The version must be enabled."""
    key, denial = look.seen.key, look.seen.denial
    if denial is not None and denial.inner_code == DISABLED_DENIAL:
        return failed("keyEnabled", Reason.KEY_DISABLED, f"The vault answered {denial.inner_code}.")
    if key is None:
        return _unread("keyEnabled")
    if not key.enabled:
        return failed("keyEnabled", Reason.KEY_DISABLED, f"Version {key.version}.", (key.version,))
    return passed("keyEnabled")


def validity_window(look: Look) -> CheckResult:
    """The present must lie between the version's not-before and expiry times."""
    key, denial = look.seen.key, look.seen.denial
    if denial is not None and denial.inner_code in WINDOW_DENIALS:
        return failed("validityWindow", WINDOW_DENIALS[denial.inner_code], f"The vault answered {denial.inner_code}.")
    if key is None:
        return _unread("validityWindow")
    if key.not_before is not None and look.now < key.not_before:
        return failed("validityWindow", Reason.KEY_NOT_YET_VALID, f"Valid from {key.not_before:%Y-%m-%d %H:%M} UTC.")
    if key.expires is not None and key.expires <= look.now:
        return failed("validityWindow", Reason.KEY_EXPIRED, f"Expired at {key.expires:%Y-%m-%d %H:%M} UTC.")
    return passed("validityWindow")


def key_type(look: Look) -> CheckResult:
    """RSA or RSA-HSM."""
    key = look.seen.key
    if key is None:
        return _unread("keyType")
    if key.key_type not in SUPPORTED_TYPES:
        return failed("keyType", Reason.KEY_TYPE_UNSUPPORTED, f"The key is {key.key_type}.")
    return passed("keyType")


def key_size(look: Look) -> CheckResult:
    """2048, 3072 or 4096 bits."""
    key = look.seen.key
    if key is None:
        return _unread("keySize")
    if key.key_type not in SUPPORTED_TYPES:
        return skipped("keySize", "Only RSA keys have a size to check.")
    if key.bits not in SUPPORTED_SIZES:
        return failed("keySize", Reason.KEY_SIZE_UNSUPPORTED, f"The key has {key.bits} bits.")
    return passed("keySize")


def key_operations(look: Look) -> CheckResult:
    """Both wrapKey and unwrapKey must be permitted."""
    key = look.seen.key
    if key is None:
        return _unread("keyOperations")
    missing = sorted({"wrapKey", "unwrapKey"} - key.operations)
    if missing:
        return failed("keyOperations", Reason.KEY_OPERATIONS_MISSING, f"Missing: {', '.join(missing)}.")
    return passed("keyOperations")


def purge_protection(look: Look) -> CheckResult:
    """Soft delete and purge protection, read from the key's recovery level."""
    key = look.seen.key
    if key is None:
        return _unread("purgeProtection")
    if not key.recovery_level or "purgeable" in key.recovery_level.lower():
        return failed(
            "purgeProtection", Reason.PURGE_PROTECTION_MISSING, f"Recovery level: {key.recovery_level or 'none'}."
        )
    return passed("purgeProtection")


def ownership(look: Look) -> CheckResult:
    """Whoever onboards must have shown once that the key is theirs to tag."""
    recorded = look.key.ownership.state
    attested = recorded is OwnershipState.ATTESTED
    if recorded is OwnershipState.PROVEN or (attested and (look.seen.key is None or owns_key(look))):
        return passed("ownership")
    if attested:
        return CheckResult("ownership", Result.WARN, Reason.OWNERSHIP_UNPROVEN, "An operator attested it.")
    if look.seen.key is None:
        return _unread("ownership")
    if look.claimed_elsewhere:
        return failed("ownership", Reason.KEY_CLAIMED_ELSEWHERE)
    name, _ = ownership_tag(look.customer)
    return passed("ownership") if owns_key(look) else failed("ownership", Reason.OWNERSHIP_UNPROVEN, f"Tag {name}.")


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
    trial_update,  # in place of all that could not be seen
    new_version,  # from here on warnings
    expiry,
    rotation_age,
    event_subscription,
)


_OUTAGES = {
    Outage.UNREACHABLE: Reason.VAULT_UNREACHABLE,
    Outage.NAME_UNRESOLVED: Reason.VAULT_NAME_UNRESOLVED,
    Outage.THROTTLED: Reason.VAULT_THROTTLED,
}


def _unread(check: str) -> CheckResult:
    return skipped(check, "The key could not be read.")
