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
from shared.domain.key_judgement import UNKNOWABLE, consent_state, is_proven, judge, keep_probed
from shared.domain.key_memory import KeyMemory, LearntBy, is_call_due, is_reminder_due
from shared.domain.key_observation import ObservedKey
from shared.domain.key_turns import CONFIRMATION_DELAY, Judged, is_relied_on, turn_health
from shared.domain.limited import TRIAL, is_fit_for_trial, is_limited
from shared.domain.look import Look, owns_key
from shared.domain.model import (
    REVOKED_STATES,
    Attention,
    Canary,
    ConsentState,
    HealthState,
    Key,
    Ownership,
    OwnershipState,
    Verification,
    VerificationState,
)
from shared.domain.reasons import Reason


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
    limited = is_fit_for_trial(look, checks)
    seen_now = judge(checks)
    checks = checks if limited else keep_probed(look, checks)
    state, reasons = judge(checks)
    if look.seen.key is None and state in (HealthState.HEALTHY, HealthState.EXPIRING):
        # Nothing was found wrong because nothing was seen.
        state, seen_now = HealthState.UNOBSERVABLE, (HealthState.UNOBSERVABLE, reasons)
    # A loss that this look only remembers is no second observation of it; nor is not being told the end of it.
    remembered = state is not seen_now[0]
    steps: list[KeyStep] = []
    current = before
    judged = (before.health, Record.KEY_OBSERVED) if remembered else turn_health(look, state, reasons, limited=limited)
    finding = _Finding(checks=checks, state=state, reasons=reasons, limited=limited, remembered=remembered)
    for changed, entry_type, more in _facets(look, finding, judged):
        merged = changed(current)
        if merged != current:
            steps.append(KeyStep(key=merged, type=entry_type, data=_data(merged) | more))
            current = merged
    suspected = current.health.suspected_at is not None
    return KeyPlan(
        steps=tuple(steps),
        moves_resources=current.target_version != before.target_version or (is_ready(current) and not is_ready(before)),
        look_again_after=CONFIRMATION_DELAY if suspected else None,
        consent=_consent(look, reasons),
    )


def is_ready(key: Key) -> bool:
    """Whether something may be encrypted with the key now.

    A key out of reach is ready for Azure Storage's trial while nothing but that is known of it.
    """
    if key.ownership.state is OwnershipState.UNPROVEN or key.removing_since is not None:
        return False
    if is_limited(key):
        return key.health.state is HealthState.UNOBSERVABLE
    return (
        key.verification.state is VerificationState.VERIFIED
        and key.health.state in (HealthState.HEALTHY, HealthState.EXPIRING)
        and key.target_version is not None
        and key.canary(key.target_version) is not None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What a look amounts to. `limited`: the key is out of reach and fit for a trial; `remembered`: not seen now."""

    checks: tuple[CheckResult, ...]
    state: HealthState
    reasons: tuple[Reason, ...]
    limited: bool
    remembered: bool


class _Replace:
    """A change of some of the key's fields, applied when its turn comes."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields
        self.memory: KeyMemory | None = fields.get("memory")

    def __call__(self, key: Key) -> Key:
        return replace(key, **self._fields)


type _Facet = tuple[_Replace, EntryType, dict[str, Any]]


def _facets(look: Look, finding: _Finding, judged: Judged) -> Iterator[_Facet]:
    """Yield every aspect that may have changed, each with the entry that tells of it and what it says beside."""
    key, seen, state = look.key, look.seen, finding.state
    verification = _verification(look, finding)
    health, health_entry = judged
    memory = _memory(look, finding)
    newly_verified = verification.state is VerificationState.VERIFIED and key.latest_version is None
    quiet: dict[str, Any] = {
        "verification": verification,
        "ownership": _ownership(look),
        "canaries": _canaries(look),
        "memory": memory,
    }
    if seen.vault_region is not None:
        quiet["vault_region"] = seen.vault_region
    if health_entry is Record.KEY_OBSERVED:
        quiet["health"] = health
    if memory.unseen_since is None and key.attention is not None and key.attention.reason is Reason.KEY_UNSEEN:
        quiet["attention"] = None
    verified = verification.state is VerificationState.VERIFIED and state not in UNKNOWABLE
    passed = verified and is_proven(finding.checks)
    if passed and seen.key is not None:
        quiet["expires_at"] = seen.key.expires
        quiet["attention"] = None
        if key.latest_version in (None, seen.key.version):
            quiet["latest_version"] = seen.key.version
            quiet["latest_created"] = seen.key.created
    yield _Replace(**quiet), Notification.KEY_VERIFIED if newly_verified else Record.KEY_OBSERVED, {}
    for change, entry_type, more in _tidings(look, finding, judged, memory):
        memory = change.memory or memory
        yield change, entry_type, more
    if passed and seen.key is not None:
        yield from _versions(look, seen.key, memory)


def _tidings(look: Look, finding: _Finding, judged: Judged, memory: KeyMemory) -> Iterator[_Facet]:
    """Yield what people are told of the key's health: its turn, that a loss lasts, that nobody can see it."""
    health, health_entry = judged
    if health_entry is not Record.KEY_OBSERVED:
        lost = health_entry is Notification.KEY_ACCESS_LOST
        memory = replace(memory, announced_at=look.now if lost else None)
        yield _Replace(health=health, memory=memory), health_entry, {"reminder": False} if lost else {}
    elif _lasts(look, finding) and is_reminder_due(memory, lost_since=look.key.health.since, now=look.now):
        memory = replace(memory, announced_at=look.now)
        yield _Replace(memory=memory), Notification.KEY_ACCESS_LOST, {"reminder": True}
    if is_call_due(memory, look.now):
        memory = replace(memory, called_at=look.now)
        yield _call(memory, finding, look)


def _versions(look: Look, seen: ObservedKey, memory: KeyMemory) -> Iterator[_Facet]:
    """Yield what a look that passed every check tells of a newer version and of the expiry."""
    key = look.key
    if key.latest_version is not None and key.pinned_version is None:
        if seen.version != key.latest_version:
            memory = replace(memory, learnt_by=look.learnt_by or memory.learnt_by)
        newer = _Replace(latest_version=seen.version, latest_created=seen.created, memory=memory)
        yield newer, Notification.KEY_NEW_VERSION, {}
    step = None if seen.expires is None else expiry_step(seen.expires, look.now)
    nearer = step is not None and (key.expiry_step is None or step < key.expiry_step)
    yield _Replace(expiry_step=step), Notification.KEY_EXPIRING if nearer else Record.KEY_OBSERVED, {}


def _memory(look: Look, finding: _Finding) -> KeyMemory:
    """Since when the key is out of sight, and whether an event has come after all."""
    memory = look.key.memory
    if finding.state not in UNKNOWABLE or finding.limited:
        memory = replace(memory, unseen_since=None, called_at=None)
    elif memory.unseen_since is None:
        memory = replace(memory, unseen_since=look.now)
    if look.learnt_by is LearntBy.EVENT and memory.learnt_by is LearntBy.SWEEP:
        memory = replace(memory, learnt_by=LearntBy.EVENT)
    return memory


def _lasts(look: Look, finding: _Finding) -> bool:
    """Whether a loss that was announced is seen again."""
    lost = look.key.health.state in REVOKED_STATES and finding.state in REVOKED_STATES
    return lost and not finding.remembered and is_relied_on(look)


def _call(memory: KeyMemory, finding: _Finding, look: Look) -> _Facet:
    """Call a person; one who was called for something else before keeps that."""
    why = ", ".join((finding.state.value, *(reason.value for reason in finding.reasons)))
    attention = look.key.attention or Attention(since=look.now, reason=Reason.KEY_UNSEEN, detail=f"Seen: {why}.")
    since = None if memory.unseen_since is None else memory.unseen_since.isoformat()
    more = {"reasons": [Reason.KEY_UNSEEN.value, *(reason.value for reason in finding.reasons)], "unseenSince": since}
    return _Replace(memory=memory, attention=attention), Notification.ATTENTION_NEEDED, more


def _verification(look: Look, finding: _Finding) -> Verification:
    recorded, checks = look.key.verification, finding.checks
    failed = any(check.result is Result.FAIL for check in checks)
    refused = any(check.check == TRIAL and check.result is Result.FAIL for check in checks)
    proven = is_proven(checks)
    untold = finding.state in UNKNOWABLE or (not failed and not proven)
    kept = recorded.state in (VerificationState.VERIFIED, VerificationState.LIMITED)
    if untold and kept and not refused and not finding.limited:
        return recorded
    new_state = VerificationState.VERIFIED if proven and not failed else VerificationState.FAILED
    if finding.limited:
        new_state = VerificationState.LIMITED
    if new_state is recorded.state and checks == recorded.checks:
        return recorded
    return Verification(state=new_state, checked_at=look.now, checks=checks)


def _ownership(look: Look) -> Ownership:
    if look.key.ownership.state is not OwnershipState.PROVEN and owns_key(look) and not look.claimed_elsewhere:
        return Ownership(state=OwnershipState.PROVEN, since=look.now)
    return look.key.ownership


def _canaries(look: Look) -> tuple[Canary, ...]:
    probe = look.seen.probe
    if probe is None or probe.new_canary is None or look.key.canary(probe.new_canary.version) is not None:
        return look.key.canaries
    return (*look.key.canaries, probe.new_canary)


def _consent(look: Look, reasons: tuple[Reason, ...]) -> ConsentState | None:
    """What the look says of consent; None when it says nothing."""
    if look.seen.token_obtained:
        return ConsentState.GRANTED
    return consent_state(reasons)


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
