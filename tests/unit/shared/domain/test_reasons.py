"""Reasons and findings: every code is explained once and has an owner."""

import pytest

from shared.domain.findings import CheckResult, Finding, Result, describe, failed, passed, skipped
from shared.domain.reasons import PROVIDER_OWNED, SENTENCES, Owner, Reason, owner_of


def test_every_reason_is_explained_in_one_sentence_of_its_own() -> None:
    assert set(SENTENCES) == set(Reason)
    assert len(set(SENTENCES.values())) == len(Reason)
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in SENTENCES.values())


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_code_reads_like_azures_own_codes(reason: Reason) -> None:
    assert reason.value == "".join(part.capitalize() for part in reason.name.split("_"))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_one_owner(reason: Reason) -> None:
    assert owner_of(reason) is (Owner.PROVIDER if reason in PROVIDER_OWNED else Owner.CUSTOMER)


def test_a_result_says_its_reason_whose_it_is_and_what_was_observed() -> None:
    line = failed("keyEnabled", Reason.KEY_DISABLED, "Version 1.")
    assert line.message == "The key version is disabled. Version 1."
    assert line.owner is Owner.CUSTOMER
    assert Finding(Reason.KEY_DISABLED).message == "The key version is disabled."


def test_a_result_without_a_reason_is_nobodys() -> None:
    assert passed("role") == CheckResult("role", Result.PASS)
    assert (passed("role").owner, passed("role").message) == (None, "")
    assert skipped("role", "Because.").message == "Because."
    assert describe(None, "") == ""
