"""What is remembered of a subscription saves a call at most: when it is wrong, rotations end all the same."""

from dataclasses import replace

import pytest

from shared.domain.account_observation import SetKeyVersion
from tests.fakes import SUBSCRIPTION
from tests.unit.shared.services.stage import Stage, protected_account


async def remember(stage: Stage, moves: bool) -> None:
    row = await stage.world.fleet.read_pace(SUBSCRIPTION)
    await stage.world.fleet.write_pace(replace(row, versionless_moves=moves))


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("memory", [True, False])
async def test_a_rotation_ends_whatever_is_remembered(memory: bool, truth: bool) -> None:
    stage = await protected_account()
    stage.world.accounts.moves_at_once = truth
    await remember(stage, memory)
    newer = await stage.rotate()
    await stage.work_off()
    account, resource = await stage.account(), await stage.resource()
    assert (account.current_key, account.follows_latest) == (newer, True)
    assert (resource.rotation, resource.attention) == (None, None)
    assert not stage.raised
    assert stage.announced().count("ResourceRotated") == 1


async def test_what_was_learnt_wrongly_is_unlearnt_by_the_first_account_that_does_not_move() -> None:
    stage = await protected_account()
    stage.world.accounts.moves_at_once = False
    await remember(stage, moves=True)
    await stage.rotate()
    await stage.work_off()
    assert (await stage.world.fleet.read_pace(SUBSCRIPTION)).versionless_moves is False
    stage.world.accounts.updates.clear()
    newest = await stage.rotate()
    await stage.work_off()
    # Pin and return: the versionless setting is not tried again first.
    versions = [one.version for one in stage.world.accounts.updates if isinstance(one, SetKeyVersion)]
    assert versions == [newest.version, None]


async def test_a_move_of_azures_own_does_not_teach_that_asking_helps() -> None:
    stage = await protected_account()
    stage.world.accounts.moves_at_once = False
    await remember(stage, moves=False)
    for _ in range(2):
        await stage.rotate()
        await stage.work_off()
    assert (await stage.world.fleet.read_pace(SUBSCRIPTION)).versionless_moves is False
