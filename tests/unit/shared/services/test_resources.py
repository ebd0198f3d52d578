"""Asking for protection and release: idempotent, guarded, claimed, planned."""

from typing import Any

import pytest

from shared.domain.model import Operation, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.errors import BadInput, Conflict, NotFound, PreconditionFailed, StaleWrite
from shared.services.customers import put_customer
from shared.services.keys import put_key
from shared.services.operations import get_operation
from shared.services.resources import (
    get_resource,
    plan_resource,
    put_resource,
    release_resource,
    request_reconcile,
)
from shared.stores import Stored
from tests.fakes import APPLICATION, CUSTOMER_TENANT, IDENTITY
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    OTHER_IDENTITY,
    Stage,
    account_id,
    protect,
    protected_account,
    registered_key,
    unprotected_account,
)


async def put(stage: Stage, name: str = "data", **changes: Any) -> tuple[Stored[Resource], Operation | None]:
    wish: dict[str, Any] = {
        "resource_id": str(ACCOUNT),
        "key": "primary",
        "drift_policy": "repair",
        "if_match": None,
        **changes,
    }
    return await put_resource(stage.bundle, CONTOSO, name, origin=ORIGIN, **wish)


async def release(stage: Stage, if_match: str | None = None) -> tuple[Stored[Resource], Operation | None]:
    return await release_resource(stage.bundle, CONTOSO, "data", if_match=if_match, origin=ORIGIN)


async def plan(stage: Stage, resource_id: str = str(ACCOUNT)) -> tuple[list[dict[str, Any]], list[Reason]]:
    made = await plan_resource(
        stage.bundle, CONTOSO, "data", resource_id=resource_id, key="primary", drift_policy="repair"
    )
    return made.steps, [finding.reason for finding in made.findings]


async def register_fabrikam(stage: Stage) -> None:
    await put_customer(
        stage.bundle, "fabrikam", display_name="Fabrikam", tenant_id=CUSTOMER_TENANT, if_match=None, origin=ORIGIN
    )
    await put_key(
        stage.bundle,
        "fabrikam",
        "primary",
        key_identifier="https://fabrikam-keys.vault.azure.net/keys/cmk",
        version_policy="latest",
        vault_resource_id=None,
        if_match=None,
        origin=ORIGIN,
    )


@pytest.mark.parametrize("worked_off", [False, True])
async def test_the_same_wish_again_answers_its_operation_and_writes_nothing(worked_off: bool) -> None:
    stage = await unprotected_account()
    operation = await protect(stage)
    if worked_off:
        await stage.work_off()
    writes, claims = stage.world.state.writes, stage.world.claims.calls["claim"]
    _, again = await put(stage)
    assert again is not None
    assert again.operation_id == operation.operation_id
    assert (stage.world.state.writes, stage.world.claims.calls["claim"]) == (writes, claims)


async def test_a_resource_id_is_the_same_in_any_case() -> None:
    stage = await protected_account()
    writes = stage.world.state.writes
    await put(stage, resource_id=str(ACCOUNT).upper().replace("CONTOSODATA", "contosodata"))
    assert stage.world.state.writes == writes


async def test_another_drift_policy_is_one_change_without_a_new_operation() -> None:
    stage = await protected_account()
    before = await stage.resource()
    stored, _ = await put(stage, drift_policy="report")
    assert stored.value.operation_id == before.operation_id
    assert stored.value.drift_policy == "report"


@pytest.mark.parametrize("changes", [{"resource_id": str(account_id("contosoother"))}, {"key": "secondary"}])
async def test_a_registered_resource_keeps_its_account_and_its_key(changes: dict[str, str]) -> None:
    stage = await protected_account()
    await put_key(
        stage.bundle,
        CONTOSO,
        "secondary",
        key_identifier="https://contoso-keys.vault.azure.net/keys/second",
        version_policy="latest",
        vault_resource_id=None,
        if_match=None,
        origin=ORIGIN,
    )
    with pytest.raises(Conflict) as raised:
        await put(stage, **changes)
    assert raised.value.code == "ResourceFixed"


async def test_an_account_of_another_registration_is_refused_and_nothing_is_told_of_it() -> None:
    stage = await protected_account()
    await register_fabrikam(stage)
    writes = stage.world.state.writes
    with pytest.raises(Conflict) as raised:
        await put_resource(
            stage.bundle,
            "fabrikam",
            "mine",
            resource_id=str(ACCOUNT),
            key="primary",
            drift_policy="repair",
            if_match=None,
            origin=ORIGIN,
        )
    assert raised.value.code == "ResourceClaimed"
    assert CONTOSO not in raised.value.message
    assert stage.world.state.writes == writes


async def test_one_account_cannot_be_registered_twice_by_one_customer() -> None:
    stage = await protected_account()
    with pytest.raises(Conflict):
        await put(stage, "again")


@pytest.mark.parametrize(
    ("changes", "target", "code"),
    [
        ({"resource_id": "/subscriptions/x"}, "resourceId", "ResourceIdMalformed"),
        ({"resource_id": str(ACCOUNT).replace("50000000", "99999999")}, "resourceId", "SubscriptionNotAllowed"),
        ({"key": "nobody"}, "key", "KeyNotRegistered"),
        ({"key": "Bad Name"}, "key", "NameMalformed"),
        ({"drift_policy": "ignore"}, "driftPolicy", "DriftPolicyUnknown"),
        ({"name": "Bad Name"}, "resourceName", "NameMalformed"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_stored(changes: dict[str, str], target: str, code: str) -> None:
    stage = await unprotected_account()
    writes = stage.world.state.writes
    with pytest.raises(BadInput) as raised:
        await put(stage, **changes)
    assert (raised.value.target, raised.value.code) == (target, code)
    assert (stage.world.state.writes, stage.world.claims.calls["claim"]) == (writes, 1)  # the one is the key's


async def test_if_match_guards_a_change() -> None:
    stage = await protected_account()
    stored, _ = await put(stage)
    await put(stage, drift_policy="report", if_match=stored.etag)
    with pytest.raises(PreconditionFailed):
        await put(stage, drift_policy="repair", if_match=stored.etag)
    with pytest.raises(PreconditionFailed):
        await release(stage, if_match=stored.etag)
    assert (await stage.resource()).drift_policy == "report"


async def test_if_match_of_anything_asks_that_the_resource_exists() -> None:
    stage = await unprotected_account()
    with pytest.raises(PreconditionFailed):
        await put(stage, if_match="*")
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None


async def test_release_answers_the_same_operation_however_often_it_is_asked() -> None:
    stage = await protected_account()
    first, second = [await release(stage) for _ in range(2)]
    await stage.work_off()
    third = await release(stage)
    operations = {answer[1].operation_id for answer in (first, second, third) if answer[1] is not None}
    assert len(operations) == 1
    assert (await stage.entry_types())["ResourceReleasing"] == 1


async def test_a_released_account_may_be_protected_again_with_an_operation_of_its_own() -> None:
    stage = await protected_account()
    before = await stage.resource()
    await release(stage)
    await stage.work_off()
    stage.world.clock.advance(stage.world.clock.now() - before.registered_at)
    operation = await protect(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.PROTECTED
    assert resource.operation_id == operation.operation_id != before.operation_id
    assert resource.identity_added == IDENTITY
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None
    assert stage.announced().count("ResourceProtected") == 2
    await stage.assert_told_truly()


async def test_a_release_supersedes_a_protection_under_way() -> None:
    stage = await unprotected_account()
    protection = await protect(stage)
    await release(stage)
    view = await get_operation(stage.bundle, CONTOSO, protection.operation_id)
    assert (view.status, view.error_code) == ("Failed", "OperationSuperseded")
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED


async def test_a_protection_supersedes_a_release_under_way() -> None:
    stage = await protected_account()
    _, releasing = await release(stage)
    protection = await protect(stage)
    assert releasing is not None
    view = await get_operation(stage.bundle, CONTOSO, releasing.operation_id)
    assert (view.status, view.error_code) == ("Failed", "OperationSuperseded")
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert (await stage.account()).current_key == stage.version
    assert (await stage.operation(protection.operation_id)).succeeded


async def test_a_release_that_lost_a_race_is_asked_again_under_one_operation() -> None:
    stage = await protected_account()
    stage.world.state.break_before("commit", StaleWrite("another writer was first"))
    await release(stage)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED


async def test_the_plan_shows_the_exact_request_and_changes_nothing() -> None:
    stage = await unprotected_account()
    writes, claims = stage.world.state.writes, stage.world.claims.calls["claim"]
    steps, findings = await plan(stage)
    (step,) = steps
    assert step["method"] == "PATCH"
    assert step["url"].startswith(f"https://management.azure.com{ACCOUNT}?api-version=")
    assert step["body"]["identity"]["userAssignedIdentities"].keys() == {OTHER_IDENTITY, IDENTITY}
    encryption = step["body"]["properties"]["encryption"]
    assert encryption["keyvaultproperties"] == {"keyname": "cmk", "keyvaulturi": stage.cmk.vault_uri, "keyversion": ""}
    assert encryption["identity"]["federatedIdentityClientId"] == APPLICATION
    assert not findings
    assert (stage.world.state.writes, stage.world.claims.calls["claim"]) == (writes, claims)
    assert not stage.world.accounts.updates
    assert not stage.world.queue.items


async def test_the_plan_of_what_is_already_so_is_empty() -> None:
    stage = await protected_account()
    assert (await plan(stage))[0] == []


async def test_the_plan_with_an_unfit_key_says_what_stands_in_the_way() -> None:
    stage = await registered_key()
    stage.world.accounts.add(ACCOUNT)
    assert await plan(stage) == ([], [Reason.KEY_NOT_READY])


async def test_the_plan_for_an_account_that_is_not_there_says_so() -> None:
    stage = await registered_key()
    assert await plan(stage) == ([], [Reason.RESOURCE_NOT_FOUND])


async def test_what_a_resource_should_be_follows_from_the_rows_as_they_are() -> None:
    stage = await protected_account()
    wanted = (await get_resource(stage.bundle, CONTOSO, "data")).desired
    assert (wanted["version"], wanted["followsLatest"]) == (stage.version.version, True)
    await release(stage)
    assert (await get_resource(stage.bundle, CONTOSO, "data")).desired == {"keySource": "Microsoft.Storage"}


@pytest.mark.parametrize("name", ["nobody", "data"])
async def test_a_look_can_be_asked_for_what_exists(name: str) -> None:
    stage = await protected_account()
    if name == "nobody":
        with pytest.raises(NotFound):
            await request_reconcile(stage.bundle, CONTOSO, name, origin=ORIGIN)
    else:
        await request_reconcile(stage.bundle, CONTOSO, name, origin=ORIGIN)
    assert len(stage.world.queue.items) == (0 if name == "nobody" else 1)
