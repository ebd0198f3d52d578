"""What people hear of a key while its state lasts: with what it means, once a day, and nothing in a quiet world."""

from datetime import timedelta
from typing import Any

from shared.domain.consequences import SOURCE
from shared.domain.entries import EVENT_ACTOR, SWEEP_CAUSE, Origin
from shared.domain.key_memory import LearntBy
from shared.domain.reasons import Reason
from shared.errors import Unavailable
from shared.services.check_key import check_key
from shared.services.keys import get_key
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protected_account, verified_key

BY_EVENT = Origin(request_id="request-2", cause="event 1", actor=EVENT_ACTOR)
BY_SWEEP = Origin(request_id="request-3", cause=SWEEP_CAUSE)


def lost(stage: Stage) -> list[dict[str, Any]]:
    return [one.data for one in stage.world.notifications.distinct if one.type == "CrossKey.KeyAccessLost"]


async def lose(stage: Stage) -> None:
    stage.world.vault.change(stage.cmk, enabled=False)
    await stage.check(thorough=True)
    await stage.work_off()


async def test_a_loss_is_announced_with_what_it_means_and_what_restores_it() -> None:
    stage = await protected_account()
    await lose(stage)
    (data,) = lost(stage)
    told = data["consequences"]
    assert data["reminder"] is False
    assert (told["resources"], told["resourceCount"], told["httpStatus"]) == (["data"], 1, 403)
    assert told["source"] == SOURCE
    assert any("--enabled true" in text for text in told["restoredBy"])
    view = await get_key(stage.bundle, CONTOSO, "primary")
    assert view.consequences == told


async def test_a_healthy_key_has_no_consequences() -> None:
    stage = await protected_account()
    assert (await get_key(stage.bundle, CONTOSO, "primary")).consequences is None


async def test_a_loss_is_repeated_daily_with_one_commit_and_nothing_else() -> None:
    stage = await protected_account()
    await lose(stage)
    await stage.sweep()
    await stage.work_off()
    stage.world.clock.advance(timedelta(hours=23))
    await stage.sweep()
    await stage.work_off()
    writes = stage.world.state.writes
    stage.world.clock.advance(timedelta(hours=1))
    await stage.sweep()
    assert stage.world.state.writes == writes + 1
    await stage.work_off()
    assert [data["reminder"] for data in lost(stage)] == [False, True]
    assert lost(stage)[1]["consequences"] == lost(stage)[0]["consequences"]
    writes = stage.world.state.writes
    await stage.sweep()
    assert stage.world.state.writes == writes
    await stage.assert_told_truly()


async def test_an_hour_without_an_answer_calls_a_person_and_an_answer_ends_it() -> None:
    stage = await verified_key()
    stage.vault.outage = Unavailable("Reading the key: no answer.")
    for _ in range(30):
        await stage.check()
        stage.world.clock.advance(timedelta(minutes=5))
    attention = (await stage.key()).attention
    assert attention is not None
    assert attention.reason is Reason.KEY_UNSEEN
    stage.vault.outage = None
    await stage.check()
    await stage.work_off()
    assert (await stage.key()).attention is None
    assert stage.announced().count("AttentionNeeded") == 1
    assert not lost(stage)


async def test_how_a_rotation_was_learnt_is_remembered() -> None:
    stage = await verified_key()
    for origin, learnt_by in ((BY_EVENT, LearntBy.EVENT), (BY_SWEEP, LearntBy.SWEEP), (ORIGIN, LearntBy.SWEEP)):
        stage.world.clock.advance(timedelta(hours=1))
        stage.world.vault.add_version(stage.vault, "cmk")
        await check_key(stage.bundle, CONTOSO, "primary", origin=origin)
        assert (await stage.key()).memory.learnt_by is learnt_by


async def test_a_subscription_that_says_nothing_is_warned_of_once_and_an_event_mends_it() -> None:
    stage = await verified_key()
    stage.world.vault.add_version(stage.vault, "cmk")
    for _ in range(5):
        stage.world.clock.advance(timedelta(minutes=5))
        await check_key(stage.bundle, CONTOSO, "primary", origin=BY_SWEEP)
    writes = stage.world.state.writes
    reasons = {check.reason for check in (await stage.key()).verification.checks}
    assert Reason.SUBSCRIPTION_MISSING in reasons
    stage.world.clock.advance(timedelta(days=1))
    await check_key(stage.bundle, CONTOSO, "primary", origin=BY_SWEEP)
    assert stage.world.state.writes == writes
    await check_key(stage.bundle, CONTOSO, "primary", origin=BY_EVENT)
    assert stage.world.state.writes == writes + 1
    assert Reason.SUBSCRIPTION_MISSING not in {check.reason for check in (await stage.key()).verification.checks}
