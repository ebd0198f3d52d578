"""Warnings: what will hurt later is said, and changes nothing else."""

from datetime import timedelta

import pytest

from shared.domain.findings import Result
from shared.domain.model import HealthState, Ownership, OwnershipState, VerificationState
from shared.domain.reasons import Owner, Reason
from shared.domain.remedies import remedy
from tests.unit.shared.domain.values import CUSTOMER, KEY, NOW, V1, look, observed_key, result_of, seen, verified_key
from tests.unit.shared.domain.watch import Watch

TWO_YEARS = timedelta(days=730)


@pytest.mark.parametrize(
    ("age", "expires", "result"),
    [
        (TWO_YEARS, None, Result.PASS),
        (TWO_YEARS + timedelta(seconds=1), None, Result.WARN),
        (3 * TWO_YEARS, None, Result.WARN),
        (3 * TWO_YEARS, NOW + timedelta(days=400), Result.PASS),
    ],
)
def test_a_version_without_expiry_is_overdue_after_two_years(age: timedelta, expires: object, result: Result) -> None:
    line = result_of(seen(key=observed_key(created=NOW - age, expires=expires)), "rotationAge")
    assert line.result is result
    assert line.reason is (Reason.ROTATION_OVERDUE if result is Result.WARN else None)


def test_an_overdue_rotation_is_the_customers_and_says_what_to_do() -> None:
    line = result_of(seen(key=observed_key(created=NOW - 2 * TWO_YEARS)), "rotationAge")
    assert line.owner is Owner.CUSTOMER
    assert "was made 2022-11-23." in line.message
    text = remedy(line.reason, customer=CUSTOMER, key=KEY) or ""
    assert "az keyvault key rotate --vault-name contoso-keys --name cmk" in text
    assert "az keyvault key rotation-policy update --vault-name contoso-keys --name cmk" in text


def test_an_overdue_rotation_is_recorded_once_and_announced_never() -> None:
    watch = Watch(verified_key())
    old = seen(key=observed_key(created=NOW - TWO_YEARS))
    watch.sees(old)
    watch.sees(old, after=timedelta(days=1))
    assert watch.key.verification.state is VerificationState.VERIFIED
    assert Reason.ROTATION_OVERDUE in {check.reason for check in watch.key.verification.checks}
    assert (watch.announced, watch.health) == ([], HealthState.HEALTHY)
    assert watch.sees(old, after=timedelta(days=30)).steps == ()


def test_a_missing_subscription_points_to_the_page_on_the_webhook() -> None:
    assert "docs/webhook.md" in (remedy(Reason.SUBSCRIPTION_MISSING, customer=CUSTOMER, key=KEY) or "")


def test_an_attested_key_that_can_be_read_should_still_be_tagged() -> None:
    attested = verified_key(ownership=Ownership(state=OwnershipState.ATTESTED, since=NOW))
    line = result_of(look(seen(key=observed_key(tags={})), key=attested), "ownership")
    assert (line.result, line.reason) == (Result.WARN, Reason.OWNERSHIP_UNPROVEN)
    watch = Watch(attested)
    watch.sees(seen(key=observed_key(tags={})))
    assert watch.key.verification.state is VerificationState.VERIFIED
    assert watch.key.ownership.state is OwnershipState.ATTESTED


def test_an_attested_key_that_is_tagged_is_proven() -> None:
    watch = Watch(verified_key(ownership=Ownership(state=OwnershipState.ATTESTED, since=NOW)))
    watch.sees(seen())
    assert watch.key.ownership.state is OwnershipState.PROVEN
    assert watch.key.latest_version == V1
