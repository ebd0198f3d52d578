"""Offboarding: everything released, an evidence statement, the claims freed last; and giving up as the exception."""

from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.domain.account_observation import STORAGE_MANAGED, VAULT_MANAGED
from shared.errors import BadInput, Conflict, CrossKeyError, NotFound
from shared.services.keys import put_key
from shared.services.offboarding import offboard_customer, read_statement
from shared.services.operations import get_operation
from shared.services.reconcile_resource import LEASE
from shared.services.timeline import check_integrity
from tests.unit.shared.services.crash import How, Killed, interrupted, restarted
from tests.unit.shared.services.stage import ACCOUNT, CONTOSO, ORIGIN, Stage, account_id, protect, protected_account


async def leave(stage: Stage, bundle: Bundle | None = None) -> str:
    _, operation = await offboard_customer(bundle or stage.bundle, CONTOSO, if_match=None, origin=ORIGIN)
    return operation.operation_id


async def assert_gone(stage: Stage) -> None:
    rows = await stage.world.state.read_rows(CONTOSO)
    assert (rows.customer, rows.keys, rows.resources) == (None, (), ())
    assert await stage.world.claims.find("key", stage.cmk.claim) is None
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None
    account = await stage.account()
    assert account.key_source == STORAGE_MANAGED


async def test_a_customer_leaves_with_every_resource_released_and_its_claims_freed() -> None:
    stage = await protected_account()
    operation = await leave(stage)
    await stage.work_off()
    await assert_gone(stage)
    view = await get_operation(stage.bundle, CONTOSO, operation)
    assert (view.status, view.percent_complete) == ("Succeeded", 100)
    assert stage.announced()[-2:] == ["ResourceReleased", "CustomerOffboarded"]
    assert (await check_integrity(stage.bundle, CONTOSO)).intact
    assert not await stage.world.fleet.read_customers(limit=10)


async def test_the_statement_says_which_version_protected_what_from_when_to_when() -> None:
    stage = await protected_account()
    stage.world.clock.advance(timedelta(days=3))
    newer = await stage.rotate()
    await stage.work_off()
    await leave(stage)
    await stage.work_off()
    statement = await read_statement(stage.bundle, CONTOSO)
    assert statement["everyResourceReleased"] is True
    (resource,) = statement["resources"]
    spans = resource["protectedBy"]
    assert [span["version"] for span in spans] == [stage.version.version, newer.version]
    assert spans[0]["to"] == spans[1]["from"]
    assert (resource["end"], resource["keySourceAfterwards"]) == ("released", STORAGE_MANAGED)
    entries = {entry.sequence: entry.hash for entry in await stage.entries()}
    assert entries[statement["timeline"]["sequence"]] == statement["timeline"]["hash"]


async def test_progress_is_counted_while_some_resources_still_depend_on_the_key() -> None:
    stage = await protected_account()
    other = account_id("contosomore")
    stage.world.accounts.add(other)
    await protect(stage, name="more", account=other)
    await stage.work_off()
    operation = await leave(stage)
    await stage.reconcile()
    view = await get_operation(stage.bundle, CONTOSO, operation)
    assert (view.status, view.percent_complete) == ("Running", 49)


async def test_nothing_new_is_taken_on_for_a_customer_who_leaves() -> None:
    stage = await protected_account()
    await leave(stage)
    with pytest.raises(Conflict) as refused:
        await protect(stage, name="more", account=account_id("contosomore"))
    assert refused.value.code == "CustomerLeaving"
    with pytest.raises(Conflict):
        await put_key(
            stage.bundle,
            CONTOSO,
            "second",
            key_identifier=f"{stage.cmk}2",
            version_policy="latest",
            vault_resource_id=None,
            if_match=None,
            origin=ORIGIN,
        )


async def test_asking_again_answers_the_same_operation() -> None:
    stage = await protected_account()
    first = await leave(stage)
    writes = stage.world.state.writes
    assert await leave(stage) == first
    assert stage.world.state.writes == writes


async def test_a_key_that_does_not_unwrap_keeps_the_customer_until_it_is_mended_or_given_up() -> None:
    stage = await protected_account()
    stage.world.vault.change(stage.version, enabled=False)
    operation = await leave(stage)
    await stage.work_off()
    assert (await get_operation(stage.bundle, CONTOSO, operation)).status == "Running"
    assert (await stage.account()).key_source == VAULT_MANAGED
    await offboard_customer(stage.bundle, CONTOSO, if_match=None, origin=ORIGIN, abandon=CONTOSO)
    await stage.work_off()
    statement = await read_statement(stage.bundle, CONTOSO)
    assert statement["everyResourceReleased"] is False
    assert statement["resources"][0]["end"] == "stranded"
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None
    assert (await stage.account()).key_source == VAULT_MANAGED
    assert stage.announced()[-1] == "CustomerOffboarded"


async def test_giving_up_needs_the_id_typed_once_more() -> None:
    stage = await protected_account()
    with pytest.raises(BadInput) as refused:
        await offboard_customer(stage.bundle, CONTOSO, if_match=None, origin=ORIGIN, abandon="yes")
    assert refused.value.target == "confirm"
    assert (await stage.customer()).leaving_since is None


async def test_there_is_no_statement_before_the_customer_has_left() -> None:
    stage = await protected_account()
    with pytest.raises(NotFound):
        await read_statement(stage.bundle, CONTOSO)


@pytest.mark.parametrize("how", How)
async def test_leaving_ends_the_same_whichever_call_goes_wrong(how: How) -> None:
    for at in range(1, 200):
        stage = await protected_account()
        process, interruption = interrupted(stage.bundle, at, how)
        try:
            await leave(stage, process)
            await stage.work_off(process)
        except (Killed, CrossKeyError, BaseExceptionGroup):
            stage.world.clock.advance(timedelta(seconds=1))
            if await stage.world.state.read_customer(CONTOSO) is not None:
                await leave(stage, restarted(stage.bundle))
            await stage.work_off(restarted(stage.bundle))
        for _ in range(2):
            # Past the lease of a run that died, and past the grace of claims whose row is gone.
            stage.world.clock.advance(LEASE + timedelta(hours=1))
            await stage.sweep()
            await stage.work_off()
        await assert_gone(stage)
        await stage.assert_told_truly()
        assert stage.announced().count("CustomerOffboarded") == 1, interruption.struck
        assert (await read_statement(stage.bundle, CONTOSO))["everyResourceReleased"] is True
        if interruption.struck is None:
            assert at > 20
            return
    raise AssertionError("it never ran through")
