"""The checks of the probe: the vault itself wraps random bytes and unwraps them, and the canaries of versions in use.

They stand in the table of `key_checks`. Only what the vault answered counts; what was not asked is skipped.
"""

from shared.domain.findings import CheckResult, failed, passed, skipped
from shared.domain.key_observation import Denial, ProbeOutcome
from shared.domain.key_refusals import FIREWALL_DENIALS, is_role_denial
from shared.domain.look import Look
from shared.domain.reasons import Reason

_NOT_LOST = frozenset({ProbeOutcome.OK, ProbeOutcome.NOT_TRIED})


def wrap(look: Look) -> CheckResult:
    """The vault itself must wrap with the version."""
    probe = look.seen.probe
    return _probed("wrap", Reason.WRAP_REFUSED, None if probe is None else (probe.wrap, probe.wrap_denial))


def unwrap(look: Look) -> CheckResult:
    """The vault itself must unwrap what it wrapped, and the canary of every version in use."""
    probe = look.seen.probe
    if probe is None:
        return skipped("unwrap", "The vault was not asked to unwrap.")
    lost = sorted(version for version, outcome in probe.canaries.items() if outcome not in _NOT_LOST)
    older = [version for version in lost if version in probe.disabled and version != probe.version]
    disabled = tuple(version for version in older if probe.users.get(version))
    if disabled:
        # The cause, whatever else follows from it.
        each = (f"Version {version} is still used by {probe.users[version]} resource(s)." for version in disabled)
        return failed("unwrap", Reason.VERSION_IN_USE_DISABLED, " ".join(each), disabled)
    if lost:
        return failed(
            "unwrap", Reason.UNWRAP_REFUSED, f"What was wrapped earlier no longer unwraps: version {', '.join(lost)}."
        )
    return _probed("unwrap", Reason.UNWRAP_REFUSED, (probe.unwrap, probe.unwrap_denial))


def _probed(check: str, reason: Reason, answer: tuple[ProbeOutcome, Denial | None] | None) -> CheckResult:
    if answer is None or answer[0] is ProbeOutcome.NOT_TRIED:
        return skipped(check, f"The vault was not asked to {check}.")
    outcome, denial = answer
    if outcome is ProbeOutcome.OK:
        return passed(check)
    if denial is not None and is_role_denial(denial):
        return skipped(check, "The role comes first.")
    if denial is not None and denial.inner_code in FIREWALL_DENIALS:
        return skipped(check, "The vault's firewall comes first.")
    detail = "The vault answered other bytes." if denial is None else f"The vault answered {denial.inner_code}."
    return failed(check, reason, detail)
