"""Drift and release of a storage account: what is repaired and how often, what is let go and what is kept."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.account_observation import (
    EncryptWithKey,
    ObservedAccount,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.desired import Desired, Leave
from shared.domain.entries import Notification, Record
from shared.domain.findings import Finding
from shared.domain.model import DriftPolicy, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.resource_details import Rotation
from shared.domain.storage_drift import MAX_REPAIRS
from shared.domain.storage_plan import MISSING_CONFIRMATION, decide_account
from shared.domain.storage_situation import Plan, Situation, observe
from tests.unit.shared.domain.values import (
    CMK,
    FOREIGN,
    IDENTITY,
    NOW,
    RESOURCE,
    V1,
    V2,
    account_on,
    on_version,
    plain_account,
    wish,
)

State = ResourceState
FOREIGN_SEEN = account_on(FOREIGN)
LEAVE = Leave(CMK)
HOUR = timedelta(hours=1)


def resource(state: ResourceState, on: ObservedAccount | None = None, **changes: Any) -> Resource:
    return replace(RESOURCE, state=state, observed=None if on is None else observe(on), **changes)


def drifted(on: ObservedAccount = FOREIGN_SEEN, **changes: Any) -> Resource:
    return resource(State.DRIFTED, on, **{"findings": (Finding(Reason.DRIFTED),), **changes})


def decide(of: Resource, seen: ObservedAccount | None, desired: Desired | None = None) -> Plan:
    return decide_account(Situation(resource=of, desired=desired or wish(), seen=seen, now=NOW, scopes=()))


@pytest.mark.parametrize("seen", [FOREIGN_SEEN, plain_account(), on_version(V1, federated_client_id=None)])
def test_drift_is_repaired_after_the_key_was_proven_and_the_repair_recorded(seen: ObservedAccount) -> None:
    plan = decide(drifted(seen, identity_added=IDENTITY), seen)
    assert isinstance(plan.update, EncryptWithKey)
    assert (plan.entry, plan.proof) == (Record.RESOURCE_APPLYING, V1)
    assert (plan.resource.state, plan.resource.repairs) == (State.APPLYING, (NOW,))
    assert plan.resource.findings == ()


def test_an_identity_that_somebody_took_away_is_recorded_as_added_when_a_repair_puts_it_back() -> None:
    assert decide(drifted(plain_account()), plain_account()).resource.identity_added == IDENTITY
    kept = plain_account(user_assigned=(IDENTITY,))
    assert decide(drifted(kept), kept).resource.identity_added is None


def test_drift_is_only_reported_where_the_policy_says_so() -> None:
    found = decide(resource(State.PROTECTED, on_version(V1), drift_policy=DriftPolicy.REPORT), FOREIGN_SEEN)
    assert (found.entry, found.look_again_after) == (Notification.RESOURCE_DRIFTED, None)
    assert (found.resource.observed, found.resource.observed_at) == (observe(FOREIGN_SEEN), NOW)
    assert decide(found.resource, FOREIGN_SEEN) == Plan(resource=found.resource)


def test_drift_is_not_repaired_while_the_key_is_not_ready() -> None:
    assert decide(drifted(), FOREIGN_SEEN, wish(ready=False)) == Plan(resource=drifted())


def test_a_fourth_repair_within_a_day_is_left_to_a_person_who_is_told_once() -> None:
    tired = drifted(repairs=tuple(NOW - HOUR * hours for hours in (3, 2, 1)))
    plan = decide(tired, FOREIGN_SEEN)
    assert (plan.entry, plan.update) == (Notification.ATTENTION_NEEDED, None)
    assert [one.reason for one in plan.resource.findings] == [Reason.DRIFTED, Reason.REPAIRS_EXHAUSTED]
    assert decide(plan.resource, FOREIGN_SEEN) == Plan(resource=plan.resource)


def test_repairs_of_yesterday_do_not_count() -> None:
    rested = drifted(repairs=(NOW - HOUR * 24, NOW - HOUR * 2, NOW - HOUR))
    plan = decide(rested, FOREIGN_SEEN)
    assert plan.resource.repairs == (NOW - HOUR * 2, NOW - HOUR, NOW)
    assert len(plan.resource.repairs) == MAX_REPAIRS


@pytest.mark.parametrize("state", [State.APPLYING, State.FAILED, State.BLOCKED])
def test_a_repair_that_was_begun_goes_on_and_is_proven_again(state: ResourceState) -> None:
    begun = resource(state, FOREIGN_SEEN, repairs=(NOW - HOUR,), identity_added=IDENTITY)
    plan = decide(begun, FOREIGN_SEEN)
    assert isinstance(plan.update, EncryptWithKey)
    assert plan.proof == V1
    assert plan.resource.repairs == begun.repairs


def test_a_repair_that_was_begun_does_not_go_on_once_the_policy_is_to_report() -> None:
    begun = resource(State.FAILED, FOREIGN_SEEN, repairs=(NOW - HOUR,), drift_policy=DriftPolicy.REPORT)
    assert decide(begun, FOREIGN_SEEN).update is None


@pytest.mark.parametrize("seen", [FOREIGN_SEEN, plain_account()])
def test_an_account_that_was_moved_away_while_an_update_was_refused_has_drifted(seen: ObservedAccount) -> None:
    plan = decide(resource(State.FAILED, on_version(V1)), seen)
    assert (plan.entry, plan.update) == (Notification.RESOURCE_DRIFTED, None)


def test_an_encryption_that_begins_anew_after_a_release_was_called_off_is_no_drift() -> None:
    called_off = resource(State.PENDING, on_version(V1))
    begun = decide(called_off, plain_account())
    assert (begun.entry, begun.resource.observed) == (Record.RESOURCE_APPLYING, observe(plain_account()))
    resumed = decide(begun.resource, plain_account())
    assert (resumed.entry, resumed.update) == (None, begun.update)


@pytest.mark.parametrize("seen", [FOREIGN_SEEN, plain_account(), on_version(V1, federated_client_id=None)])
def test_drift_says_what_was_found_instead(seen: ObservedAccount) -> None:
    found = decide(resource(State.PROTECTED, on_version(V1)), seen)
    assert found.resource.findings[0].detail == f"Found {seen.current_key or 'Microsoft.Storage'}."


def test_drift_that_somebody_put_right_is_protected_again() -> None:
    plan = decide(drifted(), on_version(V1))
    assert (plan.entry, plan.update) == (Notification.RESOURCE_PROTECTED, None)
    assert plan.resource.findings == ()


def test_a_pin_that_somebody_else_set_is_drift_and_is_taken_off() -> None:
    pinned = on_version(V1, pinned=True)
    found = decide(resource(State.PROTECTED, on_version(V1)), pinned)
    assert found.entry is Notification.RESOURCE_DRIFTED
    assert f"Version {V1} was pinned." in found.resource.findings[0].message
    plan = decide(found.resource, pinned)
    assert isinstance(plan.update, SetKeyVersion)
    assert (plan.update.version, plan.resource.repairs, plan.entry) == (None, (NOW,), Record.RESOURCE_APPLYING)
    resumed = decide(plan.resource, pinned)
    assert (resumed.update, resumed.entry) == (plan.update, None)


def test_a_pin_that_somebody_else_took_off_is_drift_and_is_set_again() -> None:
    pinned = wish(follows_latest=False)
    found = decide(resource(State.PROTECTED, on_version(V1, pinned=True)), on_version(V1), pinned)
    assert found.entry is Notification.RESOURCE_DRIFTED
    plan = decide(found.resource, on_version(V1), pinned)
    assert isinstance(plan.update, SetKeyVersion)
    assert (plan.update.version, plan.proof) == (V1, V1)


@pytest.mark.parametrize(
    ("desired", "before", "now"),
    [
        (wish(version=V2), on_version(V2), on_version(V1, pinned=True)),
        (wish(follows_latest=False), on_version(V1, pinned=True), on_version(V2, pinned=True)),
        (wish(follows_latest=False), on_version(V1, pinned=True), on_version(V2)),
    ],
)
def test_another_version_that_somebody_set_is_drift_and_is_set_right(
    desired: Desired, before: ObservedAccount, now: ObservedAccount
) -> None:
    found = decide(resource(State.PROTECTED, before), now, desired)
    assert (found.entry, found.update) == (Notification.RESOURCE_DRIFTED, None)
    plan = decide(found.resource, now, desired)
    assert isinstance(plan.update, SetKeyVersion)
    assert (plan.entry, plan.resource.repairs) == (Record.RESOURCE_APPLYING, (NOW,))
    reported = decide(replace(found.resource, drift_policy=DriftPolicy.REPORT), now, desired)
    assert reported.update is None


def test_a_release_proves_the_version_in_use_and_returns_to_microsoft_managed_keys() -> None:
    plan = decide(resource(State.RELEASING, on_version(V1), identity_added=IDENTITY), on_version(V2), LEAVE)
    assert (plan.update, plan.proof, plan.entry) == (ReturnToMicrosoftManagedKeys(), V2, None)


def test_a_customers_leaving_is_recorded_on_the_resource_first() -> None:
    plan = decide(resource(State.PROTECTED, on_version(V1)), on_version(V1), LEAVE)
    assert (plan.entry, plan.resource.state) == (Record.RESOURCE_RELEASING, State.RELEASING)
    assert plan.update == ReturnToMicrosoftManagedKeys()


def test_an_identity_that_crosskey_added_is_taken_off_and_all_others_stay() -> None:
    account = plain_account(user_assigned=(IDENTITY.upper(),))
    plan = decide(resource(State.RELEASING, on_version(V1), identity_added=IDENTITY), account, LEAVE)
    assert (plan.update, plan.proof) == (RemoveIdentity(identity=IDENTITY), None)


@pytest.mark.parametrize(
    ("added", "account"),
    [(None, plain_account(user_assigned=(IDENTITY,))), (IDENTITY, plain_account()), (None, plain_account())],
)
def test_a_release_is_done_when_neither_key_nor_added_identity_is_left(
    added: str | None, account: ObservedAccount
) -> None:
    given = resource(State.RELEASING, on_version(V1), identity_added=added, rotation=Rotation(version=V2, begun_at=NOW))
    plan = decide(given, account, LEAVE)
    assert (plan.entry, plan.update, plan.resource.state) == (
        Notification.RESOURCE_RELEASED,
        None,
        State.RELEASED,
    )
    assert (plan.resource.identity_added, plan.resource.rotation, plan.resource.findings) == (None, None, ())
    assert (plan.resource.observed, plan.resource.observed_at) == (observe(account), NOW)


@pytest.mark.parametrize("recorded", [on_version(V1), FOREIGN_SEEN, None])
def test_an_account_that_somebody_moved_to_another_key_is_let_go_as_it_is(recorded: ObservedAccount | None) -> None:
    plan = decide(resource(State.RELEASING, recorded, identity_added=IDENTITY), FOREIGN_SEEN, LEAVE)
    assert (plan.update, plan.proof, plan.resource.state) == (None, None, State.RELEASED)
    assert [one.reason for one in plan.resource.findings] == [Reason.ANOTHER_KEY_IN_USE]


@pytest.mark.parametrize("added", [None, IDENTITY])
def test_an_account_whose_encryption_was_sent_but_never_answered_is_not_left_on_the_key(added: str | None) -> None:
    plan = decide(resource(State.RELEASING, None, identity_added=added), on_version(V1), LEAVE)
    assert (plan.update, plan.proof) == (ReturnToMicrosoftManagedKeys(), V1)


def test_an_account_is_not_let_go_while_nobody_knows_whose_key_it_is_on() -> None:
    plan = decide(resource(State.RELEASING, on_version(V1)), on_version(V1), Leave())
    assert (plan.update, plan.proof) == (ReturnToMicrosoftManagedKeys(), V1)


def test_an_account_that_never_was_is_released_at_once() -> None:
    plan = decide(resource(State.BLOCKED), None, LEAVE)
    assert (plan.resource.state, plan.entry) == (State.RELEASED, Notification.RESOURCE_RELEASED)
    assert plan.resource.observed_at == NOW


def test_an_account_that_is_missing_is_released_only_when_it_was_missing_twice() -> None:
    first = decide(resource(State.RELEASING, on_version(V1), identity_added=IDENTITY), None, LEAVE)
    assert (first.resource.state, first.look_again_after) == (State.RELEASING, MISSING_CONFIRMATION)
    plan = decide(replace(first.resource, missing_since=NOW - MISSING_CONFIRMATION), None, LEAVE)
    assert (plan.resource.state, plan.resource.identity_added) == (State.RELEASED, None)
