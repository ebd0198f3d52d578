"""What else a look at a key leaves behind: the report, what it says of consent, and what its entry names."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.key_observation import Denial, KeyObservation, Outage, TokenRefusal
from shared.domain.model import ConsentState, HealthState
from shared.domain.reasons import Reason
from tests.unit.shared.domain.values import NOW, V1, observed_key, seen, unseen
from tests.unit.shared.domain.watch import Watch, watch_verified, with_expiry

DENIED = unseen(denial=Denial(http_status=403, inner_code="ForbiddenByRbac"))
NO_CONSENT = unseen(token_obtained=False, token_refusal=TokenRefusal(aadsts=7000229, detail="AADSTS7000229."))
UNREACHABLE = unseen(outage=Outage.UNREACHABLE)


def test_a_key_is_unknown_until_the_first_look() -> None:
    watch = Watch()
    states = [watch.key.health.state]
    watch.sees(UNREACHABLE)
    states.append(watch.key.health.state)
    assert states == [HealthState.UNKNOWN, HealthState.UNOBSERVABLE]


def test_another_report_of_a_key_that_still_fails_is_recorded() -> None:
    watch = Watch()
    unproven: dict[str, Any] = {"tags": {}}
    purgeable: dict[str, Any] = {"recovery_level": "Purgeable"}
    for findings in (unproven, unproven | purgeable, purgeable):
        watch.sees(seen(key=observed_key(**findings)), after=timedelta(minutes=1))
        reasons = {line.reason for line in watch.key.verification.checks if line.reason is not None}
        assert (Reason.OWNERSHIP_UNPROVEN in reasons, Reason.PURGE_PROTECTION_MISSING in reasons) == (
            watch.key.ownership.since is None,
            "recovery_level" in findings,
        )
        assert watch.key.verification.checked_at == watch.now


def test_a_warning_of_a_verified_key_is_recorded_in_its_report() -> None:
    watch = watch_verified()
    watch.sees(with_expiry(20))
    assert Reason.NEAR_EXPIRY in {line.reason for line in watch.key.verification.checks}


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
