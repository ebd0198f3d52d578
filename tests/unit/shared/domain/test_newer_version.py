"""A newer version that is unfit: the one taken over stays, and the report warns of the newer one's own faults."""

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.findings import Result
from shared.domain.key_checks import judge_newer_version
from shared.domain.key_observation import Denial, KeyObservation, Outage, ProbeOutcome
from shared.domain.reasons import Reason
from tests.unit.shared.domain.values import (
    KEY,
    NO_PROBE,
    V1,
    V2,
    failures,
    look,
    observed_key,
    probe,
    result_of,
    seen,
    unseen,
    verified_key,
)

RBAC = Denial(http_status=403, inner_code="ForbiddenByRbac")


def newer(**changes: Any) -> KeyObservation:
    return seen(key=observed_key(version=V2, **changes), probe=probe(version=V2))


@pytest.mark.parametrize(
    ("observation", "reasons"),
    [
        (newer(enabled=False), "KeyDisabled"),
        (newer(key_type="EC"), "KeyTypeUnsupported"),
        (newer(bits=1024), "KeySizeUnsupported"),
        (newer(operations=frozenset(), enabled=False), "KeyDisabled, KeyOperationsMissing"),
        (replace(newer(), probe=probe(version=V2, wrap=ProbeOutcome.WRONG)), "WrapRefused"),
    ],
)
def test_a_fault_of_a_newer_version_is_a_warning_that_names_it(observation: KeyObservation, reasons: str) -> None:
    line = judge_newer_version(look(observation, key=verified_key()))
    assert line is not None
    assert (line.result, line.reason) == (Result.WARN, Reason.NEW_VERSION_UNUSABLE)
    assert line.detail == f"Version {V2}: {reasons}."


@pytest.mark.parametrize(
    "observation",
    [
        newer(),
        newer(tags={}, recovery_level="Purgeable"),
        replace(newer(), probe=NO_PROBE),
        replace(newer(), probe=probe(version=V2, wrap=ProbeOutcome.REFUSED, wrap_denial=RBAC)),
        unseen(missing=True),
        unseen(outage=Outage.UNREACHABLE),
        seen(key=observed_key(version=V1, enabled=False)),
    ],
)
def test_what_is_no_fault_of_a_newer_version_is_no_warning(observation: KeyObservation) -> None:
    assert judge_newer_version(look(observation, key=verified_key())) is None


def test_a_key_that_is_pinned_or_was_never_verified_has_no_newer_version() -> None:
    assert judge_newer_version(look(newer(enabled=False), key=verified_key(pinned_version=V1))) is None
    assert judge_newer_version(look(newer(enabled=False), key=KEY)) is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_vault_that_turns_out_to_be_of_another_tenant_blames_that_alone(status: int) -> None:
    moved = unseen(denial=Denial(http_status=status, inner_code=Reason.VAULT_IN_ANOTHER_TENANT.value))
    assert result_of(moved, "vaultTenant").reason is Reason.VAULT_IN_ANOTHER_TENANT
    assert Reason.VAULT_IN_ANOTHER_TENANT in failures(moved)
