"""When a key is looked at again by itself, and which of its resources a change of its health wakes."""

from datetime import timedelta

import pytest

from shared.domain.key_turns import CONFIRMATION_DELAY
from shared.domain.model import HealthState, ResourceState
from shared.domain.work import WorkKind
from shared.errors import NameUnresolved, Throttled, Unavailable
from shared.services.check_key import MARGIN
from shared.services.key_events import QUEUED, note_key_event
from shared.services.work import LOOKS_AT_AN_OUTAGE, perform
from tests.unit.shared.services.stage import (
    ORIGIN,
    Stage,
    account_id,
    protect,
    protected_account,
    verified_key,
)


async def hear_of_a_new_version(stage: Stage) -> None:
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    outcome = await note_key_event(
        stage.bundle,
        "Microsoft.KeyVault.KeyNewVersionCreated",
        {"Id": str(newer)},
        event_id="event-1",
        origin=ORIGIN,
    )
    assert outcome == QUEUED


def waiting(stage: Stage, kind: WorkKind) -> list[str]:
    return [item.name for item in stage.world.queue.items if item.kind is kind]


async def test_the_look_that_confirms_a_suspicion_comes_late_enough_for_clocks_that_differ() -> None:
    stage = await verified_key()
    stage.world.vault.change(stage.version, enabled=False)
    await stage.check()
    (item,) = [item for item in stage.world.queue.items if item.kind is WorkKind.CHECK_KEY]
    stage.world.queue.take()
    due = stage.world.queue.next_visible
    assert due is not None
    assert due - stage.world.clock.now() == CONFIRMATION_DELAY + MARGIN
    # A worker whose clock is behind by less than the margin confirms all the same.
    stage.world.clock.advance(CONFIRMATION_DELAY + MARGIN - timedelta(seconds=1.5))
    await perform(stage.bundle, item)
    assert (await stage.key()).health.state is HealthState.DISABLED


async def test_a_second_look_that_came_too_early_confirms_nothing() -> None:
    stage = await verified_key()
    stage.world.vault.change(stage.version, enabled=False)
    await stage.check()
    stage.world.clock.advance(CONFIRMATION_DELAY - timedelta(seconds=1))
    await stage.check()
    assert (await stage.key()).health.state is HealthState.HEALTHY


@pytest.mark.parametrize("outage", [Unavailable("no answer"), Throttled("429"), NameUnresolved("no address")])
async def test_an_event_that_meets_an_outage_is_looked_at_again_before_the_sweep(outage: Exception) -> None:
    stage = await protected_account()
    began = stage.world.clock.now()
    await hear_of_a_new_version(stage)
    stage.vault.outage = outage
    for item in stage.world.queue.take():
        await perform(stage.bundle, item)
    assert (await stage.key()).health.state is HealthState.UNOBSERVABLE
    stage.vault.outage = None
    await stage.work_off()
    assert (await stage.account()).current_key == stage.world.vault.latest(stage.cmk)
    assert stage.world.clock.now() - began < timedelta(minutes=1)


async def test_a_long_outage_is_left_to_the_sweep_after_a_few_looks() -> None:
    stage = await protected_account()
    await hear_of_a_new_version(stage)
    stage.vault.outage = Unavailable("no answer")
    reads = stage.world.vault.calls["read_key"]
    await stage.work_off()
    assert stage.world.vault.calls["read_key"] - reads == LOOKS_AT_AN_OUTAGE + 1
    assert not stage.raised
    stage.vault.outage = None
    await stage.sweep()
    await stage.work_off()
    assert (await stage.account()).current_key == stage.world.vault.latest(stage.cmk)


async def test_a_key_that_is_ready_again_wakes_no_resource_that_is_settled() -> None:
    stage = await protected_account()
    for name in ("alpha", "beta"):
        stage.world.accounts.add(account_id(name))
        await protect(stage, name=name, account=account_id(name))
    await stage.work_off()
    stage.vault.outage = Throttled("429")
    await stage.check()
    stage.vault.outage = None
    stage.world.queue.take()
    await stage.check()
    assert (await stage.key()).health.state is HealthState.HEALTHY
    assert waiting(stage, WorkKind.RECONCILE_RESOURCE) == []


async def test_a_key_that_is_ready_again_wakes_the_resources_that_waited_for_it() -> None:
    stage = await protected_account()
    stage.vault.outage = Throttled("429")
    await stage.check()
    stage.world.accounts.add(account_id("alpha"))
    await protect(stage, name="waits", account=account_id("alpha"))
    await stage.work_off()
    assert (await stage.resource("waits")).state is ResourceState.BLOCKED
    stage.vault.outage = None
    stage.world.queue.take()
    await stage.check()
    assert waiting(stage, WorkKind.RECONCILE_RESOURCE) == ["waits"]
    await stage.work_off()
    assert (await stage.resource("waits")).state is ResourceState.PROTECTED


async def test_a_new_version_wakes_every_resource_of_the_key() -> None:
    stage = await protected_account()
    stage.world.accounts.add(account_id("alpha"))
    await protect(stage, name="alpha", account=account_id("alpha"))
    await stage.work_off()
    await stage.rotate()
    assert sorted(waiting(stage, WorkKind.RECONCILE_RESOURCE)) == ["alpha", "data"]
