"""What is said again, and who is called: reminders of a loss, keys nobody can look at, rotations without an event."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.entries import Notification
from shared.domain.findings import Result
from shared.domain.key_memory import LearntBy
from shared.domain.key_observation import Denial, KeyObservation, Outage, TokenRefusal
from shared.domain.key_turns import CONFIRMATION_DELAY
from shared.domain.model import Attention, HealthState, KeyHealth
from shared.domain.reasons import Reason
from tests.unit.shared.domain.values import NOW, V2, observed_key, seen, unseen, verified_key
from tests.unit.shared.domain.watch import Watch, new_version, watch_verified

DENIED = unseen(denial=Denial(http_status=403, inner_code="ForbiddenByRbac"))
DISABLED = seen(key=observed_key(enabled=False), probe=None)
DELETED = unseen(missing=True)
NO_CONSENT = unseen(token_obtained=False, token_refusal=TokenRefusal(aadsts=7000229, detail="AADSTS7000229."))
UNREACHABLE = unseen(outage=Outage.UNREACHABLE)
OUR_FAULT = unseen(token_obtained=False, token_refusal=TokenRefusal(aadsts=700211, detail="AADSTS700211."))
SWEEP = timedelta(minutes=5)
LOST, CALLED = Notification.KEY_ACCESS_LOST, Notification.ATTENTION_NEEDED


def watch_lost(observation: KeyObservation = DENIED) -> Watch:
    watch = watch_verified()
    watch.sees(observation)
    watch.sees(observation, after=CONFIRMATION_DELAY)
    assert watch.announced == [LOST]
    return watch


@pytest.mark.parametrize("loss", [DENIED, DISABLED, DELETED, NO_CONSENT])
def test_a_loss_that_lasts_is_spoken_of_again_every_day_and_nothing_else_is_written(loss: KeyObservation) -> None:
    watch = watch_lost(loss)
    assert watch.plan is not None
    assert watch.plan.steps[-1].data["reminder"] is False
    told = 0
    for _ in range(3 * 24 * 12):
        steps = watch.sees(loss, after=SWEEP).steps
        assert len(steps) <= 1
        told += len(steps)
        for step in steps:
            assert (step.type, step.data["reminder"]) == (LOST, True)
            assert step.key.health.since == NOW + CONFIRMATION_DELAY
    assert told == 3


def test_a_loss_recorded_by_an_earlier_version_is_spoken_of_a_day_after_it_began() -> None:
    lost = KeyHealth(state=HealthState.ACCESS_DENIED, since=NOW, reasons=(Reason.ROLE_MISSING,))
    watch = Watch(verified_key(health=lost))
    watch.sees(DENIED, after=timedelta(hours=23))
    assert watch.announced == []
    watch.sees(DENIED, after=timedelta(hours=1))
    assert watch.announced == [LOST]


def test_a_loss_that_turns_into_another_keeps_its_day() -> None:
    watch = watch_lost(DISABLED)
    watch.sees(DELETED, after=timedelta(hours=12))
    assert watch.announced == [LOST]
    watch.sees(DELETED, after=timedelta(hours=12))
    assert watch.announced == [LOST, LOST]


def test_a_key_that_is_out_of_sight_is_not_said_to_be_lost_again() -> None:
    watch = watch_lost()
    for _ in range(50):
        watch.sees(UNREACHABLE, after=timedelta(hours=1))
    assert watch.announced == [LOST, CALLED]


def test_after_a_restoration_the_next_loss_has_days_of_its_own() -> None:
    watch = watch_lost()
    watch.sees(seen(), after=timedelta(hours=20))
    watch.sees(DENIED, after=timedelta(hours=1))
    watch.sees(DENIED, after=CONFIRMATION_DELAY)
    watch.sees(DENIED, after=timedelta(hours=23))
    assert watch.announced.count(LOST) == 2


def test_a_key_that_never_served_is_not_spoken_of() -> None:
    watch = Watch()
    for _ in range(60):
        watch.sees(DISABLED, after=timedelta(hours=1))
    assert watch.announced == []


@pytest.mark.parametrize("outage", [UNREACHABLE, OUR_FAULT])
def test_an_hour_out_of_sight_calls_a_person_once(outage: KeyObservation) -> None:
    watch = watch_verified()
    watch.sees(outage)
    for minutes in range(5, 60, 5):
        assert watch.sees(outage, after=SWEEP).steps == (), minutes
    (step,) = watch.sees(outage, after=SWEEP).steps
    assert step.type is CALLED
    assert step.data["reasons"][0] == "KeyUnseen"
    assert step.data["unseenSince"] == NOW.isoformat()
    assert step.key.attention is not None
    assert (step.key.attention.since, step.key.attention.reason) == (watch.now, Reason.KEY_UNSEEN)
    for _ in range(100):
        assert watch.sees(outage, after=SWEEP).steps == ()


def test_an_hour_in_which_the_fault_changes_hands_is_one_hour() -> None:
    watch = watch_verified()
    for turn in range(13):
        watch.sees(UNREACHABLE if turn % 2 else OUR_FAULT, after=SWEEP)
    assert watch.announced == [CALLED]


def test_one_look_in_between_begins_the_hour_anew() -> None:
    watch = watch_verified()
    for _ in range(3):
        watch.sees(UNREACHABLE)
        watch.sees(UNREACHABLE, after=timedelta(minutes=59))
        watch.sees(seen(), after=timedelta(minutes=1))
    assert watch.announced == []


def test_the_call_ends_when_the_key_is_seen_again_and_a_new_episode_calls_again() -> None:
    watch = watch_verified()
    for _ in range(2):
        watch.sees(UNREACHABLE)
        watch.sees(UNREACHABLE, after=timedelta(hours=1))
        assert watch.key.attention is not None
        watch.sees(seen(), after=SWEEP)
        assert watch.key.attention is None
    assert watch.announced == [CALLED, CALLED]
    assert watch.sees(seen(), after=SWEEP).steps == ()


def test_a_key_that_is_seen_to_be_unfit_needs_nobody_to_look_for_it() -> None:
    watch = Watch()
    watch.sees(UNREACHABLE)
    watch.sees(UNREACHABLE, after=timedelta(hours=1))
    watch.sees(seen(key=observed_key(tags={})), after=SWEEP)
    assert watch.key.attention is None


def test_what_a_person_was_called_for_before_is_kept() -> None:
    poisoned = Attention(since=NOW, reason=Reason.WORK_POISONED, detail="checkKey, attempt 3.")
    watch = Watch(verified_key(attention=poisoned))
    watch.sees(UNREACHABLE)
    watch.sees(UNREACHABLE, after=timedelta(hours=1))
    assert watch.announced == [CALLED]
    assert watch.key.attention == poisoned


def check_of(watch: Watch) -> tuple[Result, Reason | None]:
    return next((one.result, one.reason) for one in watch.key.verification.checks if one.check == "eventSubscription")


def test_a_rotation_that_the_sweep_found_and_no_event_told_of_is_a_warning() -> None:
    watch = watch_verified()
    watch.sees(new_version(), after=timedelta(hours=1), learnt_by=LearntBy.SWEEP)
    assert watch.key.memory.learnt_by is LearntBy.SWEEP
    assert check_of(watch) == (Result.SKIPPED, None)
    newer = new_version()
    watch.sees(newer, after=SWEEP, learnt_by=LearntBy.SWEEP)
    assert check_of(watch) == (Result.WARN, Reason.SUBSCRIPTION_MISSING)
    assert watch.health is HealthState.HEALTHY
    assert watch.announced == [Notification.KEY_NEW_VERSION]
    assert watch.sees(newer, after=timedelta(days=1), learnt_by=LearntBy.SWEEP).steps == ()


@pytest.mark.parametrize("learnt_by", [LearntBy.EVENT, None])
def test_a_rotation_that_an_event_told_of_or_a_person_found_is_none(learnt_by: LearntBy | None) -> None:
    watch = watch_verified()
    watch.sees(new_version(), after=timedelta(hours=1), learnt_by=learnt_by)
    watch.sees(new_version(), after=timedelta(hours=1), learnt_by=LearntBy.SWEEP)
    assert check_of(watch)[0] is (Result.PASS if learnt_by else Result.SKIPPED)


def test_an_event_that_comes_later_takes_the_warning_back() -> None:
    watch = watch_verified()
    watch.sees(new_version(), after=timedelta(hours=1), learnt_by=LearntBy.SWEEP)
    watch.sees(new_version(), after=SWEEP, learnt_by=LearntBy.SWEEP)
    watch.sees(new_version(), after=SWEEP, learnt_by=LearntBy.EVENT)
    assert check_of(watch) == (Result.PASS, None)
    assert watch.sees(new_version(), after=SWEEP, learnt_by=LearntBy.SWEEP).steps == ()


def test_a_fresh_version_has_some_minutes_for_its_event() -> None:
    watch = watch_verified()
    fresh = new_version()
    assert fresh.key is not None
    fresh = replace(fresh, key=replace(fresh.key, created=NOW))
    watch.sees(fresh, after=SWEEP, learnt_by=LearntBy.SWEEP)
    watch.sees(fresh, after=SWEEP, learnt_by=LearntBy.SWEEP)
    assert watch.key.latest_version == V2
    assert check_of(watch) == (Result.PASS, None)
    watch.sees(fresh, after=SWEEP, learnt_by=LearntBy.SWEEP)
    assert check_of(watch) == (Result.WARN, Reason.SUBSCRIPTION_MISSING)
