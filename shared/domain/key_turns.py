"""The turns that a key's health takes from look to look, and which of them are announced. Pure; part of `key_health`.

An outage never becomes a revocation: it keeps what was known. A revocation is announced only when it was seen twice,
`CONFIRMATION_DELAY` apart; its end needs one look.
"""

from dataclasses import replace
from datetime import timedelta

from shared.domain.entries import EntryType, Notification, Record
from shared.domain.key_judgement import UNKNOWABLE
from shared.domain.look import Look
from shared.domain.model import REVOKED_STATES, HealthState, KeyHealth
from shared.domain.reasons import Reason

CONFIRMATION_DELAY = timedelta(seconds=30)

type Judged = tuple[KeyHealth, EntryType]


def _suspect(recorded: KeyHealth, look: Look, state: HealthState, reasons: tuple[Reason, ...]) -> Judged:
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


def is_relied_on(look: Look) -> bool:
    """Whether something may be encrypted with the key, so that its loss matters."""
    return look.key.latest_version is not None or look.storage_accepted


def turn_health(look: Look, state: HealthState, reasons: tuple[Reason, ...], *, limited: bool) -> Judged:
    """The health after this look, and the entry that tells of it. `limited`: out of reach, and fit for a trial."""
    recorded = look.key.health
    was_revoked = recorded.state in REVOKED_STATES
    relied_on = is_relied_on(look)
    if limited and (not relied_on or _shows_through_a_firewall(recorded)):
        back = was_revoked and relied_on
        since = recorded.since if recorded.state is state else look.now
        health = KeyHealth(state=state, since=since, reasons=reasons)
        return health, Notification.KEY_ACCESS_RESTORED if back else Record.KEY_OBSERVED
    if state in UNKNOWABLE:
        return _outage(recorded, look, state, reasons), Record.KEY_OBSERVED
    if state in REVOKED_STATES and relied_on and not was_revoked:
        return _suspect(recorded, look, state, reasons)
    if state is recorded.state:
        return KeyHealth(state=state, since=recorded.since, reasons=reasons), Record.KEY_OBSERVED
    entry: EntryType = Record.KEY_OBSERVED
    if was_revoked and relied_on and state not in REVOKED_STATES:
        entry = Notification.KEY_ACCESS_RESTORED
    elif state is HealthState.EXPIRED and relied_on:
        entry = Notification.KEY_EXPIRED
    return KeyHealth(state=state, since=look.now, reasons=reasons), entry


def _shows_through_a_firewall(recorded: KeyHealth) -> bool:
    """Whether what is known of the key can be told without reaching it: withdrawn consent can, nothing else."""
    told = recorded.suspected_state or recorded.state
    return told is HealthState.CONSENT_LOST or (told not in REVOKED_STATES and told is not HealthState.EXPIRED)
