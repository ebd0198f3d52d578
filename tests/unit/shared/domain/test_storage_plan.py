"""The next step of a storage account, branch by branch: protecting, moving between versions, resuming, going away."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.account_observation import EncryptWithKey, ObservedAccount, SetKeyVersion
from shared.domain.desired import Desired, Leave, Wait
from shared.domain.entries import Notification, Record
from shared.domain.findings import Finding
from shared.domain.model import Attention, DriftPolicy, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.resource_details import ObservedEncryption, Rotation
from shared.domain.storage_plan import MISSING_CONFIRMATION, decide_account
from shared.domain.storage_situation import Plan, Situation, observe
from tests.unit.shared.domain.values import (
    APPLICATION,
    CMK,
    FOREIGN,
    IDENTITY,
    NOW,
    RESOURCE,
    THEIR_IDENTITY,
    V1,
    V2,
    account_on,
    on_version,
    plain_account,
    wish,
)

State = ResourceState
NOT_READY = Finding(Reason.KEY_NOT_READY, "Key primary: RoleMissing.")


def resource(state: ResourceState = State.PENDING, **changes: Any) -> Resource:
    return replace(RESOURCE, state=state, **changes)


def protected(on: ObservedAccount | None = None, **changes: Any) -> Resource:
    """A resource as it is recorded after it converged on an account."""
    seen = on or on_version(V1)
    return resource(State.PROTECTED, observed=observe(seen), observed_at=NOW - timedelta(days=1), **changes)


def decide(of: Resource, seen: ObservedAccount | None, desired: Desired | None = None, **changes: Any) -> Plan:
    return decide_account(Situation(resource=of, desired=desired or wish(), seen=seen, now=NOW, **changes))


def encrypt(version: str | None = None) -> EncryptWithKey:
    return EncryptWithKey(key=CMK, version=version, identity=IDENTITY, federated_client_id=APPLICATION)


def set_version(version: str | None) -> SetKeyVersion:
    return SetKeyVersion(key=CMK, version=version, identity=IDENTITY, federated_client_id=APPLICATION)


def test_a_plain_account_is_encrypted_after_what_must_not_be_forgotten_is_recorded() -> None:
    plan = decide(resource(), plain_account())
    assert plan.update == encrypt()
    assert plan.entry is Record.RESOURCE_APPLYING
    assert (plan.resource.state, plan.resource.identity_added) == (State.APPLYING, IDENTITY)


def test_an_identity_that_was_there_before_is_not_recorded_as_added() -> None:
    plan = decide(resource(), plain_account(user_assigned=(IDENTITY.upper(), THEIR_IDENTITY)))
    assert plan.update == encrypt()
    assert plan.resource.identity_added is None


def test_a_pinned_key_encrypts_with_exactly_its_version() -> None:
    assert decide(resource(), plain_account(), wish(follows_latest=False, version=V2)).update == encrypt(V2)


@pytest.mark.parametrize("state", [State.APPLYING, State.FAILED])
def test_an_encryption_whose_answer_was_lost_is_sent_again_without_another_record(state: ResourceState) -> None:
    begun = resource(state, identity_added=IDENTITY)
    plan = decide(begun, plain_account())
    assert (plan.update, plan.entry, plan.resource) == (encrypt(), None, begun)


def test_an_encryption_that_took_effect_though_its_answer_was_lost_is_protected() -> None:
    plan = decide(resource(State.APPLYING, identity_added=IDENTITY), on_version(V1))
    assert (plan.update, plan.entry) == (None, Notification.RESOURCE_PROTECTED)
    assert (plan.resource.state, plan.resource.identity_added) == (State.PROTECTED, IDENTITY)
    assert plan.resource.observed == observe(on_version(V1))


def test_what_is_recorded_of_an_account_is_its_key_version_setting_and_coverage() -> None:
    assert observe(on_version(V1, pinned=True)) == ObservedEncryption(
        key_source="Microsoft.Keyvault",
        key_identifier=str(CMK.with_version(V1)),
        version_in_use=V1,
        pinned=True,
        rotated_at=NOW,
        coverage=("blob", "file", "queue", "table"),
    )


def test_an_account_without_our_identity_is_recorded_again_before_it_is_encrypted() -> None:
    plan = decide(resource(State.APPLYING), plain_account())
    assert (plan.entry, plan.resource.identity_added) == (Record.RESOURCE_APPLYING, IDENTITY)


def test_nothing_is_encrypted_while_the_key_is_not_ready() -> None:
    plan = decide(resource(), plain_account(), wish(ready=False, finding=NOT_READY))
    assert (plan.update, plan.entry) == (None, Record.RESOURCE_OBSERVED)
    assert (plan.resource.state, plan.resource.findings) == (State.BLOCKED, (NOT_READY,))
    assert (plan.resource.observed, plan.resource.observed_at) == (observe(plain_account()), NOW)
    again = decide(plan.resource, plain_account(), wish(ready=False, finding=NOT_READY))
    assert (again.entry, again.update) == (None, None)


def test_a_blocked_account_is_encrypted_as_soon_as_the_key_is_ready() -> None:
    blocked = resource(State.BLOCKED, observed=observe(plain_account()), findings=(NOT_READY,))
    plan = decide(blocked, plain_account())
    assert (plan.update, plan.resource.findings) == (encrypt(), ())


def test_nothing_is_done_for_a_key_that_is_not_registered() -> None:
    finding = Finding(Reason.KEY_NOT_REGISTERED, "Key primary.")
    plan = decide(resource(), plain_account(), Wait(finding))
    assert (plan.resource.state, plan.resource.findings, plan.update) == (State.BLOCKED, (finding,), None)


@pytest.mark.parametrize("state", [State.PENDING, State.BLOCKED, State.FAILED, State.APPLYING])
def test_an_account_on_a_foreign_key_is_not_taken_over(state: ResourceState) -> None:
    plan = decide(resource(state), account_on(FOREIGN))
    assert plan.update is None
    assert plan.resource.state is State.BLOCKED
    assert [finding.reason for finding in plan.resource.findings] == [Reason.ANOTHER_KEY_IN_USE]
    assert str(FOREIGN) in plan.resource.findings[0].message
    assert decide(plan.resource, account_on(FOREIGN)).entry is None


@pytest.mark.parametrize(
    "other",
    [
        account_on(FOREIGN),
        on_version(V1, vault_uri="https://fabrikam-keys.vault.azure.net"),
        on_version(V1, key_name="other"),
        on_version(V1, identity=THEIR_IDENTITY),
        on_version(V1, encryption_identity=None),
        on_version(V1, federated_client_id=None),
        plain_account(),
    ],
)
def test_a_protected_account_that_somebody_changed_has_drifted(other: ObservedAccount) -> None:
    plan = decide(protected(), other)
    assert (plan.entry, plan.update) == (Notification.RESOURCE_DRIFTED, None)
    assert plan.resource.state is State.DRIFTED
    assert plan.resource.findings[0].reason is Reason.DRIFTED
    assert plan.look_again_after == timedelta()


def test_the_same_setting_in_other_letters_is_no_drift() -> None:
    spelled = on_version(
        V1,
        key_source="microsoft.keyvault",
        vault_uri=CMK.vault_uri.upper(),
        key_name="CMK",
        encryption_identity=IDENTITY.upper(),
        federated_client_id=APPLICATION.upper(),
    )
    assert decide(protected(spelled), spelled) == Plan(resource=protected(spelled))


@pytest.mark.parametrize(
    ("given", "desired", "seen"),
    [
        (protected(), wish(), on_version(V1)),
        (protected(), wish(ready=False), on_version(V1)),
        (protected(on_version(V1, pinned=True)), wish(follows_latest=False), on_version(V1, pinned=True)),
        (protected(), wish(version=None, ready=False), on_version(V1)),
        (protected(), wish(federated_client_id=None), on_version(V1, federated_client_id=None)),
    ],
)
def test_a_converged_account_needs_no_entry_and_no_update(
    given: Resource, desired: Desired, seen: ObservedAccount
) -> None:
    assert decide(given, seen, desired) == Plan(resource=given)


def test_services_that_the_key_does_not_cover_are_said() -> None:
    plan = decide(resource(State.APPLYING), on_version(V1, covered_services=("blob", "file")))
    assert plan.resource.state is State.PROTECTED
    assert [finding.reason for finding in plan.resource.findings] == [Reason.SERVICES_NOT_COVERED]
    assert "queue, table" in plan.resource.findings[0].message


def test_a_converged_account_needs_no_person_and_waits_for_nothing() -> None:
    waiting = protected(
        attention=Attention(since=NOW, reason=Reason.WORK_POISONED),
        queued_until=NOW,
        rotation=Rotation(version=V1, begun_at=NOW),
    )
    plan = decide(waiting, on_version(V1))
    assert (plan.resource, plan.entry) == (
        replace(protected(), observed_at=NOW),
        Record.RESOURCE_OBSERVED,
    )


def test_an_account_that_was_never_there_is_blocked() -> None:
    plan = decide(resource(), None)
    assert (plan.resource.state, plan.entry) == (State.BLOCKED, Record.RESOURCE_OBSERVED)
    assert plan.resource.findings == (Finding(Reason.RESOURCE_NOT_FOUND),)
    assert decide(plan.resource, None) == Plan(resource=plan.resource)


def test_an_account_is_gone_only_when_it_was_missing_twice() -> None:
    first = decide(protected(), None)
    assert (first.resource.state, first.resource.missing_since) == (State.PROTECTED, NOW)
    assert (first.entry, first.look_again_after) == (Record.RESOURCE_OBSERVED, MISSING_CONFIRMATION)
    early = replace(first.resource, missing_since=NOW - timedelta(seconds=59))
    assert decide(early, None) == Plan(resource=early, look_again_after=MISSING_CONFIRMATION)
    gone = decide(replace(first.resource, missing_since=NOW - MISSING_CONFIRMATION), None)
    assert (gone.resource.state, gone.entry) == (State.GONE, Notification.RESOURCE_GONE)
    assert (gone.resource.observed, gone.resource.observed_at) == (protected().observed, NOW)


@pytest.mark.parametrize(
    ("given", "seen", "desired"),
    [
        (protected(), on_version(V1), wish()),
        (
            resource(
                State.DRIFTED, drift_policy=DriftPolicy.REPORT, observed=observe(FOREIGN_SEEN := account_on(FOREIGN))
            ),
            FOREIGN_SEEN,
            wish(),
        ),
        (resource(State.RELEASING, observed=observe(on_version(V1))), on_version(V1), Leave(CMK)),
    ],
)
def test_an_account_that_is_back_is_recorded_so_that_a_later_absence_counts_anew(
    given: Resource, seen: ObservedAccount, desired: Desired
) -> None:
    plan = decide(replace(given, missing_since=NOW - timedelta(days=9)), seen, desired)
    assert plan.entry is not None
    assert plan.resource.missing_since is None
    assert decide(plan.resource, None, desired).resource.state is given.state
