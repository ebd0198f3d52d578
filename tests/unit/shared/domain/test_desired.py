"""What a resource should be: derived from the wishes on the customer's, the key's and its own row."""

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.desired import Desired, Leave, Protect, Wait, derive_desired
from shared.domain.model import Customer, HealthState, Key, KeyHealth, Resource, Verification, VersionPolicy
from shared.domain.reasons import Reason
from tests.unit.shared.domain.values import (
    APPLICATION,
    CMK,
    CUSTOMER,
    IDENTITY,
    KEY,
    NOW,
    OTHER_TENANT,
    RESOURCE,
    TENANT,
    V1,
    V2,
    observed_key,
    verified_key,
)


def derive(key: Key | None, customer: Customer = CUSTOMER, resource: Resource = RESOURCE, **changes: Any) -> Desired:
    context = {"identity": IDENTITY, "provider_tenant_id": OTHER_TENANT, **changes}
    return derive_desired(customer, key, resource, **context)


def protect(key: Key, **changes: Any) -> Protect:
    desired = derive(key, **changes)
    assert isinstance(desired, Protect)
    return desired


def test_a_resource_of_a_verified_key_is_to_be_on_its_latest_version() -> None:
    assert protect(verified_key()) == Protect(
        key=CMK,
        version=V1,
        follows_latest=True,
        identity=IDENTITY,
        federated_client_id=APPLICATION,
        ready=True,
        created=observed_key().created,
        proven=frozenset({V1}),
    )


def test_a_pinned_key_wants_exactly_its_version() -> None:
    desired = protect(verified_key(version_policy=VersionPolicy.PINNED, pinned_version=V2))
    assert (desired.version, desired.follows_latest, desired.created) == (V2, False, None)


def test_the_wish_names_the_key_without_a_version() -> None:
    assert protect(verified_key(identifier=CMK.with_version(V1))).key == CMK


def test_a_customer_in_the_providers_own_tenant_needs_no_federation() -> None:
    assert protect(verified_key(), provider_tenant_id=TENANT).federated_client_id is None


@pytest.mark.parametrize("key", [verified_key(), KEY])
def test_a_resource_leaves_when_its_customer_leaves_or_when_it_is_released(key: Key) -> None:
    assert derive(key, customer=replace(CUSTOMER, leaving_since=NOW)) == Leave(CMK)
    assert derive(key, resource=replace(RESOURCE, releasing_since=NOW)) == Leave(CMK)


def test_a_resource_leaves_even_when_its_key_is_not_registered_any_more() -> None:
    assert derive(None, resource=replace(RESOURCE, releasing_since=NOW)) == Leave()


def test_a_resource_waits_for_a_key_that_is_not_registered() -> None:
    desired = derive(None)
    assert isinstance(desired, Wait)
    assert (desired.finding.reason, desired.finding.detail) == (Reason.KEY_NOT_REGISTERED, "Key primary.")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (KEY, "verification pending"),
        (verified_key(verification=Verification()), "verification pending"),
        (
            verified_key(health=KeyHealth(state=HealthState.ACCESS_DENIED, reasons=(Reason.ROLE_MISSING,))),
            "RoleMissing",
        ),
        (verified_key(health=KeyHealth(state=HealthState.UNOBSERVABLE)), "verification verified"),
        (verified_key(ownership=KEY.ownership), "verification verified"),
        (verified_key(latest_version=None), "verification verified"),
    ],
)
def test_a_key_that_is_not_ready_says_why(key: Key, why: str) -> None:
    desired = protect(key)
    assert not desired.ready
    assert desired.finding is not None
    assert desired.finding.reason is Reason.KEY_NOT_READY
    assert desired.finding.detail == f"Key primary: {why}."


@pytest.mark.parametrize("state", [HealthState.HEALTHY, HealthState.EXPIRING])
def test_a_key_that_expires_soon_is_still_ready(state: HealthState) -> None:
    assert protect(verified_key(health=KeyHealth(state=state))).ready
