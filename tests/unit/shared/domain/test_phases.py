"""The phase of a customer follows from its rows and nothing else."""

from dataclasses import replace

import pytest

from shared.domain.model import (
    REVOKED_STATES,
    Attention,
    HealthState,
    KeyHealth,
    ResourceState,
    Verification,
    VerificationState,
)
from shared.domain.phases import TROUBLED, Phase, customer_phase
from shared.domain.reasons import Reason
from tests.unit.shared.domain.values import CUSTOMER, KEY, NOW, RESOURCE, V1

ACTIVE = replace(CUSTOMER, onboarded_at=NOW)
HEALTHY = replace(KEY, health=KeyHealth(state=HealthState.HEALTHY))
PROTECTED = replace(RESOURCE, state=ResourceState.PROTECTED)
ATTENTION = Attention(since=NOW, reason=Reason.WORK_POISONED)


def test_a_customer_without_a_first_verified_key_is_onboarding() -> None:
    assert customer_phase(CUSTOMER, [HEALTHY], []) is Phase.ONBOARDING


def test_a_customer_whose_rows_are_all_well_is_active() -> None:
    expiring = replace(KEY, health=KeyHealth(state=HealthState.EXPIRING))
    assert customer_phase(ACTIVE, [HEALTHY, expiring], [PROTECTED]) is Phase.ACTIVE
    assert customer_phase(ACTIVE, [], []) is Phase.ACTIVE


@pytest.mark.parametrize("state", sorted(REVOKED_STATES))
def test_a_customer_is_revoked_when_a_key_that_is_needed_is_revoked(state: HealthState) -> None:
    revoked = replace(KEY, health=KeyHealth(state=state))
    assert customer_phase(ACTIVE, [revoked], [PROTECTED]) is Phase.REVOKED
    assert customer_phase(ACTIVE, iter([revoked]), iter([PROTECTED])) is Phase.REVOKED


@pytest.mark.parametrize("state", sorted(REVOKED_STATES))
def test_a_revoked_key_that_nothing_needs_only_degrades(state: HealthState) -> None:
    revoked = replace(KEY, health=KeyHealth(state=state))
    released = replace(RESOURCE, state=ResourceState.RELEASED)
    assert customer_phase(ACTIVE, [revoked, replace(HEALTHY, name="other")], [released]) is Phase.DEGRADED
    assert customer_phase(ACTIVE, [revoked], [replace(PROTECTED, key="other")]) is Phase.DEGRADED


@pytest.mark.parametrize("state", sorted(set(HealthState) - REVOKED_STATES - {"healthy", "expiring"}))
def test_a_key_that_is_neither_well_nor_revoked_degrades(state: HealthState) -> None:
    key = replace(KEY, health=KeyHealth(state=state))
    assert customer_phase(ACTIVE, [key], [PROTECTED]) is Phase.DEGRADED


@pytest.mark.parametrize("state", sorted(ResourceState))
def test_a_troubled_resource_degrades(state: ResourceState) -> None:
    phase = customer_phase(ACTIVE, [HEALTHY], [replace(RESOURCE, state=state)])
    assert phase is (Phase.DEGRADED if state in TROUBLED else Phase.ACTIVE)


def test_whatever_needs_a_person_degrades() -> None:
    assert customer_phase(replace(ACTIVE, attention=ATTENTION), [HEALTHY], [PROTECTED]) is Phase.DEGRADED
    assert customer_phase(ACTIVE, [replace(HEALTHY, attention=ATTENTION)], []) is Phase.DEGRADED
    assert customer_phase(ACTIVE, [HEALTHY], [replace(PROTECTED, attention=ATTENTION)]) is Phase.DEGRADED


def test_a_key_that_passed_its_checks_once_and_does_not_any_more_degrades() -> None:
    unfit = replace(HEALTHY, latest_version=V1, verification=Verification(state=VerificationState.FAILED))
    assert customer_phase(ACTIVE, [unfit], [PROTECTED]) is Phase.DEGRADED
    assert customer_phase(ACTIVE, [replace(unfit, latest_version=None)], [PROTECTED]) is Phase.ACTIVE


def test_leaving_comes_before_everything_else() -> None:
    leaving = replace(ACTIVE, leaving_since=NOW)
    revoked = replace(KEY, health=KeyHealth(state=HealthState.DELETED))
    assert customer_phase(leaving, [revoked], [PROTECTED]) is Phase.OFFBOARDING
    assert customer_phase(replace(CUSTOMER, leaving_since=NOW), [], []) is Phase.OFFBOARDING
