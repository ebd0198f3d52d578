"""Operations: how far they are follows from the resource; how they ended is stored once."""

import pytest

from shared.domain.model import Operation, OperationKind, ResourceState
from shared.errors import NotFound, Refused
from shared.services.operations import get_operation, outcome
from shared.services.resources import release_resource
from tests.fakes import START
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protect, protected_account, unprotected_account


async def status(stage: Stage, operation: Operation) -> tuple[str, int, str | None]:
    view = await get_operation(stage.bundle, CONTOSO, operation.operation_id)
    return view.status, view.percent_complete, view.error_code


async def test_a_protection_goes_from_not_started_to_succeeded() -> None:
    stage = await unprotected_account()
    operation = await protect(stage)
    assert await status(stage, operation) == ("NotStarted", 0, None)
    await stage.work_off()
    assert await status(stage, operation) == ("Succeeded", 100, None)


async def test_a_protection_that_waits_for_its_key_is_running() -> None:
    stage = await unprotected_account()
    stage.world.vault.change(stage.version, enabled=False)
    await stage.check()
    operation = await protect(stage)
    await stage.reconcile()
    assert await status(stage, operation) == ("Running", 50, None)


async def test_a_refused_protection_failed_and_says_why() -> None:
    stage = await unprotected_account()
    stage.world.accounts.break_before("update", Refused("locked", http_status=409, azure_code="ScopeLocked"))
    operation = await protect(stage)
    await stage.reconcile()
    view = await get_operation(stage.bundle, CONTOSO, operation.operation_id)
    assert (view.status, view.error_code) == ("Failed", "ScopeLocked")
    assert "lock" in (view.error_message or "")


async def test_a_release_is_running_until_it_succeeded() -> None:
    stage = await protected_account()
    _, operation = await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    assert operation is not None
    assert await status(stage, operation) == ("Running", 50, None)
    await stage.work_off()
    assert await status(stage, operation) == ("Succeeded", 100, None)


async def test_an_ended_operation_stays_ended_whatever_becomes_of_the_resource() -> None:
    stage = await unprotected_account()
    operation = await protect(stage)
    await stage.work_off()
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    assert await status(stage, operation) == ("Succeeded", 100, None)


async def test_the_end_is_written_once() -> None:
    stage = await protected_account()
    for _ in range(3):
        await stage.reconcile()
    await stage.work_off()
    assert (await stage.entry_types())["OperationFinished"] == 1


async def test_an_operation_nobody_asked_for_is_not_found() -> None:
    stage = await protected_account()
    with pytest.raises(NotFound):
        await get_operation(stage.bundle, CONTOSO, "00000000000000000000000000000000")


async def test_an_operation_of_another_customer_is_not_found() -> None:
    stage = await protected_account()
    operation_id = (await stage.resource()).operation_id
    with pytest.raises(NotFound):
        await get_operation(stage.bundle, "fabrikam", operation_id or "")


@pytest.mark.parametrize(
    ("kind", "state", "wanted"),
    [
        (OperationKind.PROTECT, ResourceState.PENDING, "NotStarted"),
        (OperationKind.PROTECT, ResourceState.APPLYING, "Running"),
        (OperationKind.PROTECT, ResourceState.BLOCKED, "Running"),
        (OperationKind.PROTECT, ResourceState.PROTECTED, "Succeeded"),
        (OperationKind.PROTECT, ResourceState.DRIFTED, "Succeeded"),
        (OperationKind.PROTECT, ResourceState.FAILED, "Failed"),
        (OperationKind.PROTECT, ResourceState.GONE, "Failed"),
        (OperationKind.RELEASE, ResourceState.RELEASING, "Running"),
        (OperationKind.RELEASE, ResourceState.RELEASED, "Succeeded"),
        (OperationKind.RELEASE, ResourceState.GONE, "Failed"),
    ],
)
async def test_where_an_operation_stands_follows_from_its_resource(
    kind: OperationKind, state: ResourceState, wanted: str
) -> None:
    stage = await protected_account()
    resource = await stage.resource()
    operation = Operation(customer_id=CONTOSO, operation_id="one", kind=kind, target="resource:data", created_at=START)
    concerned = type(resource)(
        customer_id=CONTOSO,
        name="data",
        resource_id=resource.resource_id,
        key="primary",
        registered_at=START,
        state=state,
        operation_id="one",
    )
    assert outcome(operation, concerned).status == wanted
