"""What a look's findings amount to: the health of a key, in one table, and what is known without a new probe.

Part of `key_health`; pure. The order of the table is the order of importance: our own faults first, then whatever
hides the key from us, and only then what the customer did.
"""

from shared.domain.findings import CheckResult, Result
from shared.domain.key_observation import ProbeOutcome
from shared.domain.look import Look
from shared.domain.model import ConsentState, HealthState
from shared.domain.reasons import Reason

PROBED_CHECKS = frozenset({"wrap", "unwrap"})
UNKNOWABLE = frozenset({HealthState.UNOBSERVABLE, HealthState.PROVIDER_FAULT})

_STATE_OF_REASON: tuple[tuple[HealthState, frozenset[Reason]], ...] = (
    (HealthState.PROVIDER_FAULT, frozenset({Reason.PROVIDER_CREDENTIAL_BROKEN})),
    (
        HealthState.CONSENT_LOST,
        frozenset({Reason.CONSENT_MISSING, Reason.APPLICATION_DISABLED, Reason.BLOCKED_BY_CONDITIONAL_ACCESS}),
    ),
    (
        HealthState.UNOBSERVABLE,
        frozenset(
            {
                Reason.TOKEN_UNAVAILABLE,
                Reason.VAULT_UNREACHABLE,
                Reason.VAULT_NAME_UNRESOLVED,
                Reason.VAULT_THROTTLED,
                Reason.VAULT_FIREWALL,
            }
        ),
    ),
    (
        HealthState.ACCESS_DENIED,
        frozenset({Reason.VAULT_IN_ANOTHER_TENANT, Reason.ROLE_PROPAGATING, Reason.ROLE_MISSING}),
    ),
    (HealthState.DELETED, frozenset({Reason.KEY_NOT_FOUND})),
    (
        HealthState.DISABLED,
        frozenset(
            {
                Reason.KEY_DISABLED,
                Reason.KEY_NOT_YET_VALID,
                Reason.UNWRAP_REFUSED,
                Reason.VERSION_IN_USE_DISABLED,
            }
        ),
    ),
    (HealthState.EXPIRED, frozenset({Reason.KEY_EXPIRED})),
    (HealthState.EXPIRING, frozenset({Reason.NEAR_EXPIRY})),
)


def judge(checks: tuple[CheckResult, ...]) -> tuple[HealthState, tuple[Reason, ...]]:
    """The health that the findings amount to; the first matching row of the table wins."""
    reasons = tuple(check.reason for check in checks if check.reason is not None)
    for state, members in _STATE_OF_REASON:
        if members.intersection(reasons):
            return state, reasons
    return HealthState.HEALTHY, reasons


def causes_of(state: HealthState, reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Those of a look's reasons that made the health what it is; the others are warnings beside it."""
    members = dict(_STATE_OF_REASON).get(state, frozenset())
    return tuple(reason for reason in reasons if reason in members)


def keep_probed(look: Look, checks: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
    """Take over the recorded wrap and unwrap results where this look could not tell.

    They speak of the recorded version alone: another version is not proven by them.
    """
    seen = look.seen.key
    if seen is not None and seen.version != look.key.latest_version:
        return checks
    known = {check.check: check for check in look.key.verification.checks if check.result is not Result.SKIPPED}
    return tuple(
        known.get(check.check, check) if check.check in PROBED_CHECKS and not _was_asked(look, check.check) else check
        for check in checks
    )


def _was_asked(look: Look, check: str) -> bool:
    probe = look.seen.probe
    if probe is None:
        return False
    return (probe.wrap if check == "wrap" else probe.unwrap) is not ProbeOutcome.NOT_TRIED


def is_proven(checks: tuple[CheckResult, ...]) -> bool:
    """Whether the vault is known to wrap and unwrap with the version seen."""
    return all(check.result is not Result.SKIPPED for check in checks if check.check in PROBED_CHECKS)


def consent_state(reasons: tuple[Reason, ...]) -> ConsentState | None:
    """The consent state that a refused token amounts to; None when it was not about consent."""
    if Reason.CONSENT_MISSING in reasons:
        return ConsentState.MISSING
    if Reason.APPLICATION_DISABLED in reasons:
        return ConsentState.DISABLED
    if Reason.BLOCKED_BY_CONDITIONAL_ACCESS in reasons:
        return ConsentState.BLOCKED
    return None
