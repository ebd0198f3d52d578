"""Every key is probed about once an hour, whatever the schedule of the sweep is."""

from datetime import timedelta

import pytest

from tests.unit.shared.services.stage import verified_key


@pytest.mark.parametrize("minutes", [1, 5, 7, 10, 15, 30, 45, 60])
async def test_a_key_is_probed_about_once_an_hour_under_any_schedule(minutes: int) -> None:
    stage = await verified_key()
    await stage.sweep()
    wraps = stage.world.vault.calls["wrap"]
    hours = 12
    for _ in range(hours * 60 // minutes):
        stage.world.clock.advance(timedelta(minutes=minutes))
        await stage.sweep()
    assert abs(stage.world.vault.calls["wrap"] - wraps - hours) <= 1


async def test_a_schedule_of_hours_probes_at_every_sweep() -> None:
    stage = await verified_key()
    await stage.sweep()
    wraps = stage.world.vault.calls["wrap"]
    for _ in range(4):
        stage.world.clock.advance(timedelta(hours=6))
        await stage.sweep()
    assert stage.world.vault.calls["wrap"] - wraps == 4
