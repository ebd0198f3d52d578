"""Deciding about an account that is not there: when it is made, when it is waited for, and when never again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.account_observation import BEING_MADE, CreateAccount, ObservedAccount
from shared.domain.desired import Desired, Leave, Wait
from shared.domain.entries import Record
from shared.domain.findings import Finding
from shared.domain.model import Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.resource_details import Creation, NewAccount
from shared.domain.storage_creation import LOOK_AGAIN, accepted, encryption
from shared.domain.storage_plan import decide_account
from shared.domain.storage_situation import Plan, Situation, is_on_key, observe
from tests.unit.shared.domain.values import CMK, IDENTITY, NOW, RESOURCE, V1, on_version, wish

NEW = NewAccount(location="westeurope", sku="Standard_LRS", kind="StorageV2")
POLL = "https://management.azure.com/operations/1"
WISHED = replace(RESOURCE, create=NEW)
CREATION = Creation(begun_at=NOW - timedelta(minutes=1))
BEGUN = replace(WISHED, state=ResourceState.APPLYING, identity_added=IDENTITY, creation=CREATION)
ACCEPTED = accepted(BEGUN, POLL)


def decide(resource: Resource, seen: ObservedAccount | None = None, *, desired: Desired | None = None) -> Plan:
    return decide_account(Situation(resource=resource, desired=desired or wish(), seen=seen, now=NOW))


def made(**changes: Any) -> ObservedAccount:
    return on_version(V1, user_assigned=(IDENTITY,), **changes)


def test_what_is_to_be_made_is_recorded_first_with_the_identity_that_it_gets() -> None:
    plan = decide(WISHED)
    assert plan.create == CreateAccount(account=NEW, encryption=encryption(wish()))
    assert (plan.entry, plan.writes) == (Record.RESOURCE_CREATING, True)
    assert plan.resource.creation == Creation(begun_at=NOW)
    assert (plan.resource.state, plan.resource.identity_added) == (ResourceState.APPLYING, IDENTITY)


def test_a_request_whose_answer_was_lost_is_the_same_request_again() -> None:
    plan = decide(BEGUN)
    assert (plan.resource, plan.entry) == (BEGUN, None)
    assert plan.create is not None


def test_a_new_account_can_begin_on_a_pinned_version() -> None:
    plan = decide(WISHED, desired=wish(follows_latest=False))
    assert plan.create is not None
    assert plan.create.encryption.version == V1


@pytest.mark.parametrize("seen", [None, *(made(provisioning_state=state.title()) for state in sorted(BEING_MADE))])
def test_what_was_accepted_is_followed_and_not_asked_for_again(seen: ObservedAccount | None) -> None:
    for desired in (wish(), wish(ready=False), Leave(CMK)):
        plan = decide(ACCEPTED, seen, desired=desired)
        assert (plan.poll, plan.create, plan.update, plan.entry) == (POLL, None, None, None)
        assert not plan.writes


def test_an_account_that_somebody_is_making_is_waited_for() -> None:
    plan = decide(RESOURCE, made(provisioning_state="Creating"))
    assert (plan.look_again_after, plan.update, plan.entry) == (LOOK_AGAIN, None, None)


def test_an_account_that_arrived_is_protected_and_counts_as_one_that_was_there() -> None:
    plan = decide(ACCEPTED, made())
    assert (plan.resource.state, plan.resource.creation) == (ResourceState.PROTECTED, None)
    assert plan.resource.observed is not None
    gone = decide(plan.resource)
    assert (gone.create, gone.poll) == (None, None)
    assert gone.resource.missing_since == NOW


@pytest.mark.parametrize("resource", [BEGUN, ACCEPTED, replace(ACCEPTED, state=ResourceState.FAILED)])
def test_an_account_that_arrived_otherwise_than_wished_is_remembered_all_the_same(resource: Resource) -> None:
    # Somebody was quicker, with an account of the same name.
    plan = decide(resource, made(key_source="Microsoft.Storage", vault_uri=None, key_name=None, current_key=None))
    assert plan.update is not None
    assert plan.entry is not None
    assert plan.resource.observed is not None
    assert plan.resource.creation is None


def test_an_account_that_was_seen_once_is_never_made_again() -> None:
    seen_before = replace(WISHED, state=ResourceState.PROTECTED, observed=observe(made()))
    missing = decide(seen_before)
    assert (missing.create, missing.resource.missing_since) == (None, NOW)
    later = replace(missing.resource, missing_since=NOW - timedelta(minutes=5))
    assert decide(later).resource.state is ResourceState.GONE


def test_an_account_whose_creation_is_not_known_any_more_is_gone_when_it_does_not_turn_up() -> None:
    lost = replace(ACCEPTED, missing_since=NOW - timedelta(minutes=5))
    plan = decide(lost)
    assert (plan.create, plan.poll, plan.resource.state) == (None, None, ResourceState.GONE)
    assert decide(lost, made()).resource.state is ResourceState.PROTECTED


@pytest.mark.parametrize(
    ("desired", "reason"),
    [
        (wish(ready=False), Reason.KEY_NOT_READY),
        (Wait(Finding(Reason.KEY_NOT_REGISTERED)), Reason.KEY_NOT_REGISTERED),
    ],
)
def test_without_a_key_that_is_ready_nothing_is_made(desired: Desired, reason: Reason) -> None:
    plan = decide(WISHED, desired=desired)
    assert (plan.create, plan.resource.creation) == (None, None)
    assert plan.resource.state is ResourceState.BLOCKED
    assert [one.reason for one in plan.resource.findings] == [reason]
    assert decide(plan.resource, desired=desired).entry is None


def test_leaving_before_anything_was_asked_for_is_done_at_once() -> None:
    assert decide(WISHED, desired=Leave(CMK)).resource.state is ResourceState.RELEASED


def test_leaving_while_a_request_may_still_arrive_waits_for_it() -> None:
    plan = decide(BEGUN, desired=Leave(CMK))
    assert plan.look_again_after is not None
    assert plan.resource.missing_since == NOW
    later = replace(plan.resource, missing_since=NOW - timedelta(minutes=5))
    assert decide(later, desired=Leave(CMK)).resource.state is ResourceState.RELEASED
    arrived = decide(later, made(), desired=Leave(CMK))
    assert (arrived.resource.state, arrived.resource.creation) == (ResourceState.RELEASING, None)
    assert arrived.acts


@pytest.mark.parametrize(
    ("found", "on_key"),
    [
        ({"encryption_identity": None}, True),
        ({"encryption_identity": IDENTITY}, False),
        ({"encryption_identity": None, "system_assigned": False}, False),
    ],
)
def test_the_accounts_own_identity_is_told_from_others(found: dict[str, Any], on_key: bool) -> None:
    own = wish(identity=None, federated_client_id=None)
    assert is_on_key(on_version(V1, federated_client_id=None, **found), own) is on_key
