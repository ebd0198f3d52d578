"""A newer version that is not fit, and older ones beside the newest: nothing is lost, nothing goes back."""

from datetime import timedelta

import pytest

from shared.domain.findings import Result
from shared.domain.key_health import is_ready
from shared.domain.model import HealthState, VerificationState
from shared.domain.reasons import Reason
from shared.services.check_key import MARGIN
from tests.unit.shared.services.stage import Stage, protected_account

TWICE = timedelta(seconds=30) + MARGIN

UNFIT: list[dict[str, object]] = [
    {"operations": frozenset({"wrapKey"})},
    {"operations": frozenset({"unwrapKey"})},
    {"operations": frozenset()},
    {"key_type": "EC", "bits": 0},
    {"bits": 1024},
]


async def look(stage: Stage, times: int = 3) -> None:
    for _ in range(times):
        await stage.check()
        stage.world.clock.advance(TWICE)
    await stage.work_off()


@pytest.mark.parametrize("fault", UNFIT)
async def test_an_unfit_new_version_is_a_warning_and_the_old_one_stays_ready(fault: dict[str, object]) -> None:
    stage = await protected_account()
    before = stage.announced()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(newer, **fault)
    await look(stage)
    checked = await stage.check()
    key = checked.key.value
    assert key.latest_version == stage.version.version
    assert is_ready(key)
    assert key.verification.state is VerificationState.VERIFIED
    warnings = [check for check in checked.checks if check.reason is Reason.NEW_VERSION_UNUSABLE]
    assert [warning.result for warning in warnings] == [Result.WARN]
    assert str(newer.version) in warnings[0].detail
    assert stage.announced() == before
    assert (await stage.account()).current_key == stage.version


async def test_a_version_mended_after_the_warning_is_taken_over_once() -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(newer, operations=frozenset({"wrapKey"}))
    await look(stage)
    stage.world.vault.change(newer, operations=frozenset({"wrapKey", "unwrapKey"}))
    await look(stage)
    assert (await stage.account()).current_key == newer
    assert (await stage.key()).health.reasons == ()
    assert stage.announced().count("KeyNewVersion") == 1


async def test_the_version_taken_over_is_judged_while_a_newer_one_is_unfit() -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(newer, operations=frozenset({"wrapKey"}))
    stage.world.vault.change(stage.version, enabled=False)
    await look(stage)
    assert (await stage.key()).health.state is HealthState.DISABLED
    assert stage.announced().count("KeyAccessLost") == 1


@pytest.mark.parametrize("fault", ["expired", "disabled"])
async def test_an_older_version_never_becomes_the_latest_again(fault: str) -> None:
    stage = await protected_account()
    newer = await stage.rotate()
    await stage.work_off()
    assert (await stage.account()).current_key == newer
    now = stage.world.clock.now()
    stage.world.vault.change(newer, **({"expires": now} if fault == "expired" else {"enabled": False}))
    requests = len(stage.world.accounts.requests)
    await look(stage)
    key = await stage.key()
    assert key.latest_version == newer.version
    assert (await stage.account()).current_key == newer
    assert len(stage.world.accounts.requests) == requests
    assert key.health.state is (HealthState.EXPIRED if fault == "expired" else HealthState.DISABLED)
    lost = "KeyExpired" if fault == "expired" else "KeyAccessLost"
    assert [one for one in stage.announced() if one in {"KeyExpired", "KeyAccessLost"}] == [lost]
    assert stage.announced().count("KeyNewVersion") == 1


async def test_a_newest_version_that_expires_is_announced_once_however_often_it_is_looked_at() -> None:
    stage = await protected_account()
    stage.world.vault.add_version(stage.vault, "cmk", expires=stage.world.clock.now() + timedelta(days=40))
    await look(stage)
    stage.world.clock.advance(timedelta(days=41))
    await look(stage, 6)
    for _ in range(3):
        stage.world.clock.advance(timedelta(days=1))
        await stage.sweep()
        await stage.work_off()
    assert stage.announced().count("KeyExpired") == 1
    assert stage.announced().count("KeyNewVersion") == 1
    assert "ResourceDrifted" not in stage.announced()
