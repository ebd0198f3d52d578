"""The move of a storage account between versions of its key: asked for, resumed, never backwards."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.account_observation import EncryptWithKey, ObservedAccount, SetKeyVersion
from shared.domain.desired import Desired
from shared.domain.entries import Notification, Record
from shared.domain.findings import Finding
from shared.domain.model import DriftPolicy, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.resource_details import Rotation
from shared.domain.storage_plan import decide_account
from shared.domain.storage_situation import Plan, Situation, observe
from tests.unit.shared.domain.values import (
    APPLICATION,
    CMK,
    IDENTITY,
    NOW,
    RESOURCE,
    V1,
    V2,
    V3,
    on_version,
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


def test_a_new_version_is_asked_for_by_repeating_the_versionless_setting() -> None:
    for known in (None, True):
        plan = decide(protected(), on_version(V1), wish(version=V2), versionless_moves=known)
        assert (plan.update, plan.entry) == (set_version(None), None)


def test_where_that_moves_nothing_the_version_is_pinned_with_the_intent_recorded_first() -> None:
    plan = decide(protected(), on_version(V1), wish(version=V2), versionless_moves=False)
    assert (plan.update, plan.entry) == (set_version(V2), Record.RESOURCE_ROTATING)
    assert plan.resource.rotation == Rotation(version=V2, begun_at=NOW)


def test_a_rotation_that_was_begun_is_finished_after_a_crash_at_any_point() -> None:
    begun = protected(rotation=Rotation(version=V2, begun_at=NOW))
    for seen, update in ((on_version(V1), set_version(V2)), (on_version(V2, pinned=True), set_version(None))):
        plan = decide(begun, seen, wish(version=V2), versionless_moves=False)
        assert (plan.update, plan.entry) == (update, None)
    done = decide(begun, on_version(V2), wish(version=V2), versionless_moves=False)
    assert (done.entry, done.update, done.resource.rotation) == (Notification.RESOURCE_ROTATED, None, None)


def test_a_rotation_that_was_overtaken_goes_on_to_the_newest_version() -> None:
    begun = protected(rotation=Rotation(version=V2, begun_at=NOW))
    plan = decide(begun, on_version(V2, pinned=True), wish(version=V3))
    assert (plan.update, plan.entry) == (set_version(V3), Record.RESOURCE_ROTATING)


def test_a_rotation_waits_while_the_key_is_not_ready() -> None:
    plan = decide(protected(), on_version(V1), wish(version=V2, ready=False, finding=NOT_READY))
    assert (plan.update, plan.entry) == (None, Record.RESOURCE_OBSERVED)
    assert (plan.resource.state, plan.resource.findings) == (State.PROTECTED, (NOT_READY,))


def test_an_account_that_arrived_on_an_older_version_of_a_key_that_became_unready_is_announced() -> None:
    plan = decide(resource(State.APPLYING), on_version(V1, pinned=True), wish(version=V2, ready=False))
    assert (plan.entry, plan.resource.state) == (Notification.RESOURCE_PROTECTED, State.PROTECTED)


def test_a_version_that_azure_took_up_itself_is_recorded_and_the_key_looked_at() -> None:
    plan = decide(protected(), on_version(V3))
    assert (plan.update, plan.entry, plan.check_key) == (None, Notification.RESOURCE_ROTATED, True)


@pytest.mark.parametrize("versionless_moves", [None, True, False])
def test_azure_ahead_of_us_is_never_moved_back(versionless_moves: bool | None) -> None:
    ahead = protected(on_version(V3))
    plan = decide(ahead, on_version(V3), versionless_moves=versionless_moves)
    assert (plan.update, plan.entry, plan.check_key) == (None, None, True)


def test_a_version_that_azure_took_up_and_crosskey_proved_can_be_left_again() -> None:
    """The customer disabled the newest version: the newest usable one is older, and is the wish."""
    ahead = protected(on_version(V3))
    plan = decide(ahead, on_version(V3), wish(proven=frozenset({V1, V3})), versionless_moves=False)
    assert plan.update == set_version(V1)


@pytest.mark.parametrize("rotated", [NOW - timedelta(microseconds=1), NOW, NOW + timedelta(days=1), None])
def test_a_version_that_azure_took_before_the_wished_one_was_made_is_left_at_once(rotated: datetime | None) -> None:
    passed_over = on_version(V3, rotated_at=rotated)
    plan = decide(protected(), passed_over, wish(version=V2, created=NOW))
    older = rotated is not None and rotated < NOW
    assert (plan.update, plan.check_key) == ((set_version(None), False) if older else (None, True))


def test_a_changed_pin_moves_the_account_with_the_intent_recorded() -> None:
    pinned = on_version(V1, pinned=True)
    plan = decide(protected(pinned), pinned, wish(follows_latest=False, version=V2))
    assert (plan.update, plan.entry) == (set_version(V2), Record.RESOURCE_ROTATING)


def test_a_key_that_becomes_pinned_pins_the_account() -> None:
    plan = decide(protected(), on_version(V1), wish(follows_latest=False))
    assert (plan.update, plan.entry) == (set_version(V1), None)


def test_a_key_that_follows_the_latest_again_unpins_the_account_without_calling_it_drift() -> None:
    pinned = on_version(V1, pinned=True)
    plan = decide(protected(pinned, drift_policy=DriftPolicy.REPORT), pinned)
    assert (plan.update, plan.entry) == (set_version(None), None)
