"""What the sweep takes away: orphaned claims, ended operations, and resources long at rest."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.entries import Entry, Record
from shared.domain.model import Operation, OperationKind, Resource
from shared.domain.sweeping import CLAIM_GRACE, KEEP_FINISHED, SweepRange
from shared.services.resources import release_resource
from shared.services.sweep import sweep_range
from shared.stores import Claim
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    Stage,
    protect,
    protected_account,
    registered_key,
    unprotected_account,
    verified_key,
)

LONG_AGO = KEEP_FINISHED + timedelta(seconds=1)


async def add_operation(stage: Stage, operation_id: str, **fields: Any) -> None:
    operation = Operation(
        customer_id=CONTOSO,
        operation_id=operation_id,
        kind=OperationKind.PROTECT,
        target="resource:data",
        created_at=stage.world.clock.now(),
        **fields,
    )
    entry = Entry(type=Record.OPERATION_REQUESTED, origin=ORIGIN)
    await stage.world.state.commit(operation, entry, previous=None, now=stage.world.clock.now())


async def claim(stage: Stage, identifier: str, row: str, customer_id: str = CONTOSO, kind: str = "resource") -> Claim:
    wanted = Claim(
        kind=kind, identifier=identifier, customer_id=customer_id, row=row, claimed_at=stage.world.clock.now()
    )
    return await stage.world.claims.claim(wanted)


async def test_a_claim_whose_row_never_came_is_freed_after_an_hour() -> None:
    stage = await verified_key()
    await claim(stage, ACCOUNT.claim, "resource:data")
    stage.world.clock.advance(CLAIM_GRACE)
    await stage.sweep()
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None
    stage.world.clock.advance(timedelta(seconds=1))
    await stage.sweep()
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None


async def test_claims_of_live_rows_are_kept_however_old() -> None:
    stage = await protected_account()
    stage.world.clock.advance(timedelta(days=400))
    await stage.sweep()
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None
    assert await stage.world.claims.find("key", stage.cmk.claim) is not None


async def test_an_orphaned_claim_is_freed_though_another_row_names_the_same_key() -> None:
    stage = await registered_key()
    await claim(stage, stage.cmk.claim, "key:removed", kind="key")
    stage.world.clock.advance(CLAIM_GRACE + timedelta(seconds=1))
    await stage.sweep()
    assert await stage.world.claims.find("key", stage.cmk.claim) is None


async def test_a_claim_that_was_renewed_in_between_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = await verified_key()
    await claim(stage, ACCOUNT.claim, "resource:data")
    stage.world.clock.advance(CLAIM_GRACE * 2)
    remove_unchanged = stage.world.claims.remove_unchanged

    async def renewed_meanwhile(orphan: Claim) -> None:
        await claim(stage, ACCOUNT.claim, "resource:data")
        await remove_unchanged(orphan)

    monkeypatch.setattr(stage.world.claims, "remove_unchanged", renewed_meanwhile)
    await stage.sweep()
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None


async def test_claims_of_other_ranges_are_left_to_their_own_sweep() -> None:
    stage = await verified_key()
    await claim(stage, ACCOUNT.claim, "resource:data")
    stage.world.clock.advance(CLAIM_GRACE * 2)
    own, other = sorted((SweepRange(0, 2), SweepRange(1, 2)), key=lambda part: not part.holds(CONTOSO))
    await sweep_range(stage.bundle, str(other), origin=ORIGIN)
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None
    await sweep_range(stage.bundle, str(own), origin=ORIGIN)
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None


@pytest.mark.parametrize(("age", "kept"), [(KEEP_FINISHED, True), (LONG_AGO, False)])
async def test_a_finished_operation_is_removed_after_thirty_days(age: timedelta, kept: bool) -> None:
    stage = await verified_key()
    await add_operation(stage, "old", finished_at=stage.world.clock.now(), succeeded=True)
    stage.world.clock.advance(age)
    await stage.sweep()
    assert (await stage.world.state.read_operation(CONTOSO, "old") is not None) is kept


async def test_an_operation_under_way_is_kept_however_old() -> None:
    stage = await unprotected_account()
    stage.world.vault.change(stage.version, enabled=False)
    await stage.check()
    operation = await protect(stage)
    stage.world.clock.advance(LONG_AGO)
    await stage.sweep()
    assert (await stage.operation(operation.operation_id)).succeeded is None


async def test_an_operation_that_no_resource_names_is_removed_after_thirty_days() -> None:
    stage = await verified_key()
    await add_operation(stage, "abandoned")
    await stage.sweep()
    assert await stage.world.state.read_operation(CONTOSO, "abandoned") is not None
    stage.world.clock.advance(LONG_AGO)
    await stage.sweep()
    assert await stage.world.state.read_operation(CONTOSO, "abandoned") is None


@pytest.mark.parametrize("how", ["released", "gone", "released though gone"])
async def test_a_resource_at_rest_is_removed_thirty_days_after_its_end(how: str) -> None:
    stage = await protected_account()
    stage.world.clock.advance(KEEP_FINISHED * 2)  # long after it was last seen to change
    if how != "released":
        stage.world.accounts.remove(ACCOUNT)
    if how != "gone":
        await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.reconcile()
    stage.world.clock.advance(timedelta(minutes=2))
    await stage.reconcile()
    await stage.sweep()
    assert isinstance(await stage.resource(), Resource)
    stage.world.clock.advance(LONG_AGO)
    await stage.sweep()
    assert await stage.world.state.read_resource(CONTOSO, "data") is None
    await stage.work_off()
    await stage.assert_told_truly()
