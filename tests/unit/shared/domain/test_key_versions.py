"""New versions and expiry: what is taken over, and what is announced on the way to a version's end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.entries import Notification
from shared.domain.key_health import is_ready
from shared.domain.key_observation import KeyObservation, ProbeOutcome
from shared.domain.key_turns import CONFIRMATION_DELAY
from shared.domain.model import HealthState, VersionPolicy
from tests.unit.shared.domain.values import NO_PROBE, NOW, V1, V2, canary, observed_key, probe, seen, verified_key
from tests.unit.shared.domain.watch import Watch, new_version, watch_verified, with_expiry

DISABLED = seen(key=observed_key(enabled=False), probe=None)


def test_a_new_version_that_passed_every_check_is_taken_over_and_announced_once() -> None:
    watch = watch_verified()
    plan = watch.sees(new_version())
    assert watch.announced == [Notification.KEY_NEW_VERSION]
    assert (watch.key.latest_version, plan.moves_resources) == (V2, True)
    assert {one.version for one in watch.key.canaries} == {V1, V2}
    assert watch.key.latest_created == observed_key().created + timedelta(days=1)
    assert watch.sees(new_version(), after=timedelta(hours=1)).steps == ()


@pytest.mark.parametrize(
    "unfit",
    [
        seen(key=observed_key(version=V2, operations=frozenset({"sign"})), probe=probe(version=V2)),
        seen(key=observed_key(version=V2, key_type="EC"), probe=probe(version=V2)),
        seen(key=observed_key(version=V2, recovery_level="Purgeable"), probe=probe(version=V2)),
        new_version(wrap=ProbeOutcome.REFUSED, new_canary=None),
        new_version(unwrap=ProbeOutcome.WRONG, new_canary=None),
        new_version(unwrap=ProbeOutcome.NOT_TRIED, new_canary=None),
        seen(key=observed_key(version=V2), probe=NO_PROBE),
        seen(key=observed_key(version=V2), probe=None),
        seen(key=observed_key(version=V2, enabled=False), probe=probe(version=V2)),
    ],
)
def test_a_new_version_that_did_not_pass_every_check_is_not_taken_over(unfit: KeyObservation) -> None:
    watch = watch_verified()
    plan = watch.sees(unfit)
    assert watch.key.latest_version == V1
    assert watch.announced == []
    assert not plan.moves_resources
    watch.sees(new_version(), after=timedelta(minutes=5))
    assert (watch.key.latest_version, watch.announced) == (V2, [Notification.KEY_NEW_VERSION])


def test_a_new_version_does_not_move_the_resources_of_a_pinned_key() -> None:
    watch = Watch(verified_key(version_policy=VersionPolicy.PINNED, pinned_version=V1))
    plan = watch.sees(new_version())
    assert not watch.announced
    assert (watch.key.target_version, plan.moves_resources) == (V1, False)


def test_a_canary_that_is_there_is_never_replaced() -> None:
    watch = watch_verified()
    first = watch.key.canary(V1)
    watch.sees(seen(probe=probe(new_canary=replace(canary(V1), wrapped="another"))))
    assert watch.key.canary(V1) == first


def test_each_step_of_the_expiry_ladder_is_announced_once() -> None:
    watch = watch_verified()
    for days in (91, 90, 89, 31, 30, 29, 15, 14, 8, 7, 6, 2, 1, 0.5):
        told = len(watch.announced)
        watch.sees(with_expiry(days))
        watch.sees(with_expiry(days))
        assert len(watch.announced) - told == (days in (90, 30, 14, 7, 1))
    assert watch.announced == [Notification.KEY_EXPIRING] * 5
    assert watch.health is HealthState.EXPIRING
    assert is_ready(watch.key)


def test_steps_that_passed_unseen_are_announced_as_the_one_that_counts() -> None:
    watch = watch_verified()
    watch.sees(with_expiry(5))
    assert watch.announced == [Notification.KEY_EXPIRING]
    assert watch.key.expiry_step == 7


def test_an_expiry_that_moved_away_begins_the_ladder_anew() -> None:
    watch = watch_verified()
    for days in (5, 400, 5):
        watch.sees(with_expiry(days))
    assert watch.announced == [Notification.KEY_EXPIRING] * 2
    watch.sees(seen())
    assert (watch.key.expiry_step, watch.key.expires_at) == (None, None)


def test_an_expired_key_is_announced_once_and_is_not_ready() -> None:
    watch = watch_verified()
    watch.sees(with_expiry(0.5))
    expired = seen(key=observed_key(expires=NOW + timedelta(days=0.5)), probe=None)
    for _ in range(3):
        watch.sees(expired, after=timedelta(days=1))
    assert watch.announced == [Notification.KEY_EXPIRING, Notification.KEY_EXPIRED]
    assert watch.health is HealthState.EXPIRED
    assert not is_ready(watch.key)


def test_a_rotation_ends_an_expiry() -> None:
    watch = watch_verified()
    watch.sees(seen(key=observed_key(expires=NOW - timedelta(days=1)), probe=None))
    watch.sees(new_version(), after=timedelta(hours=1))
    assert watch.announced == [Notification.KEY_EXPIRED, Notification.KEY_NEW_VERSION]
    assert is_ready(watch.key)


def test_everything_that_comes_in_one_look_is_announced_each_in_a_step_of_its_own() -> None:
    watch = watch_verified()
    watch.sees(DISABLED)
    watch.sees(DISABLED, after=CONFIRMATION_DELAY)
    plan = watch.sees(with_expiry(20, V2), after=timedelta(hours=1))
    announced = [step.type for step in plan.steps if isinstance(step.type, Notification)]
    assert announced == [
        Notification.KEY_ACCESS_RESTORED,
        Notification.KEY_NEW_VERSION,
        Notification.KEY_EXPIRING,
    ]
    assert len({step.key for step in plan.steps}) == len(plan.steps)


def test_a_crash_between_two_steps_loses_no_announcement_and_doubles_none() -> None:
    watch = watch_verified()
    watch.sees(DISABLED)
    watch.sees(DISABLED, after=CONFIRMATION_DELAY)
    revoked = watch.key
    whole = watch.sees(with_expiry(20, V2), after=timedelta(hours=1))
    expected = [step.type for step in whole.steps if isinstance(step.type, Notification)]
    for survived in range(len(whole.steps)):
        again = Watch(whole.steps[survived - 1].key if survived else revoked)
        again.now = watch.now
        before = [step.type for step in whole.steps[:survived] if isinstance(step.type, Notification)]
        again.sees(with_expiry(20, V2))
        assert before + again.announced == expected
        assert again.key == watch.key
