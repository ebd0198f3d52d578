"""Protect, rotate and release, with the process dying or losing an answer at every single port call.

After a restart and repeated runs the end is the same as without any fault: one truth, told once.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.domain.account_observation import STORAGE_MANAGED, VAULT_MANAGED
from shared.domain.model import ResourceState
from shared.errors import CrossKeyError
from shared.services.reconcile_resource import LEASE
from shared.services.resources import release_resource
from tests.fakes import APPLICATION, IDENTITY
from tests.unit.shared.services.crash import How, Interruption, Killed, interrupted, restarted
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    OTHER_IDENTITY,
    Stage,
    protect,
    protected_account,
    unprotected_account,
)

type Act = Callable[[Stage, Bundle], Awaitable[None]]
type Check = Callable[[Stage, Interruption], Awaitable[None]]


async def at_every_call(make: Callable[[], Awaitable[Stage]], act: Act, check: Check, how: How) -> None:
    """Play it with each port call going wrong in turn, until there is no such call any more.

    Whoever asked asks again when he got no answer; the messages come back; the sweep is the floor.
    """
    for at in range(1, 150):
        stage = await make()
        process, interruption = interrupted(stage.bundle, at, how)
        try:
            await act(stage, process)
            await stage.work_off(process)
        except (Killed, CrossKeyError):
            stage.world.clock.advance(timedelta(seconds=1))
            await act(stage, restarted(stage.bundle))
            await stage.work_off(restarted(stage.bundle))
        for _ in range(2):
            # Past the lease of a run that died.
            stage.world.clock.advance(LEASE + timedelta(seconds=1))
            await stage.sweep()
            await stage.work_off()
            await stage.reconcile()
        await stage.work_off()
        await check(stage, interruption)
        await stage.assert_told_truly()
        assert not stage.raised, interruption.struck
        if interruption.struck is None:
            assert at > 20
            return
    raise AssertionError("it never ran through")


async def ask_for_protection(stage: Stage, process: Bundle) -> None:
    await protect(stage, process)


async def assert_protected(stage: Stage, interruption: Interruption) -> None:
    account, resource = await stage.account(), await stage.resource()
    assert resource.state is ResourceState.PROTECTED, interruption.struck
    assert account.key_source == VAULT_MANAGED
    assert account.follows_latest
    assert account.federated_client_id == APPLICATION
    assert set(account.user_assigned) == {OTHER_IDENTITY, IDENTITY}
    assert account.system_assigned
    assert resource.identity_added == IDENTITY, interruption.struck
    assert resource.rotation is None
    operation = await stage.operation(resource.operation_id)
    assert operation.succeeded, interruption.struck
    claim = await stage.world.claims.find("resource", ACCOUNT.claim)
    assert claim is not None
    assert claim.row == "resource:data"


async def assert_first_version(stage: Stage, interruption: Interruption) -> None:
    await assert_protected(stage, interruption)
    assert (await stage.account()).current_key == stage.version
    assert stage.announced().count("ResourceProtected") == 1, interruption.struck


@pytest.mark.parametrize("how", How)
async def test_protecting_ends_the_same_whichever_call_goes_wrong(how: How) -> None:
    await at_every_call(unprotected_account, ask_for_protection, assert_first_version, how)


async def rotate(stage: Stage, process: Bundle) -> None:
    """The customer's new version was announced by an event; the reconciler moves the account."""
    del process
    newer = stage.world.vault.latest(stage.cmk)
    if newer == stage.version:
        await stage.rotate()


async def assert_rotated(stage: Stage, interruption: Interruption) -> None:
    await assert_protected(stage, interruption)
    newest = stage.world.vault.latest(stage.cmk)
    assert newest != stage.version
    assert (await stage.account()).current_key == newest, interruption.struck
    assert stage.announced().count("ResourceRotated") == 1, interruption.struck
    assert stage.announced().count("ResourceDrifted") == 0, interruption.struck


@pytest.mark.parametrize("moves_at_once", [True, False])
@pytest.mark.parametrize("how", How)
async def test_rotating_ends_the_same_whichever_call_goes_wrong(how: How, moves_at_once: bool) -> None:
    async def make() -> Stage:
        stage = await protected_account()
        stage.world.accounts.moves_at_once = moves_at_once
        return stage

    await at_every_call(make, rotate, assert_rotated, how)


async def ask_for_release(stage: Stage, process: Bundle) -> None:
    del stage  # the registration exists already
    await release_resource(process, CONTOSO, "data", if_match=None, origin=ORIGIN)


async def assert_released(stage: Stage, interruption: Interruption) -> None:
    account, resource = await stage.account(), await stage.resource()
    assert resource.state is ResourceState.RELEASED, interruption.struck
    assert account.key_source == STORAGE_MANAGED
    assert account.user_assigned == (OTHER_IDENTITY,), interruption.struck
    assert account.system_assigned
    assert resource.identity_added is None
    operation = await stage.operation(resource.operation_id)
    assert operation.succeeded, interruption.struck
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None, interruption.struck
    assert stage.announced().count("ResourceReleased") == 1, interruption.struck


@pytest.mark.parametrize("how", How)
async def test_releasing_ends_the_same_whichever_call_goes_wrong(how: How) -> None:
    await at_every_call(protected_account, ask_for_release, assert_released, how)


@pytest.mark.parametrize("how", How)
async def test_releasing_with_an_encryption_scope_ends_the_same_whichever_call_goes_wrong(how: How) -> None:
    async def make() -> Stage:
        stage = await protected_account()
        stage.world.accounts.put_scope(ACCOUNT, "own", stage.version)
        return stage

    async def check(stage: Stage, interruption: Interruption) -> None:
        await assert_released(stage, interruption)
        assert stage.world.accounts.released_scopes == ["own"], interruption.struck

    await at_every_call(make, ask_for_release, check, how)


@pytest.mark.parametrize("how", How)
async def test_protecting_and_releasing_at_once_ends_released_whichever_call_goes_wrong(how: How) -> None:
    async def act(stage: Stage, process: Bundle) -> None:
        if await stage.world.state.read_resource(CONTOSO, "data") is None:
            await protect(stage, process)
        await ask_for_release(stage, process)

    await at_every_call(unprotected_account, act, assert_released, how)
