"""Only one run at a time sends updates for a resource, whatever is asked for meanwhile: the lease in its row."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.bundle import Bundle
from shared.domain.account_observation import STORAGE_MANAGED, VAULT_MANAGED
from shared.domain.identifiers import same_arm_id
from shared.domain.model import ResourceState
from shared.errors import CrossKeyError, Throttled, Unavailable, UnexpectedAnswer
from shared.services.reconcile_resource import LEASE
from shared.services.resource_records import WorkedElsewhere
from shared.services.resources import release_resource
from tests.fakes import IDENTITY
from tests.unit.shared.services.crash import How, Killed, interrupted, restarted
from tests.unit.shared.services.interleave import interleaved
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    Stage,
    protect,
    protected_account,
    unprotected_account,
)

type Ask = Callable[[Stage, Bundle], Awaitable[None]]


async def ask_for_release(stage: Stage, process: Bundle) -> None:
    del stage  # all of it is in the process
    await release_resource(process, CONTOSO, "data", if_match=None, origin=ORIGIN)


async def ask_for_protection(stage: Stage, process: Bundle) -> None:
    await protect(stage, process)


class Sender:
    """Writes down whose update began and ended when."""

    def __init__(self, inner: Any, name: str, log: list[tuple[str, str]]) -> None:
        self._inner, self._name, self._log = inner, name, log

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._inner, operation)

    async def update(self, *args: Any, **kwargs: Any) -> Any:
        self._log.append((self._name, "begins"))
        try:
            return await self._inner.update(*args, **kwargs)
        finally:
            self._log.append((self._name, "ends"))


def named(bundle: Bundle, name: str, log: list[tuple[str, str]]) -> Bundle:
    return replace(restarted(bundle), accounts=Sender(bundle.accounts, name, log))


async def settle(stage: Stage) -> None:
    for _ in range(3):
        await stage.work_off()
        stage.world.clock.advance(LEASE + timedelta(seconds=1))
        await stage.sweep()
    await stage.work_off()


async def at_every_call(
    make: Callable[[], Awaitable[Stage]], first: Ask, second: Ask, state: ResourceState, key_source: str
) -> None:
    """One run works on the first wish; before each of its calls in turn the second wish comes, and a run for it."""
    for at in range(1, 100):
        stage, log = await make(), list[tuple[str, str]]()
        await first(stage, stage.bundle)
        stage.world.queue.take()
        other = named(stage.bundle, "second", log)

        async def turn(stage: Stage = stage, other: Bundle = other) -> None:
            await second(stage, other)
            with suppress(CrossKeyError):
                await stage.reconcile(other)

        process, meeting = interleaved(named(stage.bundle, "first", log), at, turn)
        with suppress(CrossKeyError):
            await stage.reconcile(process)
        # No update of one begins while one of the other is on its way.
        assert log[::2] == [(name, "begins") for name, _ in log[::2]], meeting.where
        assert log[1::2] == [(name, "ends") for name, _ in log[::2]], meeting.where
        if meeting.where is None:
            assert at > 8
            return
        await settle(stage)
        account, resource = await stage.account(), await stage.resource()
        assert (resource.state, account.key_source) == (state, key_source), meeting.where
        has_identity = any(same_arm_id(one, IDENTITY) for one in account.user_assigned)
        assert has_identity is (key_source == VAULT_MANAGED), meeting.where
        assert (resource.worker, resource.working_until) == (None, None), meeting.where
        assert (await stage.operation(resource.operation_id)).succeeded, meeting.where
        assert not stage.raised, meeting.where
        await stage.assert_told_truly()
    raise AssertionError("it never ran through")


async def test_a_protection_that_comes_at_any_call_of_a_release_wins() -> None:
    await at_every_call(protected_account, ask_for_release, ask_for_protection, ResourceState.PROTECTED, VAULT_MANAGED)


async def test_a_release_that_comes_at_any_call_of_a_protection_wins() -> None:
    await at_every_call(
        unprotected_account, ask_for_protection, ask_for_release, ResourceState.RELEASED, STORAGE_MANAGED
    )


async def test_while_one_run_updates_another_is_told_when_to_come_again() -> None:
    stage = await unprotected_account()
    await protect(stage)
    told: list[timedelta] = []

    async def turn() -> None:
        with pytest.raises(WorkedElsewhere) as elsewhere:
            await stage.reconcile(restarted(stage.bundle))
        told.append(elsewhere.value.ends_in)

    accounts = Sender(stage.bundle.accounts, "first", [])
    true_update = stage.bundle.accounts.update

    async def update(*args: Any, **kwargs: Any) -> Any:
        await turn()
        return await true_update(*args, **kwargs)

    accounts.__dict__["update"] = update
    await stage.reconcile(replace(restarted(stage.bundle), accounts=accounts))
    assert told == [LEASE]
    assert (await stage.resource()).state is ResourceState.PROTECTED


@pytest.mark.parametrize("error", [Unavailable("no answer"), Throttled("429"), UnexpectedAnswer("not JSON")])
async def test_a_run_that_meets_an_outage_gives_its_lease_back(error: CrossKeyError) -> None:
    stage = await unprotected_account()
    await protect(stage)
    stage.world.accounts.break_before("update", error)
    with pytest.raises(type(error)):
        await stage.reconcile()
    resource = await stage.resource()
    assert (resource.worker, resource.working_until) == (None, None)
    await stage.reconcile(restarted(stage.bundle))  # nobody need wait
    assert (await stage.resource()).state is ResourceState.PROTECTED


async def test_a_run_that_lost_a_race_gives_its_lease_back_and_follows_the_new_wish_at_once() -> None:
    stage = await protected_account()
    await ask_for_release(stage, stage.bundle)
    stage.world.queue.take()
    before = stage.world.clock.now()

    async def update(*args: Any, **kwargs: Any) -> Any:
        answer = await stage.world.accounts.update(*args, **kwargs)
        if not asked:
            asked.append(True)
            await protect(stage, restarted(stage.bundle))
        return answer

    asked: list[bool] = []
    accounts = Sender(stage.bundle.accounts, "first", [])
    accounts.__dict__["update"] = update
    await stage.reconcile(replace(restarted(stage.bundle), accounts=accounts))
    resource = await stage.resource()
    assert (resource.state, resource.worker) == (ResourceState.PROTECTED, None)
    assert stage.world.clock.now() == before


async def test_a_run_that_settles_holds_no_lease() -> None:
    stage = await protected_account()
    resource = await stage.resource()
    assert (resource.worker, resource.working_until) == (None, None)


async def test_the_lease_of_a_dead_run_is_waited_for_and_then_taken_over() -> None:
    stage = await unprotected_account()
    await protect(stage)
    stage.world.queue.take()
    at = 1
    while True:
        process, interruption = interrupted(stage.bundle, at, How.KILLED_BEFORE)
        with suppress(Killed):
            await stage.reconcile(process)
        assert interruption.struck is not None
        if "accounts.update" in interruption.struck:
            break
        at += 1
        stage = await unprotected_account()
        await protect(stage)
        stage.world.queue.take()
    resource = await stage.resource()
    assert resource.worker is not None
    assert resource.working_until == stage.world.clock.now() + LEASE
    stage.world.clock.advance(LEASE - timedelta(seconds=1))
    with pytest.raises(WorkedElsewhere):
        await stage.reconcile(restarted(stage.bundle))
    assert (await stage.account()).key_source == STORAGE_MANAGED
    stage.world.clock.advance(timedelta(seconds=1))
    await stage.reconcile(restarted(stage.bundle))
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert stage.world.accounts.calls["update"] == 1


async def test_the_wish_of_a_resource_can_be_changed_while_a_run_holds_it() -> None:
    stage = await unprotected_account()
    await protect(stage)
    stored = await stage.world.state.read_resource(CONTOSO, "data")
    assert stored is not None
    await ask_for_release(stage, stage.bundle)
    assert (await stage.resource()).state is ResourceState.RELEASING
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None
