"""What is recorded and announced of a key, look by look: an outage is no revocation, and nothing is said twice."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from shared.domain.entries import Notification
from shared.domain.key_checks import run_checks
from shared.domain.key_health import CONFIRMATION_DELAY, KeyPlan, decide_key, is_ready
from shared.domain.key_observation import Denial, KeyObservation, Outage, ProbeOutcome, TokenRefusal
from shared.domain.look import Look
from shared.domain.model import (
    Attention,
    ConsentState,
    HealthState,
    Key,
    KeyHealth,
    OwnershipState,
    VerificationState,
    VersionPolicy,
)
from shared.domain.reasons import Reason
from tests.unit.shared.domain.values import (
    CUSTOMER,
    KEY,
    NO_PROBE,
    NOW,
    V1,
    V2,
    canary,
    observed_key,
    probe,
    seen,
    unseen,
    verified_key,
)

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


class Watch:
    """A key that is looked at again and again; remembers what was announced and every step."""

    def __init__(self, key: Key = KEY) -> None:
        self.key = key
        self.now = NOW
        self.announced: list[Notification] = []
        self.plan: KeyPlan | None = None

    def sees(self, observation: KeyObservation, *, after: timedelta = timedelta()) -> KeyPlan:
        self.now += after
        given = Look(customer=CUSTOMER, key=self.key, seen=replace(observation, at=self.now), now=self.now)
        plan = decide_key(given, run_checks(given))
        assert decide_key(given, run_checks(given)) == plan, "the decision is not pure"
        for before, after_step in pairwise([self.key, *(step.key for step in plan.steps)]):
            assert before != after_step, "a step records nothing"
        self.announced += [step.type for step in plan.steps if isinstance(step.type, Notification)]
        if plan.steps:
            self.key = plan.steps[-1].key
        self.plan = plan
        return plan

    @property
    def health(self) -> HealthState:
        return self.key.health.state


def watch_verified() -> Watch:
    return Watch(verified_key())


def with_expiry(days: float, version: str = V1) -> KeyObservation:
    return seen(key=observed_key(version=version, expires=NOW + timedelta(days=days)), probe=probe(version=version))


def new_version(**changes: object) -> KeyObservation:
    return seen(key=observed_key(version=V2), probe=probe(version=V2, **changes))


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
    assert watch.announced == []
    assert watch.health in (HealthState.UNOBSERVABLE, HealthState.PROVIDER_FAULT)
    assert watch.key.verification == verified_key().verification


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_recorded_once_and_ends_in_silence(outage: KeyObservation) -> None:
    watch = watch_verified()
    watch.sees(outage)
    assert watch.sees(outage, after=timedelta(hours=1)).steps == ()
    watch.sees(seen(), after=timedelta(hours=1))
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


def test_a_new_version_that_passed_every_check_is_taken_over_and_announced_once() -> None:
    watch = watch_verified()
    plan = watch.sees(new_version())
    assert watch.announced == [Notification.KEY_NEW_VERSION]
    assert (watch.key.latest_version, plan.moves_resources) == (V2, True)
    assert {one.version for one in watch.key.canaries} == {V1, V2}
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


def test_a_good_look_ends_the_need_for_a_person() -> None:
    watch = Watch(verified_key(attention=Attention(since=NOW, reason=Reason.WORK_POISONED)))
    watch.sees(seen())
    assert watch.key.attention is None


def test_another_finding_of_the_same_health_keeps_its_beginning() -> None:
    watch = Watch(verified_key(health=KeyHealth(state=HealthState.EXPIRING, since=NOW - timedelta(days=1))))
    watch.sees(with_expiry(20))
    assert watch.key.health.since == NOW - timedelta(days=1)
    assert watch.key.health.reasons == (Reason.NEAR_EXPIRY,)


@pytest.mark.parametrize(
    ("observation", "consent"),
    [
        (seen(), ConsentState.GRANTED),
        (DENIED, ConsentState.GRANTED),
        (NO_CONSENT, ConsentState.MISSING),
        (replace(NO_CONSENT, token_refusal=TokenRefusal(aadsts=7000112, detail="")), ConsentState.DISABLED),
        (replace(NO_CONSENT, token_refusal=TokenRefusal(aadsts=53003, detail="")), ConsentState.BLOCKED),
        (UNREACHABLE, ConsentState.GRANTED),
        (replace(UNREACHABLE, token_obtained=False), None),
    ],
)
def test_a_look_tells_of_consent_what_the_token_request_showed(
    observation: KeyObservation, consent: ConsentState | None
) -> None:
    assert watch_verified().sees(observation).consent is consent


def test_an_entry_names_the_key_its_version_and_what_is_wrong() -> None:
    watch = watch_verified()
    step = watch.sees(with_expiry(5)).steps[-1]
    assert step.data == {
        "key": "primary",
        "keyIdentifier": "https://contoso-keys.vault.azure.net/keys/cmk",
        "version": V1,
        "health": "expiring",
        "verification": "verified",
        "reasons": ["NearExpiry"],
        "expiresAt": (NOW + timedelta(days=5)).isoformat(),
    }
