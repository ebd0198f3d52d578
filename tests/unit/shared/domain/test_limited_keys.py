"""Keys out of reach: used on an operator's and Azure Storage's word, and only while nothing can be seen of them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.desired import Protect, derive_desired
from shared.domain.entries import Notification
from shared.domain.findings import Finding, Result
from shared.domain.key_health import is_ready
from shared.domain.key_observation import Denial, KeyObservation, Outage, TokenRefusal
from shared.domain.key_turns import CONFIRMATION_DELAY
from shared.domain.limited import is_confirmed, is_in_service, is_limited
from shared.domain.model import HealthState, Key, Ownership, OwnershipState, ResourceState, VerificationState
from shared.domain.phases import Phase, customer_phase
from shared.domain.reasons import Reason
from tests.unit.shared.domain.values import (
    CUSTOMER,
    IDENTITY,
    KEY,
    NOW,
    OTHER_TENANT,
    RESOURCE,
    V1,
    look,
    observed_key,
    probe,
    result_of,
    seen,
    unseen,
    verified_key,
)
from tests.unit.shared.domain.watch import Watch

ATTESTED = Ownership(state=OwnershipState.ATTESTED, since=NOW)
OUT_OF_REACH = replace(KEY, ownership=ATTESTED)
REFUSED = Finding(Reason.KEY_REFUSED_BY_STORAGE, "Resource Manager answered 400 KeyVaultAuthenticationFailure.")
FAILED = replace(RESOURCE, state=ResourceState.FAILED, findings=(REFUSED,))


def denied(inner_code: str = "ForbiddenByFirewall", *, bypass_on: bool | None = True, **more: Any) -> KeyObservation:
    return unseen(denial=Denial(http_status=403, inner_code=inner_code, bypass_on=bypass_on), **more)


CLOSED = denied()
NO_PUBLIC_ACCESS = denied("ForbiddenByConnection", bypass_on=None)
NO_CONSENT = unseen(token_obtained=False, token_refusal=TokenRefusal(aadsts=7000229, detail="AADSTS7000229."))
NO_ROLE = denied("ForbiddenByRbac", bypass_on=None)


def watch_limited(**facts: Any) -> Watch:
    watch = Watch(OUT_OF_REACH)
    watch.sees(CLOSED, **facts)
    return watch


def wish(key: Key, **changes: Any) -> Protect:
    desired = derive_desired(
        CUSTOMER, key, replace(RESOURCE, **changes), identity=IDENTITY, provider_tenant_id=OTHER_TENANT
    )
    assert isinstance(desired, Protect)
    return desired


@pytest.mark.parametrize("closed", [CLOSED, NO_PUBLIC_ACCESS, denied(challenge_tenant=None)])
def test_an_attested_key_behind_a_firewall_that_lets_storage_pass_is_ready_for_a_trial(closed: KeyObservation) -> None:
    watch = Watch(OUT_OF_REACH)
    plan = watch.sees(closed)
    assert (watch.key.verification.state, watch.health) == (VerificationState.LIMITED, HealthState.UNOBSERVABLE)
    assert is_ready(watch.key)
    assert plan.moves_resources
    assert watch.announced == []
    assert (wish(watch.key).version, wish(watch.key).follows_latest, wish(watch.key).limited) == (None, True, True)
    assert watch.sees(closed, after=timedelta(hours=5)).steps == ()


@pytest.mark.parametrize(
    "blocked",
    [
        denied(bypass_on=False),
        denied(bypass_on=None),
        denied(challenge_tenant=OTHER_TENANT),
        denied(token_obtained=False),
        NO_CONSENT,
        NO_ROLE,
        denied("KeyDisabled"),
        unseen(missing=True),
        unseen(outage=Outage.UNREACHABLE),
        unseen(outage=Outage.NAME_UNRESOLVED),
        unseen(outage=Outage.NO_TOKEN, token_obtained=False),
        unseen(token_obtained=False, token_refusal=TokenRefusal(aadsts=700211, detail="AADSTS700211.")),
        seen(probe=None),
        seen(key=observed_key(enabled=False)),
        seen(key=observed_key(recovery_level="Purgeable")),
        seen(probe=replace(probe(), new_canary=None)),
    ],
)
def test_whatever_else_is_wrong_or_can_be_seen_leaves_no_room_for_a_trial(blocked: KeyObservation) -> None:
    watch = Watch(OUT_OF_REACH)
    watch.sees(blocked)
    assert watch.key.verification.state is not VerificationState.LIMITED
    assert not is_ready(watch.key)
    assert not wish(watch.key).ready


@pytest.mark.parametrize("ownership", [Ownership(), Ownership(state=OwnershipState.PROVEN, since=NOW)])
def test_without_an_attestation_there_is_no_trial(ownership: Ownership) -> None:
    watch = Watch(replace(KEY, ownership=ownership))
    watch.sees(CLOSED)
    assert watch.key.verification.state is VerificationState.FAILED
    assert not is_ready(watch.key)


@pytest.mark.parametrize("state", [OwnershipState.PROVEN, OwnershipState.ATTESTED])
def test_a_key_that_was_reached_once_never_becomes_limited(state: OwnershipState) -> None:
    watch = Watch(verified_key(ownership=Ownership(state=state, since=NOW)))
    before = watch.key.verification
    for _ in range(3):
        watch.sees(CLOSED, after=timedelta(hours=1), storage_accepted=True)
    assert watch.key.verification == before
    assert (watch.health, is_ready(watch.key)) == (HealthState.UNOBSERVABLE, False)
    assert not wish(watch.key).limited
    assert watch.announced == [Notification.ATTENTION_NEEDED]


def test_nobody_is_called_for_a_key_that_was_never_to_be_seen() -> None:
    watch = watch_limited()
    for _ in range(10):
        watch.sees(CLOSED, after=timedelta(hours=1))
    assert (watch.announced, watch.key.attention) == ([], None)
    for _ in range(2):
        watch.sees(unseen(outage=Outage.UNREACHABLE), after=timedelta(hours=1))
    assert watch.announced == [Notification.ATTENTION_NEEDED]
    assert is_ready(watch.key)


def test_storages_answer_confirms_the_key_and_is_recorded_once() -> None:
    watch = watch_limited()
    assert (is_confirmed(watch.key), is_in_service(watch.key)) == (False, False)
    assert len(watch.sees(CLOSED, after=timedelta(minutes=1), storage_accepted=True).steps) == 1
    assert (is_confirmed(watch.key), is_in_service(watch.key)) == (True, True)
    assert watch.sees(CLOSED, after=timedelta(days=1), storage_accepted=True).steps == ()


def test_storages_refusal_fails_the_key_and_only_the_refused_resource_tries_again() -> None:
    watch = watch_limited()
    watch.sees(CLOSED, after=timedelta(minutes=1), storage_refused=REFUSED)
    assert watch.key.verification.state is VerificationState.FAILED
    line = next(one for one in watch.key.verification.checks if one.check == "trialUpdate")
    assert (line.result, line.reason) == (Result.FAIL, Reason.KEY_REFUSED_BY_STORAGE)
    assert not is_ready(watch.key)
    assert not wish(watch.key, state=ResourceState.PENDING).ready
    assert not wish(watch.key, state=ResourceState.BLOCKED).ready
    assert wish(watch.key, state=FAILED.state, findings=FAILED.findings).ready
    assert watch.sees(CLOSED, after=timedelta(minutes=1), storage_refused=REFUSED).steps == ()
    plan = watch.sees(CLOSED, after=timedelta(minutes=1), storage_accepted=True)
    assert (is_ready(watch.key), plan.moves_resources) == (True, True)


@pytest.mark.parametrize("fault", [NO_CONSENT, unseen(outage=Outage.UNREACHABLE), NO_ROLE])
def test_a_refused_resource_does_not_try_again_with_a_key_that_has_another_fault(fault: KeyObservation) -> None:
    watch = watch_limited()
    watch.sees(CLOSED, storage_refused=REFUSED)
    watch.sees(fault, storage_refused=REFUSED, after=timedelta(minutes=1))
    assert not wish(watch.key, state=FAILED.state, findings=FAILED.findings).ready


def test_a_reachable_key_that_storage_refused_is_none_the_readier_for_it() -> None:
    unfit = verified_key()
    watch = Watch(unfit)
    watch.sees(seen(key=observed_key(operations=frozenset())))
    assert not wish(watch.key, state=FAILED.state, findings=FAILED.findings).ready
    assert result_of(look(key=unfit, storage_refused=REFUSED), "trialUpdate").result is Result.SKIPPED


def test_withdrawn_consent_is_a_loss_of_a_key_in_use_and_its_return_a_restoration() -> None:
    watch = watch_limited(storage_accepted=True)
    watch.sees(NO_CONSENT, storage_accepted=True, after=timedelta(hours=1))
    assert not is_ready(watch.key)
    watch.sees(NO_CONSENT, storage_accepted=True, after=CONFIRMATION_DELAY)
    assert (watch.announced, watch.health) == ([Notification.KEY_ACCESS_LOST], HealthState.CONSENT_LOST)
    watch.sees(CLOSED, storage_accepted=True, after=timedelta(hours=1))
    assert watch.announced[1:] == [Notification.KEY_ACCESS_RESTORED]
    assert (watch.health, is_ready(watch.key)) == (HealthState.UNOBSERVABLE, True)


def test_a_loss_that_was_seen_while_the_vault_was_open_is_not_taken_back_by_closing_it() -> None:
    watch = watch_limited(storage_accepted=True)
    for _ in range(2):
        watch.sees(NO_ROLE, storage_accepted=True, after=timedelta(minutes=1))
    assert watch.announced == [Notification.KEY_ACCESS_LOST]
    watch.sees(CLOSED, storage_accepted=True, after=timedelta(minutes=1))
    assert (watch.health, is_ready(watch.key)) == (HealthState.ACCESS_DENIED, False)
    assert watch.announced == [Notification.KEY_ACCESS_LOST]


def test_a_vault_that_opens_makes_it_a_key_like_any_other_for_good() -> None:
    watch = watch_limited(storage_accepted=True)
    plan = watch.sees(seen(), after=timedelta(hours=1), storage_accepted=True)
    assert watch.announced == [Notification.KEY_VERIFIED]
    assert (watch.key.verification.state, watch.key.target_version) == (VerificationState.VERIFIED, V1)
    assert (watch.key.ownership.state, plan.moves_resources) == (OwnershipState.PROVEN, True)
    watch.sees(CLOSED, after=timedelta(hours=1))
    assert (is_limited(watch.key), is_ready(watch.key)) == (False, False)


def test_a_vault_that_opens_and_shows_an_unfit_key_ends_the_trial() -> None:
    watch = watch_limited()
    watch.sees(seen(key=observed_key(recovery_level="Purgeable")), after=timedelta(hours=1))
    assert (watch.key.verification.state, is_ready(watch.key)) == (VerificationState.FAILED, False)


def test_a_limited_key_does_not_degrade_its_customer_and_a_refused_one_does_not_onboard_it() -> None:
    active = replace(CUSTOMER, onboarded_at=NOW)
    protected = replace(RESOURCE, state=ResourceState.PROTECTED)
    watch = watch_limited(storage_accepted=True)
    assert customer_phase(active, [watch.key], [protected]) is Phase.ACTIVE
    watch.sees(CLOSED, storage_refused=REFUSED, after=timedelta(minutes=1))
    assert customer_phase(active, [watch.key], [protected]) is Phase.DEGRADED
    assert not is_in_service(watch.key)


def test_a_limited_key_that_is_being_removed_encrypts_nothing_more() -> None:
    watch = watch_limited()
    assert not is_ready(replace(watch.key, removing_since=NOW))
    watch.sees(CLOSED, storage_refused=REFUSED)
    assert wish(watch.key, state=FAILED.state, findings=FAILED.findings).ready
    assert not wish(replace(watch.key, removing_since=NOW), state=FAILED.state, findings=FAILED.findings).ready
