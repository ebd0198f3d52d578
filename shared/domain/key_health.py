"""Decides, from one look at a key, what is recorded and announced. Pure: no await, no clock, no log.

An outage never becomes a revocation: it keeps what was known. A revocation is announced only when it was seen
twice, `CONFIRMATION_DELAY` apart. A new version is taken over only when every check of it passed.
Each step of the plan is one commit and carries one announcement at most, so that none is lost to a crash.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from shared.domain.entries import EntryType, Notification, Record
from shared.domain.expiry import expiry_step
from shared.domain.findings import CheckResult, Result
from shared.domain.key_observation import ProbeOutcome
from shared.domain.look import Look, owns_key
from shared.domain.model import (
    REVOKED_STATES,
    Canary,
    ConsentState,
    HealthState,
    Key,
    KeyHealth,
    Ownership,
    OwnershipState,
    Verification,
    VerificationState,
)
from shared.domain.reasons import Reason

CONFIRMATION_DELAY = timedelta(seconds=30)
PROBED_CHECKS = frozenset({"wrap", "unwrap"})

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
    (HealthState.DISABLED, frozenset({Reason.KEY_DISABLED, Reason.KEY_NOT_YET_VALID, Reason.UNWRAP_REFUSED})),
    (HealthState.EXPIRED, frozenset({Reason.KEY_EXPIRED})),
    (HealthState.EXPIRING, frozenset({Reason.NEAR_EXPIRY})),
)
_UNKNOWABLE = frozenset({HealthState.UNOBSERVABLE, HealthState.PROVIDER_FAULT})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStep:
    """One commit: the key as it is then, and what the entry says."""

    key: Key
    type: EntryType
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlan:
    """What to record, in order, and what to do afterwards."""

    steps: tuple[KeyStep, ...]
    moves_resources: bool
    look_again_after: timedelta | None
    consent: ConsentState | None


def decide_key(look: Look, checks: tuple[CheckResult, ...]) -> KeyPlan:
    """Compare what was seen with what is recorded."""
    before = look.key
    seen_now = judge(checks)
    checks = keep_probed(look, checks)
    state, reasons = judge(checks)
    if look.seen.key is None and state in (HealthState.HEALTHY, HealthState.EXPIRING):
        # Nothing was found wrong because nothing was seen.
        state, seen_now = HealthState.UNOBSERVABLE, (HealthState.UNOBSERVABLE, reasons)
    # A loss that this look only remembers is no second observation of it; nor is not being told the end of it.
    remembered = state is not seen_now[0]
    steps: list[KeyStep] = []
    current = before
    judged = (before.health, Record.KEY_OBSERVED) if remembered else _health(look, state, reasons)
    for changed, entry_type in _facets(look, checks, state, judged):
        merged = changed(current)
        if merged != current:
            steps.append(KeyStep(key=merged, type=entry_type, data=_data(merged)))
            current = merged
    suspected = current.health.suspected_at is not None
    return KeyPlan(
        steps=tuple(steps),
        moves_resources=current.target_version != before.target_version or (is_ready(current) and not is_ready(before)),
        look_again_after=CONFIRMATION_DELAY if suspected else None,
        consent=_consent(look, reasons),
    )


def is_ready(key: Key) -> bool:
    """Whether something may be encrypted with the key now."""
    return (
        key.verification.state in (VerificationState.VERIFIED, VerificationState.LIMITED)
        and key.ownership.state is not OwnershipState.UNPROVEN
        and key.health.state in (HealthState.HEALTHY, HealthState.EXPIRING)
        and key.target_version is not None
        and key.canary(key.target_version) is not None
        and key.removing_since is None
    )


def judge(checks: tuple[CheckResult, ...]) -> tuple[HealthState, tuple[Reason, ...]]:
    """The health that the findings amount to; the first matching row of the table wins."""
    reasons = tuple(check.reason for check in checks if check.reason is not None)
    for state, members in _STATE_OF_REASON:
        if members.intersection(reasons):
            return state, reasons
    return HealthState.HEALTHY, reasons


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


def _is_proven(checks: tuple[CheckResult, ...]) -> bool:
    """Whether the vault is known to wrap and unwrap with the version seen."""
    return all(check.result is not Result.SKIPPED for check in checks if check.check in PROBED_CHECKS)


type _Judged = tuple[KeyHealth, EntryType]


class _Replace:
    """A change of some of the key's fields, applied when its turn comes."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def __call__(self, key: Key) -> Key:
        return replace(key, **self._fields)


def _facets(
    look: Look, checks: tuple[CheckResult, ...], state: HealthState, judged: _Judged
) -> Iterator[tuple[_Replace, EntryType]]:
    """Yield every aspect that may have changed, each with the entry that tells of it."""
    key, seen = look.key, look.seen
    verification = _verification(look, checks, state)
    health, health_entry = judged
    newly_verified = verification.state is VerificationState.VERIFIED and key.latest_version is None
    quiet: dict[str, Any] = {"verification": verification, "ownership": _ownership(look), "canaries": _canaries(look)}
    if seen.vault_region is not None:
        quiet["vault_region"] = seen.vault_region
    if health_entry is Record.KEY_OBSERVED:
        quiet["health"] = health
    verified = verification.state is VerificationState.VERIFIED and state not in _UNKNOWABLE
    passed = verified and _is_proven(checks)
    if passed and seen.key is not None:
        quiet["expires_at"] = seen.key.expires
        quiet["attention"] = None
        if key.latest_version in (None, seen.key.version):
            quiet["latest_version"] = seen.key.version
            quiet["latest_created"] = seen.key.created
    yield _Replace(**quiet), Notification.KEY_VERIFIED if newly_verified else Record.KEY_OBSERVED
    if health_entry is not Record.KEY_OBSERVED:
        yield _Replace(health=health), health_entry
    if passed and seen.key is not None:
        if key.latest_version is not None and key.pinned_version is None:
            newer = _Replace(latest_version=seen.key.version, latest_created=seen.key.created)
            yield newer, Notification.KEY_NEW_VERSION
        step = None if seen.key.expires is None else expiry_step(seen.key.expires, look.now)
        nearer = step is not None and (key.expiry_step is None or step < key.expiry_step)
        yield _Replace(expiry_step=step), Notification.KEY_EXPIRING if nearer else Record.KEY_OBSERVED


def _verification(look: Look, checks: tuple[CheckResult, ...], state: HealthState) -> Verification:
    recorded = look.key.verification
    failed = any(check.result is Result.FAIL for check in checks)
    proven = _is_proven(checks)
    untold = state in _UNKNOWABLE or (not failed and not proven)
    if untold and recorded.state in (VerificationState.VERIFIED, VerificationState.LIMITED):
        return recorded
    new_state = VerificationState.VERIFIED if proven and not failed else VerificationState.FAILED
    if new_state is recorded.state and checks == recorded.checks:
        return recorded
    return Verification(state=new_state, checked_at=look.now, checks=checks)


def _ownership(look: Look) -> Ownership:
    if look.key.ownership.state is OwnershipState.UNPROVEN and owns_key(look) and not look.claimed_elsewhere:
        return Ownership(state=OwnershipState.PROVEN, since=look.now)
    return look.key.ownership


def _canaries(look: Look) -> tuple[Canary, ...]:
    probe = look.seen.probe
    if probe is None or probe.new_canary is None or look.key.canary(probe.new_canary.version) is not None:
        return look.key.canaries
    return (*look.key.canaries, probe.new_canary)


def _suspect(recorded: KeyHealth, look: Look, state: HealthState, reasons: tuple[Reason, ...]) -> _Judged:
    """A revocation seen once is stored; seen again after the delay, it is announced."""
    if recorded.suspected_at is None:
        return replace(recorded, suspected_at=look.now, suspected_state=state), Record.KEY_OBSERVED
    if look.now - recorded.suspected_at < CONFIRMATION_DELAY:
        return recorded, Record.KEY_OBSERVED
    return KeyHealth(state=state, since=look.now, reasons=reasons), Notification.KEY_ACCESS_LOST


def _outage(recorded: KeyHealth, look: Look, state: HealthState, reasons: tuple[Reason, ...]) -> KeyHealth:
    """What cannot be seen stays as it was last seen where that matters: revoked, expired, or suspected."""
    if recorded.state in REVOKED_STATES or recorded.state is HealthState.EXPIRED:
        return recorded
    since = recorded.since if recorded.state is state else look.now
    return replace(recorded, state=state, since=since, reasons=reasons)


def _health(look: Look, state: HealthState, reasons: tuple[Reason, ...]) -> _Judged:
    recorded = look.key.health
    was_revoked = recorded.state in REVOKED_STATES
    ever_verified = look.key.latest_version is not None
    if state in _UNKNOWABLE:
        return _outage(recorded, look, state, reasons), Record.KEY_OBSERVED
    if state in REVOKED_STATES and ever_verified and not was_revoked:
        return _suspect(recorded, look, state, reasons)
    if state is recorded.state:
        return KeyHealth(state=state, since=recorded.since, reasons=reasons), Record.KEY_OBSERVED
    fresh = KeyHealth(state=state, since=look.now, reasons=reasons)
    if was_revoked and ever_verified and state not in REVOKED_STATES:
        return fresh, Notification.KEY_ACCESS_RESTORED
    if state is HealthState.EXPIRED and ever_verified:
        return fresh, Notification.KEY_EXPIRED
    return fresh, Record.KEY_OBSERVED


def _consent(look: Look, reasons: tuple[Reason, ...]) -> ConsentState | None:
    """What the look says of consent; None when it says nothing."""
    if look.seen.token_obtained:
        return ConsentState.GRANTED
    return consent_state(reasons)


def consent_state(reasons: tuple[Reason, ...]) -> ConsentState | None:
    """The consent state that a refused token amounts to; None when it was not about consent."""
    if Reason.CONSENT_MISSING in reasons:
        return ConsentState.MISSING
    if Reason.APPLICATION_DISABLED in reasons:
        return ConsentState.DISABLED
    if Reason.BLOCKED_BY_CONDITIONAL_ACCESS in reasons:
        return ConsentState.BLOCKED
    return None


def _data(key: Key) -> dict[str, Any]:
    return {
        "key": key.name,
        "keyIdentifier": str(key.identifier),
        "version": key.latest_version,
        "health": key.health.state.value,
        "verification": key.verification.state.value,
        "reasons": [reason.value for reason in key.health.reasons],
        "expiresAt": None if key.expires_at is None else key.expires_at.isoformat(),
    }
