"""One customer with a row that cannot be read, or one odd account, does not stop the sweep for the others."""

from datetime import timedelta

from shared.domain.identifiers import StorageAccountId
from shared.domain.model import ResourceState
from shared.domain.sweeping import CLAIM_GRACE
from shared.domain.work import WorkKind
from shared.services.customers import put_customer
from shared.stores import Claim
from tests.fakes import CUSTOMER_TENANT, SUBSCRIPTION
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    Stage,
    protect,
    protected_account,
    unprotected_account,
)

OTHERS = ("adatum", "fabrikam", "northwind", "tailspin")


async def register(stage: Stage, customer_id: str) -> None:
    await put_customer(
        stage.bundle, customer_id, display_name="Other", tenant_id=CUSTOMER_TENANT, if_match=None, origin=ORIGIN
    )


async def test_a_customer_that_cannot_be_read_does_not_stop_the_sweep_of_the_others() -> None:
    stage = await unprotected_account()
    await protect(stage)
    for customer_id in OTHERS:
        await register(stage, customer_id)
        stage.world.state.spoil(customer_id)
    stage.world.queue.take()
    await stage.sweep()
    queued = [(item.kind, item.customer_id) for item in stage.world.queue.items]
    assert (WorkKind.RECONCILE_RESOURCE, CONTOSO) in queued
    assert {customer_id for _, customer_id in queued} == {CONTOSO}
    (row,) = await stage.world.fleet.read_sweeps()
    assert row.customers == len(OTHERS) + 1  # they are there, so the fleet is cut as if they could be read


async def test_a_customer_that_cannot_be_read_keeps_its_claims_however_old() -> None:
    stage = await protected_account()
    stage.world.state.spoil(CONTOSO)
    stage.world.clock.advance(CLAIM_GRACE + timedelta(days=1))
    await stage.sweep()
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None
    assert await stage.world.claims.find("key", stage.cmk.claim) is not None


async def test_the_claims_of_others_are_freed_all_the_same() -> None:
    stage = await protected_account()
    await register(stage, "fabrikam")
    stage.world.state.spoil("fabrikam")
    orphan = Claim(
        kind="resource",
        identifier="another account",
        customer_id=CONTOSO,
        row="resource:never",
        claimed_at=stage.world.clock.now(),
    )
    await stage.world.claims.claim(orphan)
    stage.world.clock.advance(CLAIM_GRACE + timedelta(seconds=1))
    await stage.sweep()
    assert await stage.world.claims.find("resource", orphan.identifier) is None
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None


async def test_an_account_in_a_group_with_a_name_of_another_alphabet_does_not_stop_the_sweep() -> None:
    stage = await protected_account()
    stage.world.accounts.add(StorageAccountId(SUBSCRIPTION, "données", "unrelated1"))
    stage.world.accounts.add(StorageAccountId(SUBSCRIPTION, "グループ", "unrelated2"))
    stage.world.accounts.change(ACCOUNT, key_version=stage.version.version)
    await stage.sweep()
    assert [item.name for item in stage.world.queue.items if item.kind is WorkKind.RECONCILE_RESOURCE] == ["data"]
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert len(await stage.world.fleet.read_sweeps()) == 1
