"""Removing a key while a resource comes to it: at every call, no account is left encrypted without a registration."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.domain.account_observation import STORAGE_MANAGED, VAULT_MANAGED
from shared.domain.key_health import is_ready
from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.errors import Conflict, CrossKeyError, Unavailable
from shared.services.keys import put_key, remove_key
from shared.services.reconcile_resource import LEASE
from tests.unit.shared.services.crash import How, Killed, interrupted, restarted
from tests.unit.shared.services.interleave import interleaved
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protect, protected_account, unprotected_account

type Act = Callable[[Stage, Bundle], Awaitable[None]]


async def take_key_away(stage: Stage, process: Bundle) -> None:
    del stage  # all of it is in the process
    await remove_key(process, CONTOSO, "primary", if_match=None, origin=ORIGIN)


async def bring_resource(stage: Stage, process: Bundle) -> None:
    await protect(stage, process)
    await stage.reconcile(process)


async def settle(stage: Stage) -> None:
    for _ in range(2):
        await stage.work_off()
        stage.world.clock.advance(LEASE + timedelta(seconds=1))
        await stage.sweep()
    await stage.work_off()


async def assert_safe(stage: Stage, where: str | None) -> None:
    key = await stage.world.state.read_key(CONTOSO, "primary")
    account = await stage.account()
    if account.key_source == VAULT_MANAGED:
        assert key is not None, where
        assert key.value.removing_since is None, where
        assert await stage.world.claims.find("key", stage.cmk.claim) is not None, where
        assert (await stage.resource()).state is ResourceState.PROTECTED, where
    if key is None:
        assert account.key_source == STORAGE_MANAGED, where


@pytest.mark.parametrize(("first", "second"), [(take_key_away, bring_resource), (bring_resource, take_key_away)])
async def test_a_key_that_goes_and_a_resource_that_comes_meet_safely_at_every_call(first: Act, second: Act) -> None:
    kept = lost = 0
    for at in range(1, 100):
        stage = await unprotected_account()

        async def turn(stage: Stage = stage) -> None:
            with suppress(CrossKeyError):
                await second(stage, restarted(stage.bundle))

        process, meeting = interleaved(stage.bundle, at, turn)
        with suppress(CrossKeyError):
            await first(stage, process)
        await assert_safe(stage, meeting.where)
        if meeting.where is None:
            # Both ends are there: otherwise this would prove nothing.
            assert kept
            assert lost
            return
        await settle(stage)
        await assert_safe(stage, meeting.where)
        await stage.assert_told_truly()
        gone = await stage.world.state.read_key(CONTOSO, "primary") is None
        kept, lost = kept + (not gone), lost + gone
    raise AssertionError("it never ran through")


async def test_a_resource_without_its_key_is_blocked_and_says_so() -> None:
    stage = await unprotected_account()

    async def turn() -> None:
        await protect(stage, restarted(stage.bundle))

    for at in range(1, 30):
        stage = await unprotected_account()
        process, meeting = interleaved(stage.bundle, at, turn)
        with suppress(Conflict):
            await take_key_away(stage, process)
        if meeting.where is not None and meeting.where.endswith("state.remove"):
            break
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.BLOCKED
    assert [finding.reason for finding in resource.findings] == [Reason.KEY_NOT_REGISTERED]


async def test_a_removal_that_finds_a_user_takes_itself_back() -> None:
    stage = await protected_account()
    with pytest.raises(Conflict):
        await take_key_away(stage, stage.bundle)
    assert (await stage.key()).removing_since is None


@pytest.mark.parametrize("how", How)
async def test_a_removal_that_was_cut_short_at_any_call_can_be_asked_for_again(how: How) -> None:
    for at in range(1, 30):
        stage = await unprotected_account()
        process, interruption = interrupted(stage.bundle, at, how)
        with suppress(Killed, CrossKeyError):
            await take_key_away(stage, process)
        with suppress(CrossKeyError):
            await take_key_away(stage, restarted(stage.bundle))
        await settle(stage)
        stage.world.clock.advance(timedelta(hours=2))
        await settle(stage)
        assert await stage.world.state.read_key(CONTOSO, "primary") is None, interruption.struck
        assert await stage.world.claims.find("key", stage.cmk.claim) is None, interruption.struck
        if interruption.struck is None:
            return
    raise AssertionError("it never ran through")


async def put_again(stage: Stage, process: Bundle) -> None:
    await put_key(
        process,
        CONTOSO,
        "primary",
        key_identifier=str(stage.cmk),
        version_policy="latest",
        vault_resource_id=None,
        if_match=None,
        origin=ORIGIN,
    )


async def test_a_removal_that_died_halfway_is_taken_back_by_registering_the_key_again() -> None:
    stage = await unprotected_account()
    stored = await stage.world.state.read_key(CONTOSO, "primary")
    assert stored is not None
    stage.world.state.break_before("remove", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await take_key_away(stage, stage.bundle)
    assert not is_ready(await stage.key())
    await put_again(stage, restarted(stage.bundle))
    await stage.work_off()
    assert is_ready(await stage.key())
    await bring_resource(stage, stage.bundle)
    assert (await stage.resource()).state is ResourceState.PROTECTED


async def test_a_key_registered_again_during_its_removal_is_safe_at_every_call() -> None:
    for at in range(1, 40):
        stage = await unprotected_account()

        async def turn(stage: Stage = stage) -> None:
            await put_again(stage, restarted(stage.bundle))
            with suppress(CrossKeyError):
                await bring_resource(stage, restarted(stage.bundle))

        process, meeting = interleaved(stage.bundle, at, turn)
        with suppress(CrossKeyError):
            await take_key_away(stage, process)
        await assert_safe(stage, meeting.where)
        await settle(stage)
        await assert_safe(stage, meeting.where)
        if meeting.where is None:
            return
    raise AssertionError("it never ran through")
