"""What a key's notifications say of the resources it protects."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.entries import Notification
from shared.services.check_key import MARGIN, NAMES_TOLD
from shared.services.resources import release_resource
from tests.unit.shared.services.stage import (
    CONTOSO,
    ORIGIN,
    Stage,
    account_id,
    protect,
    protected_account,
    verified_key,
)

TWICE = timedelta(seconds=30) + MARGIN
OF_KEYS = {f"CrossKey.{one}" for one in Notification if one.startswith("Key")}


def affected(stage: Stage, kind: str) -> dict[str, Any]:
    (one,) = [one for one in stage.world.notifications.distinct if one.type == f"CrossKey.{kind}"]
    return dict(one.data["affected"])


async def lose(stage: Stage) -> None:
    stage.world.vault.change(stage.cmk, enabled=False)
    for _ in range(2):
        await stage.check()
        stage.world.clock.advance(TWICE)
    await stage.work_off()


async def protect_more(stage: Stage, count: int) -> None:
    for number in range(count):
        name = f"more{number:02}"
        stage.world.accounts.add(account_id(name))
        await protect(stage, name=name, account=account_id(name))
    await stage.work_off()


async def test_lost_access_names_the_resources_that_depend_on_the_key() -> None:
    stage = await protected_account()
    await protect_more(stage, 2)
    await lose(stage)
    assert affected(stage, "KeyAccessLost") == {"count": 3, "resources": ["data", "more00", "more01"]}


async def test_a_resource_that_was_released_is_not_affected() -> None:
    stage = await protected_account()
    await protect_more(stage, 1)
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    await lose(stage)
    assert affected(stage, "KeyAccessLost") == {"count": 1, "resources": ["more00"]}


async def test_of_many_resources_the_first_names_are_told_and_all_are_counted() -> None:
    stage = await protected_account()
    await protect_more(stage, NAMES_TOLD + 4)
    await lose(stage)
    told = affected(stage, "KeyAccessLost")
    assert told["count"] == NAMES_TOLD + 5
    assert told["resources"] == ["data", *(f"more{number:02}" for number in range(NAMES_TOLD - 1))]


async def test_a_key_that_protects_nothing_yet_affects_nothing() -> None:
    stage = await verified_key()
    assert affected(stage, "KeyVerified") == {"count": 0, "resources": []}


async def test_every_notification_of_a_key_says_what_is_affected() -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk", expires=stage.world.clock.now() + timedelta(days=20))
    await stage.check()
    await stage.work_off()
    await lose(stage)
    stage.world.vault.change(newer, enabled=True)
    await stage.check()
    stage.world.clock.advance(timedelta(days=21))
    await stage.check()
    await stage.work_off()
    told = {one.type: one.data for one in stage.world.notifications.distinct if one.type in OF_KEYS}
    # What nothing uses any more affects nothing, so a retirable version says nothing of it.
    assert set(told) == OF_KEYS - {"CrossKey.KeyVersionRetirable"}
    assert all(set(data["affected"]) == {"count", "resources"} for data in told.values())
    assert told["CrossKey.KeyExpired"]["affected"] == {"count": 1, "resources": ["data"]}


@pytest.mark.parametrize("thorough", [False, True])
async def test_a_look_that_announces_nothing_does_not_read_the_resources_for_it(thorough: bool) -> None:
    stage = await verified_key()
    stage.world.state.calls.clear()
    await stage.check(thorough=thorough)
    # A probe needs to know the versions in use.
    assert stage.world.state.calls["read_resources"] == int(thorough)
