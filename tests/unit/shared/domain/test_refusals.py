"""What Resource Manager's refusals mean: known codes by their reason, unknown ones shown as they came."""

import pytest

from shared.domain.reasons import Owner, Reason, owner_of
from shared.domain.refusals import finding_of


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("KeyVaultPolicyError", Reason.PURGE_PROTECTION_MISSING),
        ("KeyVaultAuthenticationFailure", Reason.KEY_REFUSED_BY_STORAGE),
        ("HttpResourceNotFound", Reason.CURRENT_KEY_UNUSABLE),
        ("FailedIdentityOperation", Reason.PROVIDER_ROLE_MISSING),
        ("AuthorizationFailed", Reason.PROVIDER_ROLE_MISSING),
        ("LinkedAuthorizationFailed", Reason.PROVIDER_ROLE_MISSING),
        ("RequestDisallowedByPolicy", Reason.POLICY_DENIED),
        ("ScopeLocked", Reason.SCOPE_LOCKED),
        ("ReadOnlyDisabledSubscription", Reason.SCOPE_LOCKED),
        ("ResourceGroupNotFound", Reason.RESOURCE_NOT_FOUND),
        ("SubscriptionNotFound", Reason.RESOURCE_NOT_FOUND),
    ],
)
def test_a_known_code_has_its_reason_in_whatever_letters_and_place(code: str, reason: Reason) -> None:
    for spelled in (code, code.upper()):
        assert finding_of(403, spelled, "").reason is reason
        assert finding_of(403, "BadRequest", spelled).reason is reason
    assert finding_of(403, code, "").detail == f"Resource Manager answered 403 {code}."


def test_the_outer_code_comes_before_the_inner_one() -> None:
    assert finding_of(409, "ScopeLocked", "RequestDisallowedByPolicy").reason is Reason.SCOPE_LOCKED


@pytest.mark.parametrize(("code", "said"), [("SomethingNew", "SomethingNew"), ("", "without a code")])
def test_an_unknown_code_is_shown_and_is_not_the_customers(code: str, said: str) -> None:
    finding = finding_of(400, code, "")
    assert finding.reason is Reason.APPLY_REFUSED
    assert finding.detail == f"Resource Manager answered 400 {said}."
    assert owner_of(finding.reason) is Owner.PROVIDER
