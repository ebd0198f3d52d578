"""New storage accounts: made with the key from the start, once, and never again once they were there."""

from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.domain.account_observation import STORAGE_MANAGED, VAULT_MANAGED
from shared.domain.model import Operation, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.resource_details import NewAccount
from shared.errors import BadInput, Conflict, Refused
from shared.services.resources import plan_resource, put_resource, release_resource
from tests.fakes import APPLICATION, IDENTITY
from tests.unit.shared.services.stage import ACCOUNT, CONTOSO, ORIGIN, Stage, verified_key

NEW = NewAccount(location="westeurope", sku="Standard_LRS", kind="StorageV2", coverage=("queue", "table"))


async def create(
    stage: Stage, bundle: Bundle | None = None, *, new: NewAccount | None = NEW, identity: str = "userAssigned"
) -> tuple[Resource, Operation]:
    stored, operation = await put_resource(
        bundle or stage.bundle,
        CONTOSO,
        "data",
        resource_id=str(ACCOUNT),
        key="primary",
        drift_policy="repair",
        identity=identity,
        create=new,
        if_match=None,
        origin=ORIGIN,
    )
    assert operation is not None
    return stored.value, operation


async def ask_for_release(stage: Stage, process: Bundle) -> None:
    del stage
    await release_resource(process, CONTOSO, "data", if_match=None, origin=ORIGIN)


async def new_account() -> Stage:
    stage = await verified_key()
    await create(stage)
    await stage.work_off()
    return stage


def refused(code: str, http_status: int = 400) -> Refused:
    return Refused("No.", http_status=http_status, azure_code=code)


@pytest.mark.parametrize("shows_early", [True, False])
async def test_an_account_that_is_not_there_is_made_with_the_key_from_the_start(shows_early: bool) -> None:
    stage = await verified_key()
    stage.world.accounts.shows_early = shows_early
    _, operation = await create(stage)
    await stage.work_off()
    account, resource = await stage.account(), await stage.resource()
    assert (account.key_source, account.current_key) == (VAULT_MANAGED, stage.version)
    assert (account.user_assigned, account.federated_client_id) == ((IDENTITY,), APPLICATION)
    assert account.follows_latest
    assert account.covered_services == ("blob", "file", "queue", "table")
    assert (resource.state, resource.findings, resource.creation) == (ResourceState.PROTECTED, (), None)
    assert len(stage.world.accounts.creations) == 1
    assert not stage.world.accounts.updates
    assert (await stage.operation(operation.operation_id)).succeeded
    assert stage.announced().count("ResourceProtected") == 1
    await stage.assert_told_truly()


async def test_no_worker_waits_while_the_account_is_being_made() -> None:
    stage = await verified_key()
    await create(stage)
    stage.world.queue.take()
    await stage.reconcile()
    waiting = await stage.resource()
    assert waiting.creation is not None
    assert waiting.creation.poll_url is not None
    assert (waiting.state, waiting.worker) == (ResourceState.APPLYING, None)
    writes = stage.world.state.writes
    for _ in range(3):
        calls = stage.world.accounts.calls["follow_creation"]
        await stage.reconcile()
        assert stage.world.accounts.calls["follow_creation"] == calls + 1
    assert stage.world.accounts.calls["create"] == 1
    assert stage.world.state.writes == writes


async def test_the_plan_of_a_new_account_is_the_exact_request() -> None:
    stage = await verified_key()
    plan = await plan_resource(
        stage.bundle, CONTOSO, "data", resource_id=str(ACCOUNT), key="primary", drift_policy="repair", create=NEW
    )
    assert not stage.world.accounts.requests
    await create(stage)
    await stage.work_off()
    assert stage.world.accounts.requests == plan.steps
    assert plan.steps[0]["method"] == "PUT"
    assert plan.findings == []


async def test_an_account_that_is_there_is_protected_as_it_is() -> None:
    stage = await verified_key()
    stage.world.accounts.add(ACCOUNT, system_assigned=True)
    await create(stage)
    await stage.work_off()
    assert not stage.world.accounts.creations
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert (await stage.account()).system_assigned


async def test_nothing_is_made_without_being_asked_for() -> None:
    stage = await verified_key()
    await create(stage, new=None)
    await stage.work_off()
    assert not stage.world.accounts.requests
    assert [one.reason for one in (await stage.resource()).findings] == [Reason.RESOURCE_NOT_FOUND]


async def test_nothing_is_made_while_the_key_is_not_ready() -> None:
    stage = await verified_key()
    stage.world.vault.change(stage.version, enabled=False)
    await stage.check()
    stage.world.clock.advance(timedelta(seconds=31))
    await stage.check()
    await create(stage)
    await stage.work_off()
    assert not stage.world.accounts.requests
    resource = await stage.resource()
    assert resource.state is ResourceState.BLOCKED
    assert [one.reason for one in resource.findings] == [Reason.KEY_NOT_READY]
    stage.world.vault.change(stage.version, enabled=True)
    await stage.check()
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.PROTECTED


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("StorageAccountAlreadyTaken", Reason.ACCOUNT_NAME_TAKEN),
        ("InvalidValuesForRequestParameters", Reason.ACCOUNT_SETTINGS_REFUSED),
        ("RequestDisallowedByPolicy", Reason.POLICY_DENIED),
        ("AuthorizationFailed", Reason.PROVIDER_ROLE_MISSING),
        ("ResourceGroupNotFound", Reason.RESOURCE_NOT_FOUND),
        ("SomethingNew", Reason.APPLY_REFUSED),
    ],
)
@pytest.mark.parametrize("accepted_first", [True, False])
async def test_a_refused_creation_is_a_finding_that_is_announced_once(
    code: str, reason: Reason, accepted_first: bool
) -> None:
    stage = await verified_key()
    accounts = stage.world.accounts
    if accepted_first:
        accounts.creation_failure = refused(code)
    else:
        accounts.break_before("create", *[refused(code)] * 3)
    _, operation = await create(stage)
    for _ in range(3):
        await stage.reconcile()
        stage.world.clock.advance(timedelta(seconds=20))
        if (await stage.resource()).state is ResourceState.FAILED:
            break
    resource = await stage.resource()
    assert resource.state is ResourceState.FAILED
    assert [one.reason for one in resource.findings] == [reason]
    await stage.work_off()
    assert stage.announced().count("ResourceFailed") == 1
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert (await stage.operation(operation.operation_id)).succeeded is not None
    await stage.assert_told_truly()


async def test_a_name_that_stays_taken_is_announced_once_and_can_be_given_up() -> None:
    stage = await verified_key()
    stage.world.accounts.taken.add(ACCOUNT.account_name)
    await create(stage)
    await stage.work_off()
    assert stage.world.accounts.calls["create"] > 3
    assert stage.announced().count("ResourceFailed") == 1
    await ask_for_release(stage, stage.bundle)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None


async def test_refused_settings_can_be_corrected_and_get_an_operation_of_their_own() -> None:
    stage = await verified_key()
    refusal = refused("InvalidValuesForRequestParameters")
    refusal.detail = "Values for request parameters are invalid: sku."
    stage.world.accounts.break_before("create", refusal)
    _, first = await create(stage)
    await stage.reconcile()
    finding = (await stage.resource()).findings[0]
    assert "invalid: sku" in finding.message
    corrected = NewAccount(location="northeurope", sku="Standard_ZRS", kind="StorageV2")
    _, second = await create(stage, new=corrected)
    assert second.operation_id != first.operation_id
    await stage.work_off()
    assert (await stage.account()).location == "northeurope"
    assert (await stage.operation(second.operation_id)).succeeded


async def test_what_is_made_already_cannot_be_wished_otherwise() -> None:
    stage = await new_account()
    same, _ = await create(stage)
    without, _ = await create(stage, new=None)
    assert (same.create, without.create) == (NEW, NEW)
    with pytest.raises(Conflict):
        await create(stage, new=NewAccount(location="northeurope", sku="Standard_LRS", kind="StorageV2"))


async def test_an_account_that_was_deleted_is_gone_and_not_made_again() -> None:
    stage = await new_account()
    stage.world.accounts.remove(ACCOUNT)
    for _ in range(3):
        await stage.sweep()
        await stage.work_off()
        stage.world.clock.advance(timedelta(hours=1))
    assert (await stage.resource()).state is ResourceState.GONE
    assert len(stage.world.accounts.creations) == 1
    assert stage.announced().count("ResourceGone") == 1


async def test_an_account_that_was_deleted_before_it_was_ever_seen_is_not_made_again() -> None:
    stage = await verified_key()
    stage.world.accounts.shows_early = False
    await create(stage)
    stage.world.queue.take()
    await stage.reconcile()
    stage.world.clock.advance(timedelta(minutes=1))
    await stage.account()
    stage.world.accounts.remove(ACCOUNT)
    for _ in range(3):
        await stage.sweep()
        await stage.work_off()
    assert (await stage.resource()).state is ResourceState.GONE
    assert len(stage.world.accounts.creations) == 1


async def test_a_poll_that_we_may_not_make_says_nothing_about_the_account() -> None:
    stage = await verified_key()
    stage.world.accounts.shows_early = False
    stage.world.accounts.break_before("follow_creation", refused("AuthorizationFailed", 403))
    await create(stage)
    await stage.work_off()
    assert len(stage.world.accounts.creations) == 1
    assert stage.world.accounts.calls["create"] == 1
    assert (await stage.resource()).state is ResourceState.PROTECTED


async def test_a_made_account_is_released_like_any_other_and_stays() -> None:
    stage = await new_account()
    await ask_for_release(stage, stage.bundle)
    await stage.work_off()
    account = await stage.account()
    assert (account.key_source, account.user_assigned) == (STORAGE_MANAGED, ())
    assert (await stage.resource()).state is ResourceState.RELEASED


async def test_a_release_asked_for_while_the_account_is_being_made_waits_for_it() -> None:
    stage = await verified_key()
    stage.world.accounts.shows_early = False
    await create(stage)
    await stage.reconcile()
    await ask_for_release(stage, stage.bundle)
    await stage.work_off()
    account = await stage.account()
    assert (account.key_source, account.user_assigned) == (STORAGE_MANAGED, ())
    assert (await stage.resource()).state is ResourceState.RELEASED


async def test_a_system_assigned_identity_is_refused_for_a_customer_of_another_tenant() -> None:
    stage = await verified_key()
    with pytest.raises(BadInput) as error:
        await create(stage, new=None, identity="systemAssigned")
    assert (error.value.code, error.value.target) == ("SystemIdentityAcrossTenants", "identity")
