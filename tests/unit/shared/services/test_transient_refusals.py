"""Refusals that pass by themselves end no operation; those that stay are asked again ever more rarely."""

from datetime import timedelta

import pytest

from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.errors import CrossKeyError, Refused, Unavailable
from shared.services.reconcile_resource import LONGEST_REFUSAL_DELAY, QUICK_REFUSALS
from shared.services.resources import release_resource
from shared.services.work import perform
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protect, protected_account, unprotected_account


def refusal(code: str, status: int = 403) -> Refused:
    return Refused("no", http_status=status, azure_code=code)


async def play(stage: Stage, minutes: int, *, sweep_every: int = 5) -> None:
    """Time passes; the host works and the timer ticks."""
    world = stage.world
    for minute in range(minutes):
        if minute % sweep_every == 0:
            await stage.sweep()
        for _ in range(6):
            for item in world.queue.take():
                try:
                    await perform(stage.bundle, item)
                except CrossKeyError as error:
                    stage.raised.append(error)
            world.clock.advance(timedelta(seconds=10))


async def test_a_change_of_somebody_else_under_way_is_waited_for() -> None:
    # As the adapter tells 409 StorageAccountOperationInProgress.
    stage = await unprotected_account()
    operation = await protect(stage)
    stage.world.accounts.break_before("update", *[Unavailable("StorageAccountOperationInProgress")] * 3)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert (await stage.operation(operation.operation_id)).succeeded
    assert "ResourceFailed" not in stage.announced()


@pytest.mark.parametrize("code", ["KeyVaultAuthenticationFailure", "LinkedAuthorizationFailed"])
async def test_a_refusal_that_a_role_on_its_way_explains_does_not_end_the_operation(code: str) -> None:
    stage = await unprotected_account()
    operation = await protect(stage)
    stage.world.accounts.break_before("update", *[refusal(code)] * QUICK_REFUSALS)
    await stage.reconcile()
    assert (await stage.resource()).state is ResourceState.FAILED
    assert (await stage.operation(operation.operation_id)).succeeded is None
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert (await stage.operation(operation.operation_id)).succeeded


async def test_a_refusal_that_stays_ends_the_operation_in_the_end() -> None:
    stage = await unprotected_account()
    operation = await protect(stage)
    stage.world.accounts.break_before("update", *[refusal("KeyVaultAuthenticationFailure")] * 100)
    await stage.work_off()
    ended = await stage.operation(operation.operation_id)
    assert ended.succeeded is False
    assert ended.error_code == Reason.KEY_REFUSED_BY_STORAGE


async def test_a_refusal_that_waiting_does_not_explain_ends_the_operation_at_once() -> None:
    stage = await unprotected_account()
    operation = await protect(stage)
    stage.world.accounts.break_before("update", refusal("RequestDisallowedByPolicy"))
    await stage.reconcile()
    assert (await stage.operation(operation.operation_id)).succeeded is False


async def test_a_denied_account_is_asked_about_a_few_times_an_hour_and_then_hardly_at_all() -> None:
    stage = await unprotected_account()
    await protect(stage)
    calls = stage.world.accounts.calls
    stage.world.accounts.break_before("update", *[refusal("RequestDisallowedByPolicy")] * 1000)
    before = calls["update"] + calls["read"]
    await play(stage, 60)
    first_hour = calls["update"]
    assert first_hour <= 8
    assert calls["update"] + calls["read"] - before <= 16
    await play(stage, 23 * 60, sweep_every=30)
    assert calls["update"] - first_hour <= 8
    assert stage.announced().count("ResourceFailed") == 1
    waits_until = (await stage.resource()).queued_until
    assert waits_until is not None
    assert waits_until - stage.world.clock.now() <= LONGEST_REFUSAL_DELAY
    assert not stage.raised


async def test_a_denial_that_was_lifted_is_found_by_the_sweep_and_forgotten() -> None:
    stage = await unprotected_account()
    await protect(stage)
    stage.world.accounts.break_before("update", *[refusal("RequestDisallowedByPolicy")] * 6)
    await play(stage, 300)
    resource = await stage.resource()
    assert (resource.state, resource.refusals, resource.queued_until) == (ResourceState.PROTECTED, 0, None)


async def test_a_refused_release_is_asked_again_ever_more_rarely_too() -> None:
    stage = await protected_account()
    stage.world.accounts.break_before("update", *[refusal("ScopeLocked")] * 1000)
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    before = stage.world.accounts.calls["update"]
    await play(stage, 60)
    assert stage.world.accounts.calls["update"] - before <= 8
    assert (await stage.resource()).state is ResourceState.RELEASING
