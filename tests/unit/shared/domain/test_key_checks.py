"""The check chain, row by row: when a check passes, when it fails and why, and when it cannot tell."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.findings import Result
from shared.domain.key_checks import CHECKS, run_checks
from shared.domain.key_observation import Denial, KeyObservation, Outage, ProbeOutcome, TokenRefusal
from shared.domain.key_refusals import token_reason
from shared.domain.model import Ownership, OwnershipState
from shared.domain.reasons import Owner, Reason
from tests.unit.shared.domain.values import (
    CUSTOMER,
    KEY,
    NO_PROBE,
    NOW,
    OTHER_TENANT,
    V1,
    V2,
    failures,
    look,
    observed_key,
    probe,
    result_of,
    seen,
    unseen,
)

BLIND = KeyObservation(at=NOW)
NO_TOKEN = unseen(token_obtained=False)


def refused_token(aadsts: int) -> KeyObservation:
    return replace(NO_TOKEN, token_refusal=TokenRefusal(aadsts=aadsts, detail=f"Microsoft Entra answered {aadsts}."))


def denied(inner_code: str, http_status: int = 403, *, bypass_on: bool | None = None) -> KeyObservation:
    return unseen(denial=Denial(http_status=http_status, inner_code=inner_code, bypass_on=bypass_on))


def probed(**changes: object) -> KeyObservation:
    return seen(probe=probe(**changes))


def with_key(**changes: object) -> KeyObservation:
    return seen(key=observed_key(**changes))


RBAC = Denial(http_status=403, inner_code="ForbiddenByRbac")
FIREWALL = Denial(http_status=403, inner_code="ForbiddenByFirewall", bypass_on=True)
REFUSED, WRONG, NOT_TRIED = ProbeOutcome.REFUSED, ProbeOutcome.WRONG, ProbeOutcome.NOT_TRIED

FAILING = [
    ("vaultTenant", Reason.VAULT_IN_ANOTHER_TENANT, unseen(challenge_tenant=OTHER_TENANT, token_obtained=False)),
    ("providerCredential", Reason.PROVIDER_CREDENTIAL_BROKEN, refused_token(700211)),
    ("providerCredential", Reason.PROVIDER_CREDENTIAL_BROKEN, refused_token(0)),
    ("providerCredential", Reason.TOKEN_UNAVAILABLE, replace(NO_TOKEN, outage=Outage.NO_TOKEN)),
    ("consent", Reason.CONSENT_MISSING, refused_token(7000229)),
    ("consent", Reason.CONSENT_MISSING, refused_token(700016)),
    ("consent", Reason.APPLICATION_DISABLED, refused_token(7000112)),
    ("consent", Reason.BLOCKED_BY_CONDITIONAL_ACCESS, refused_token(53003)),
    ("vaultReachable", Reason.VAULT_UNREACHABLE, replace(BLIND, outage=Outage.UNREACHABLE)),
    ("vaultReachable", Reason.VAULT_NAME_UNRESOLVED, replace(BLIND, outage=Outage.NAME_UNRESOLVED)),
    ("vaultReachable", Reason.VAULT_THROTTLED, unseen(outage=Outage.THROTTLED)),
    ("vaultReachable", Reason.VAULT_FIREWALL, denied("ForbiddenByFirewall")),
    ("vaultReachable", Reason.VAULT_FIREWALL, denied("ForbiddenByConnection")),
    ("vaultReachable", Reason.VAULT_FIREWALL, probed(wrap=REFUSED, wrap_denial=FIREWALL, unwrap=NOT_TRIED)),
    ("vaultReachable", Reason.VAULT_UNREACHABLE, denied("BadParameter", 400)),
    ("vaultReachable", Reason.VAULT_UNREACHABLE, denied("SomethingNew", 409)),
    ("vaultReachable", Reason.VAULT_UNREACHABLE, replace(denied("Forbidden"), token_obtained=False)),
    ("role", Reason.ROLE_MISSING, denied("ForbiddenByRbac")),
    ("role", Reason.ROLE_MISSING, denied("ForbiddenByPolicy")),
    ("role", Reason.ROLE_MISSING, denied("AccessDenied")),
    ("role", Reason.ROLE_MISSING, denied("Unauthorized", 401)),
    ("role", Reason.ROLE_MISSING, denied("ForbiddenForSomeNewReason")),
    ("role", Reason.ROLE_MISSING, probed(wrap=REFUSED, wrap_denial=RBAC, unwrap=NOT_TRIED)),
    ("role", Reason.ROLE_MISSING, probed(unwrap=REFUSED, unwrap_denial=RBAC)),
    ("keyExists", Reason.KEY_NOT_FOUND, unseen(missing=True)),
    ("keyEnabled", Reason.KEY_DISABLED, with_key(enabled=False)),
    ("keyEnabled", Reason.KEY_DISABLED, denied("KeyDisabled")),
    ("validityWindow", Reason.KEY_NOT_YET_VALID, with_key(not_before=NOW + timedelta(seconds=1))),
    ("validityWindow", Reason.KEY_NOT_YET_VALID, denied("KeyNotYetValid")),
    ("validityWindow", Reason.KEY_EXPIRED, with_key(expires=NOW)),
    ("validityWindow", Reason.KEY_EXPIRED, denied("KeyExpired")),
    ("keyType", Reason.KEY_TYPE_UNSUPPORTED, with_key(key_type="EC", bits=0)),
    ("keyType", Reason.KEY_TYPE_UNSUPPORTED, with_key(key_type="oct-HSM", bits=0)),
    ("keySize", Reason.KEY_SIZE_UNSUPPORTED, with_key(bits=1024)),
    ("keySize", Reason.KEY_SIZE_UNSUPPORTED, with_key(bits=0)),
    ("keyOperations", Reason.KEY_OPERATIONS_MISSING, with_key(operations=frozenset({"wrapKey"}))),
    ("keyOperations", Reason.KEY_OPERATIONS_MISSING, with_key(operations=frozenset())),
    ("purgeProtection", Reason.PURGE_PROTECTION_MISSING, with_key(recovery_level="Recoverable+Purgeable")),
    ("purgeProtection", Reason.PURGE_PROTECTION_MISSING, with_key(recovery_level="Purgeable")),
    ("purgeProtection", Reason.PURGE_PROTECTION_MISSING, with_key(recovery_level="CustomizedRecoverable+Purgeable")),
    ("purgeProtection", Reason.PURGE_PROTECTION_MISSING, with_key(recovery_level="")),
    ("wrap", Reason.WRAP_REFUSED, probed(wrap=REFUSED, wrap_denial=Denial(http_status=403, inner_code="KeyExpired"))),
    ("unwrap", Reason.UNWRAP_REFUSED, probed(unwrap=WRONG)),
    ("unwrap", Reason.UNWRAP_REFUSED, probed(canaries={V1: REFUSED})),
    ("unwrap", Reason.UNWRAP_REFUSED, probed(canaries={V1: ProbeOutcome.OK, V2: WRONG})),
    ("ownership", Reason.OWNERSHIP_UNPROVEN, with_key(tags={})),
    ("ownership", Reason.OWNERSHIP_UNPROVEN, with_key(tags={f"crosskey-{CUSTOMER.application}": "another nonce"})),
]

SKIPPED = [
    ("vaultTenant", BLIND),
    ("providerCredential", BLIND),
    ("consent", BLIND),
    ("consent", refused_token(700211)),
    ("vaultReachable", replace(NO_TOKEN, outage=Outage.NO_TOKEN)),
    ("role", unseen(outage=Outage.UNREACHABLE)),
    ("role", refused_token(7000229)),
    ("role", denied("ForbiddenByFirewall")),
    ("keyExists", denied("ForbiddenByRbac")),
    *((check, unseen(missing=True)) for check in ("keyEnabled", "validityWindow", "keyType", "keySize")),
    *((check, unseen(missing=True)) for check in ("keyOperations", "purgeProtection", "ownership", "expiry")),
    ("keySize", with_key(key_type="EC", bits=0)),
    ("wrap", seen(probe=None)),
    ("wrap", seen(probe=NO_PROBE)),
    ("wrap", probed(wrap=REFUSED, wrap_denial=RBAC)),
    ("wrap", probed(wrap=REFUSED, wrap_denial=FIREWALL)),
    ("unwrap", seen(probe=None)),
    ("unwrap", seen(probe=NO_PROBE)),
    ("unwrap", probed(unwrap=REFUSED, unwrap_denial=RBAC)),
]

PASSING = [
    ("validityWindow", with_key(not_before=NOW, expires=NOW + timedelta(seconds=1))),
    ("providerCredential", refused_token(7000229)),
    ("role", unseen(missing=True)),
    *(("keyType", with_key(key_type=key_type)) for key_type in ("RSA", "RSA-HSM")),
    *(("keySize", with_key(bits=bits)) for bits in (2048, 3072, 4096)),
    ("keyOperations", with_key(operations=frozenset({"wrapKey", "unwrapKey", "sign"}))),
    *(
        ("purgeProtection", with_key(recovery_level=level))
        for level in ("Recoverable", "CustomizedRecoverable", "Recoverable+ProtectedSubscription")
    ),
    ("unwrap", probed(canaries={V1: ProbeOutcome.OK, V2: NOT_TRIED})),
    ("expiry", with_key(expires=NOW + timedelta(days=90, seconds=1))),
    ("expiry", with_key(expires=NOW - timedelta(days=1))),
]


def test_a_key_that_is_as_it_should_be_passes_every_check() -> None:
    results = {line.check: line.result for line in run_checks(look()) if line.result is not Result.PASS}
    # Nothing was there to see yet: no rotation, and no need of a trial.
    assert results == {"trialUpdate": Result.SKIPPED, "eventSubscription": Result.SKIPPED}


def test_the_report_has_one_line_for_every_check_in_the_tables_order() -> None:
    names = [line.check for line in run_checks(look())]
    assert names == [line.check for line in run_checks(look(BLIND))]
    assert len(set(names)) == len(CHECKS)


@pytest.mark.parametrize(("check", "reason", "observation"), FAILING)
def test_a_check_fails_with_its_reason(check: str, reason: Reason, observation: KeyObservation) -> None:
    line = result_of(observation, check)
    assert (line.result, line.reason) == (Result.FAIL, reason)
    assert line.message.endswith(".")


@pytest.mark.parametrize(("check", "observation"), SKIPPED)
def test_a_check_that_cannot_tell_is_skipped_and_says_why(check: str, observation: KeyObservation) -> None:
    line = result_of(observation, check)
    assert (line.result, line.reason) == (Result.SKIPPED, None)
    assert line.message.endswith(".")
    assert line.owner is None


@pytest.mark.parametrize(("check", "observation"), PASSING)
def test_a_check_passes_at_the_edge_of_what_is_allowed(check: str, observation: KeyObservation) -> None:
    assert result_of(observation, check).result is Result.PASS


def test_every_check_can_fail_or_warn() -> None:
    elsewhere = {"expiry", "newVersion", "rotationAge", "eventSubscription", "trialUpdate"}
    assert {line.check for line in run_checks(look())} - {check for check, _, _ in FAILING} == elsewhere


def test_everything_that_is_wrong_is_found_at_once() -> None:
    worst = seen(
        key=observed_key(
            enabled=False,
            expires=NOW,
            bits=1024,
            operations=frozenset(),
            recovery_level="Purgeable",
            tags={},
        ),
        probe=probe(wrap=REFUSED, wrap_denial=Denial(http_status=403, inner_code="KeyDisabled"), unwrap=WRONG),
    )
    assert failures(worst) == {
        Reason.KEY_DISABLED,
        Reason.KEY_EXPIRED,
        Reason.KEY_SIZE_UNSUPPORTED,
        Reason.KEY_OPERATIONS_MISSING,
        Reason.PURGE_PROTECTION_MISSING,
        Reason.WRAP_REFUSED,
        Reason.UNWRAP_REFUSED,
        Reason.OWNERSHIP_UNPROVEN,
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [("Forbidden", 403), ("KeyGoneAstray", 403), ("BadParameter", 400), ("Conflict", 409), ("AKV10032", 401)],
)
def test_a_refusal_that_nobody_foresaw_is_never_a_clean_report(code: str, status: int) -> None:
    assert failures(denied(code, status)) != set()


def test_a_key_in_a_vault_of_another_tenant_blames_nothing_else() -> None:
    assert failures(unseen(challenge_tenant=OTHER_TENANT, token_obtained=False)) == {Reason.VAULT_IN_ANOTHER_TENANT}


@pytest.mark.parametrize("aadsts", [0, 7000215, 700211, 70021, 500133, 999999999])
def test_a_token_that_is_refused_for_an_unknown_reason_is_the_providers_fault(aadsts: int) -> None:
    assert token_reason(aadsts) is Reason.PROVIDER_CREDENTIAL_BROKEN
    line = result_of(refused_token(aadsts), "providerCredential")
    assert line.owner is Owner.PROVIDER


def test_a_missing_role_counts_as_propagating_for_ten_minutes_after_the_registration() -> None:
    fresh = look(denied("ForbiddenByRbac"), key=replace(KEY, registered_at=NOW - timedelta(minutes=9, seconds=59)))
    late = look(denied("ForbiddenByRbac"), key=replace(KEY, registered_at=NOW - timedelta(minutes=10)))
    assert result_of(fresh, "role").reason is Reason.ROLE_PROPAGATING
    assert result_of(late, "role").reason is Reason.ROLE_MISSING


@pytest.mark.parametrize(
    ("bypass_on", "said"), [(True, "may still reach"), (False, "cannot reach"), (None, "check through.")]
)
def test_a_firewall_says_whether_storage_itself_gets_through(bypass_on: bool | None, said: str) -> None:
    assert said in result_of(denied("ForbiddenByFirewall", bypass_on=bypass_on), "vaultReachable").message


def test_a_lost_canary_names_its_versions() -> None:
    line = result_of(probed(canaries={V2: REFUSED, V1: WRONG}), "unwrap")
    assert f"{V1}, {V2}" in line.message


def test_ownership_that_was_proven_once_needs_no_tag_any_more() -> None:
    owner = replace(KEY, ownership=Ownership(state=OwnershipState.PROVEN))
    assert result_of(look(with_key(tags={}), key=owner), "ownership").result is Result.PASS
    assert result_of(look(unseen(missing=True), key=owner), "ownership").result is Result.PASS


def test_a_key_that_somebody_else_claimed_is_refused_and_nothing_is_told_of_him() -> None:
    line = result_of(look(claimed_elsewhere=True), "ownership")
    assert line.reason is Reason.KEY_CLAIMED_ELSEWHERE
    assert line.detail == ""


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (timedelta(days=90), 90),
        (timedelta(days=30, seconds=1), 90),
        (timedelta(days=30), 30),
        (timedelta(days=14), 14),
        (timedelta(days=7), 7),
        (timedelta(days=1), 1),
        (timedelta(seconds=1), 1),
    ],
)
def test_an_expiry_that_comes_near_is_a_warning_step_by_step(left: timedelta, days: int) -> None:
    line = result_of(with_key(expires=NOW + left), "expiry")
    assert (line.result, line.reason) == (Result.WARN, Reason.NEAR_EXPIRY)
    assert f"within {days} days" in line.message


@pytest.mark.parametrize(
    "observation",
    [observation for _, _, observation in FAILING] + [with_key(expires=NOW + timedelta(days=29))],
)
def test_the_report_of_an_unchanged_world_does_not_change_with_time(observation: KeyObservation) -> None:
    later = NOW + timedelta(minutes=5)
    before = run_checks(look(observation))
    after = run_checks(look(replace(observation, at=later), now=later))
    still = [line for line in before if line.reason is not Reason.KEY_NOT_YET_VALID or "KeyNotYetValid" in line.detail]
    assert [line for line in after if line in still] == still
