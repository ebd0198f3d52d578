"""The sweep: the floor under lost events, and what it leaves alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.entries import Entry, Record
from shared.domain.model import HealthState, ResourceState
from shared.domain.work import WorkKind
from shared.errors import Unavailable
from shared.services.sweep import start_sweep, sweep_range
from shared.stores import SweepRow
from tests.fakes import START, make_settings
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    WHOLE_FLEET,
    Stage,
    account_id,
    protect,
    protected_account,
    registered_key,
    unprotected_account,
    verified_key,
)


async def queued(stage: Stage) -> list[tuple[WorkKind, str]]:
    """What one sweep puts on an empty queue."""
    stage.world.queue.take()
    await stage.sweep()
    return [(item.kind, item.name) for item in stage.world.queue.items]


async def change(stage: Stage, **fields: Any) -> None:
    """Change the resource's row, leaving nothing in the outbox."""
    stored = await stage.world.state.read_resource(CONTOSO, "data")
    assert stored is not None
    entry = Entry(type=Record.RESOURCE_OBSERVED, origin=ORIGIN)
    await stage.world.state.commit(replace(stored.value, **fields), entry, previous=stored, now=stage.world.clock.now())
    rows = await stage.world.state.read_outbox(CONTOSO, limit=100)
    await stage.world.state.delete_outbox(CONTOSO, [row.row_key for row in rows])


async def test_a_converged_fleet_is_swept_without_a_write_but_the_ranges_row() -> None:
    stage = await protected_account()
    world = stage.world
    await stage.sweep()
    for port in (world.state, world.claims, world.fleet, world.accounts, world.timeline):
        port.calls.clear()
    assert await queued(stage) == []
    assert world.state.writes == 0
    assert set(world.claims.calls) == {"read_all"}
    assert not world.timeline.calls
    assert dict(world.accounts.calls) == {"read_subscription": 1}
    assert world.fleet.calls["write_sweep"] == 1
    assert set(world.fleet.calls) <= {"write_sweep", "read_sweeps", "read_pace"}


async def test_a_sweep_leaves_one_row_with_what_it_saw() -> None:
    stage = await protected_account()
    stage.world.clock.advance(timedelta(minutes=5))
    await stage.sweep()
    assert await stage.world.fleet.read_sweeps() == [
        SweepRow(
            range_id=WHOLE_FLEET,
            finished_at=stage.world.clock.now(),
            customers=1,
            keys_checked=1,
            resources_observed=1,
            queued=0,
            by_phase={"active": 1},
            by_health={"healthy": 1},
        )
    ]


@pytest.mark.parametrize("drift", ["key source", "pinned", "gone"])
async def test_an_account_that_differs_is_queued(drift: str) -> None:
    stage = await protected_account()
    match drift:
        case "key source":
            stage.world.accounts.change(
                ACCOUNT, key_source="Microsoft.Storage", current_key=None, vault_uri=None, key_name=None
            )
        case "pinned":
            stage.world.accounts.change(ACCOUNT, key_version=stage.version.version)
        case "gone":
            stage.world.accounts.remove(ACCOUNT)
    assert await queued(stage) == [(WorkKind.RECONCILE_RESOURCE, "data")]


async def test_only_what_differs_is_queued() -> None:
    stage = await protected_account()
    for name in ("alpha", "beta", "gamma"):
        stage.world.accounts.add(account_id(name))
        await protect(stage, name=name, account=account_id(name))
    await stage.work_off()
    stage.world.accounts.remove(account_id("beta"))
    assert await queued(stage) == [(WorkKind.RECONCILE_RESOURCE, "beta")]


async def test_a_rotation_whose_event_was_lost_is_found() -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    await stage.sweep()
    await stage.work_off()
    assert (await stage.account()).current_key == newer


async def test_a_registration_whose_message_was_lost_is_found() -> None:
    stage = await unprotected_account()
    await protect(stage)
    stage.world.queue.take()
    await stage.sweep()
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.PROTECTED


async def test_a_left_over_outbox_is_drained() -> None:
    stage = await registered_key()
    assert (WorkKind.DRAIN_TIMELINE, "") in await queued(stage)
    await stage.work_off()
    await stage.assert_told_truly()


async def test_a_customer_without_consent_is_looked_at_again() -> None:
    stage = await verified_key()
    stage.world.credentials.withdraw(stage.vault.tenant_id, next(iter(stage.vault.granted)))
    await stage.check(thorough=True)
    await stage.work_off()
    assert (WorkKind.CHECK_CUSTOMER, "") in await queued(stage)


@pytest.mark.parametrize(("minutes", "looked_at"), [(10, False), (11, True)])
async def test_a_resource_that_waits_is_left_alone_until_its_time(minutes: int, looked_at: bool) -> None:
    stage = await protected_account()
    until = stage.world.clock.now() + timedelta(minutes=11)
    await change(stage, state=ResourceState.FAILED, queued_until=until)
    stage.world.clock.advance(timedelta(minutes=minutes))
    assert ((WorkKind.RECONCILE_RESOURCE, "data") in await queued(stage)) is looked_at


async def test_one_key_that_cannot_be_checked_does_not_stop_the_others() -> None:
    stage = await verified_key()
    stage.world.state.break_before("read_key", Unavailable("no answer"))
    await stage.sweep()
    (row,) = await stage.world.fleet.read_sweeps()
    assert row.by_health == {"unchecked": 1}


async def test_an_outage_of_a_vault_is_recorded_by_the_sweep_and_hurts_nothing() -> None:
    stage = await protected_account()
    stage.vault.outage = Unavailable("no answer")
    assert await queued(stage) == [(WorkKind.DRAIN_TIMELINE, "")]
    assert (await stage.key()).health.state is HealthState.UNOBSERVABLE
    assert (await stage.resource()).state is ResourceState.PROTECTED


async def test_a_subscription_that_cannot_be_listed_is_left_to_the_next_sweep() -> None:
    stage = await protected_account()
    stage.world.accounts.remove(ACCOUNT)
    stage.world.accounts.break_before("read_subscription", Unavailable("no answer"))
    assert await queued(stage) == []
    assert len(await stage.world.fleet.read_sweeps()) == 1
    assert await queued(stage) == [(WorkKind.RECONCILE_RESOURCE, "data")]


async def test_a_customer_whose_application_left_the_settings_does_not_stop_the_range() -> None:
    stage = await protected_account()
    settings = make_settings()
    other = tuple(replace(one, client_id="99999999-0000-4000-8000-000000000009") for one in settings.applications)
    bundle = replace(stage.bundle, settings=replace(settings, applications=other))
    await sweep_range(bundle, WHOLE_FLEET, origin=ORIGIN)
    assert len(await stage.world.fleet.read_sweeps()) == 1


async def test_the_first_sweep_takes_the_fleet_as_one_range() -> None:
    stage = await verified_key()
    await start_sweep(stage.bundle, origin=ORIGIN)
    assert [(item.kind, item.name) for item in stage.world.queue.items] == [(WorkKind.SWEEP_RANGE, WHOLE_FLEET)]


async def test_the_number_of_ranges_follows_the_last_sweep() -> None:
    stage = await verified_key()
    for range_id in ("0of2", "1of2"):
        await stage.world.fleet.write_sweep(
            SweepRow(
                range_id=range_id, finished_at=START, customers=400, keys_checked=0, resources_observed=0, queued=0
            )
        )
    await start_sweep(stage.bundle, origin=ORIGIN)
    assert [item.name for item in stage.world.queue.items] == ["0of4", "1of4", "2of4", "3of4"]
