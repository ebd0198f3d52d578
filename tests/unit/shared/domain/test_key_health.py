"""What is recorded and announced of a key, look by look: an outage is no revocation, and nothing is said twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.entries import Notification
from shared.domain.key_health import is_ready
from shared.domain.key_observation import Denial, KeyObservation, Outage, ProbeOutcome, TokenRefusal
from shared.domain.key_turns import CONFIRMATION_DELAY
from shared.domain.model import (
    Attention,
    HealthState,
    KeyHealth,
    OwnershipState,
    VerificationState,
)
from shared.domain.reasons import Reason
from tests.unit.shared.domain.values import (
    NO_PROBE,
    NOW,
    V1,
    observed_key,
    probe,
    seen,
    unseen,
    verified_key,
)
from tests.unit.shared.domain.watch import Watch, watch_verified, with_expiry

DENIED = unseen(denial=Denial(http_status=403, inner_code="ForbiddenByRbac"))
DISABLED = seen(key=observed_key(enabled=False), probe=None)
DELETED = unseen(missing=True)
NO_CONSENT = unseen(token_obtained=False, token_refusal=TokenRefusal(aadsts=7000229, detail="AADSTS7000229."))
LOST_CANARY = seen(probe=probe(canaries={V1: ProbeOutcome.REFUSED}))
REVOCATIONS = [
    (DENIED, HealthState.ACCESS_DENIED),
    (DISABLED, HealthState.DISABLED),
    (DELETED, HealthState.DELETED),
    (NO_CONSENT, HealthState.CONSENT_LOST),
    (LOST_CANARY, HealthState.DISABLED),
]
UNREACHABLE = unseen(outage=Outage.UNREACHABLE)
OUR_FAULT = unseen(token_obtained=False, token_refusal=TokenRefusal(aadsts=700211, detail="AADSTS700211."))
OUTAGES = [
    UNREACHABLE,
    unseen(outage=Outage.NAME_UNRESOLVED),
    unseen(outage=Outage.THROTTLED),
    unseen(outage=Outage.NO_TOKEN, token_obtained=False),
    unseen(denial=Denial(http_status=403, inner_code="ForbiddenByFirewall")),
    unseen(denial=Denial(http_status=400, inner_code="BadParameter")),
    OUR_FAULT,
]
QUIET = seen(probe=None)


def test_a_first_good_look_verifies_the_key_and_says_so_once() -> None:
    watch = Watch()
    plan = watch.sees(seen())
    assert watch.announced == [Notification.KEY_VERIFIED]
    assert plan.moves_resources
    assert is_ready(watch.key)
    assert watch.key.latest_version == V1
    assert watch.key.ownership.state is OwnershipState.PROVEN
    assert watch.key.canary(V1) is not None
    assert watch.key.vault_region == "westeurope"


def test_the_same_look_again_records_nothing() -> None:
    watch = watch_verified()
    for observation in (seen(), QUIET, seen(vault_region=None)):
        plan = watch.sees(observation, after=timedelta(hours=1))
        assert plan.steps == ()
        assert not plan.moves_resources
        assert plan.look_again_after is None


def test_verified_is_announced_once_in_a_keys_life() -> None:
    watch = watch_verified()
    for observation in (DISABLED, DISABLED, seen(), seen(key=observed_key(operations=frozenset())), seen()):
        watch.sees(observation, after=timedelta(minutes=5))
    assert Notification.KEY_VERIFIED not in watch.announced
    assert is_ready(watch.key)


def test_a_key_whose_requirements_are_not_met_is_not_verified_and_changes_are_quiet() -> None:
    watch = Watch()
    watch.sees(seen(key=observed_key(tags={}, recovery_level="Purgeable")))
    assert watch.key.verification.state is VerificationState.FAILED
    assert watch.key.ownership.state is OwnershipState.UNPROVEN
    assert watch.key.latest_version is None
    assert watch.announced == []
    watch.sees(seen())
    assert watch.announced == [Notification.KEY_VERIFIED]


def test_a_key_that_nobody_asked_to_wrap_is_never_verified() -> None:
    watch = Watch()
    for observation in (QUIET, seen(probe=NO_PROBE)):
        watch.sees(observation)
        assert watch.key.verification.state is VerificationState.FAILED
        assert watch.key.latest_version is None


@pytest.mark.parametrize("status", [400, 403, 404, 409])
@pytest.mark.parametrize("code", ["Forbidden", "KeyDisabled", "KeyExpired", "SomethingNew"])
def test_a_refused_read_never_verifies_a_key_whatever_was_recorded_before(code: str, status: int) -> None:
    watch = Watch()
    watch.sees(seen(key=observed_key(tags={})))
    watch.sees(unseen(denial=Denial(http_status=status, inner_code=code)))
    assert watch.announced == []
    assert not is_ready(watch.key)


@pytest.mark.parametrize(("revocation", "state"), REVOCATIONS)
def test_a_revocation_is_announced_only_after_two_looks_thirty_seconds_apart(
    revocation: KeyObservation, state: HealthState
) -> None:
    watch = watch_verified()
    plan = watch.sees(revocation)
    assert watch.health is HealthState.HEALTHY
    assert plan.look_again_after == CONFIRMATION_DELAY
    assert watch.key.health.suspected_state is state
    watch.sees(revocation, after=timedelta(seconds=29))
    assert watch.announced == []
    watch.sees(revocation, after=timedelta(seconds=1))
    assert watch.announced == [Notification.KEY_ACCESS_LOST]
    assert (watch.health, watch.key.health.suspected_at) == (state, None)
    assert (watch.key.health.since, bool(watch.key.health.reasons)) == (watch.now, True)
    watch.sees(revocation, after=timedelta(hours=1))
    assert watch.announced == [Notification.KEY_ACCESS_LOST]


@pytest.mark.parametrize(("revocation", "_state"), REVOCATIONS)
def test_nothing_is_encrypted_with_a_key_that_is_suspected(revocation: KeyObservation, _state: HealthState) -> None:
    watch = watch_verified()
    watch.sees(revocation)
    assert not is_ready(watch.key)


def test_a_suspicion_that_does_not_come_true_is_forgotten_in_silence() -> None:
    watch = watch_verified()
    watch.sees(DENIED)
    watch.sees(seen(), after=CONFIRMATION_DELAY)
    assert watch.key.health.suspected_at is None
    watch.sees(DENIED, after=timedelta(hours=1))
    assert watch.announced == []
    assert watch.health is HealthState.HEALTHY


def test_two_different_revocations_confirm_each_other_and_the_later_one_is_told() -> None:
    watch = watch_verified()
    watch.sees(DISABLED)
    watch.sees(DELETED, after=CONFIRMATION_DELAY)
    assert (watch.announced, watch.health) == ([Notification.KEY_ACCESS_LOST], HealthState.DELETED)
    watch.sees(DENIED, after=CONFIRMATION_DELAY)
    assert (watch.announced, watch.health) == ([Notification.KEY_ACCESS_LOST], HealthState.ACCESS_DENIED)


@pytest.mark.parametrize(("revocation", "state"), REVOCATIONS)
def test_a_key_that_never_worked_cannot_lose_access(revocation: KeyObservation, state: HealthState) -> None:
    watch = Watch()
    for _ in range(3):
        watch.sees(revocation, after=timedelta(minutes=1))
    assert (watch.announced, watch.health) == ([], state)


@pytest.mark.parametrize(("revocation", "_state"), REVOCATIONS)
def test_one_good_look_restores_a_revoked_key(revocation: KeyObservation, _state: HealthState) -> None:
    watch = watch_verified()
    watch.sees(revocation)
    watch.sees(revocation, after=CONFIRMATION_DELAY)
    plan = watch.sees(seen(), after=timedelta(minutes=5))
    assert watch.announced == [Notification.KEY_ACCESS_LOST, Notification.KEY_ACCESS_RESTORED]
    assert watch.health is HealthState.HEALTHY
    assert is_ready(watch.key)
    assert plan.moves_resources


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_never_becomes_a_revocation(outage: KeyObservation) -> None:
    watch = watch_verified()
    for _ in range(5):
        watch.sees(outage, after=timedelta(hours=1))
    assert watch.announced == [Notification.ATTENTION_NEEDED]
    assert watch.health in (HealthState.UNOBSERVABLE, HealthState.PROVIDER_FAULT)
    assert watch.key.verification == verified_key().verification


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_recorded_once_and_ends_in_silence(outage: KeyObservation) -> None:
    watch = watch_verified()
    watch.sees(outage)
    for _ in range(11):
        assert watch.sees(outage, after=timedelta(minutes=5)).steps == ()
    watch.sees(seen(), after=timedelta(minutes=5))
    assert (watch.announced, watch.health) == ([], HealthState.HEALTHY)


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_keeps_a_revocation(outage: KeyObservation) -> None:
    watch = watch_verified()
    watch.sees(DENIED)
    watch.sees(DENIED, after=CONFIRMATION_DELAY)
    lost = watch.key.health
    watch.sees(outage, after=timedelta(hours=1))
    assert watch.key.health == lost
    watch.sees(seen(), after=timedelta(hours=1))
    assert watch.announced == [Notification.KEY_ACCESS_LOST, Notification.KEY_ACCESS_RESTORED]


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_between_two_looks_is_neither_a_confirmation_nor_an_acquittal(outage: KeyObservation) -> None:
    watch = watch_verified()
    watch.sees(DENIED)
    watch.sees(outage, after=CONFIRMATION_DELAY)
    assert watch.announced == []
    watch.sees(DENIED, after=CONFIRMATION_DELAY)
    assert watch.announced == [Notification.KEY_ACCESS_LOST]


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_expiry_is_announced_once_even_with_an_outage_in_between(outage: KeyObservation) -> None:
    watch = watch_verified()
    expired = seen(key=observed_key(expires=NOW - timedelta(days=1)), probe=None)
    for observation in (expired, outage, expired):
        watch.sees(observation, after=timedelta(minutes=5))
    assert (watch.announced, watch.health) == ([Notification.KEY_EXPIRED], HealthState.EXPIRED)


def test_a_probe_that_got_no_answer_changes_nothing() -> None:
    watch = watch_verified()
    assert watch.sees(seen(probe=NO_PROBE)).steps == ()
    assert watch.sees(seen(probe=replace(NO_PROBE, wrap=ProbeOutcome.OK))).steps == ()
    assert is_ready(watch.key)


def test_a_probe_that_got_no_answer_does_not_confirm_a_lost_version() -> None:
    watch = watch_verified()
    watch.sees(LOST_CANARY)
    watch.sees(seen(probe=NO_PROBE), after=CONFIRMATION_DELAY)
    assert watch.announced == []
    watch.sees(LOST_CANARY, after=CONFIRMATION_DELAY)
    assert watch.announced == [Notification.KEY_ACCESS_LOST]


def test_a_probe_that_got_no_answer_does_not_restore_a_lost_version() -> None:
    watch = watch_verified()
    watch.sees(LOST_CANARY)
    watch.sees(LOST_CANARY, after=CONFIRMATION_DELAY)
    watch.sees(seen(probe=NO_PROBE), after=timedelta(minutes=5))
    assert watch.health is HealthState.DISABLED
    watch.sees(seen(), after=timedelta(minutes=5))
    assert watch.announced == [Notification.KEY_ACCESS_LOST, Notification.KEY_ACCESS_RESTORED]


def test_the_providers_fault_is_never_shown_as_the_customers() -> None:
    watch = watch_verified()
    plan = watch.sees(OUR_FAULT)
    assert watch.health is HealthState.PROVIDER_FAULT
    assert watch.key.health.reasons == (Reason.PROVIDER_CREDENTIAL_BROKEN,)
    assert plan.consent is None


def test_a_good_look_ends_the_need_for_a_person() -> None:
    watch = Watch(verified_key(attention=Attention(since=NOW, reason=Reason.WORK_POISONED)))
    watch.sees(seen())
    assert watch.key.attention is None


def test_another_finding_of_the_same_health_keeps_its_beginning() -> None:
    watch = Watch(verified_key(health=KeyHealth(state=HealthState.EXPIRING, since=NOW - timedelta(days=1))))
    watch.sees(with_expiry(20))
    assert watch.key.health.since == NOW - timedelta(days=1)
    assert watch.key.health.reasons == (Reason.NEAR_EXPIRY,)
