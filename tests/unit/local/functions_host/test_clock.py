"""The followed clock: wall time moves with the file, monotonic time and the event loop do not."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.functions_host.clock import FollowedClock, pause, read_offset

DAY = 86400


@pytest.fixture
def clock_file(tmp_path: Path) -> Path:
    path = tmp_path / "clock"
    path.write_text("0.000000")
    return path


@pytest.fixture
async def clock(clock_file: Path) -> AsyncIterator[FollowedClock]:
    followed = FollowedClock(clock_file)
    task = asyncio.create_task(followed.follow())
    yield followed
    task.cancel()
    followed.stop()


async def _move(clock: FollowedClock, seconds: float) -> None:
    moved = asyncio.Event()
    clock.on_move(moved.set)
    fresh = clock.path.with_suffix(".new")
    fresh.write_text(json.dumps({"offsetSeconds": seconds}))
    fresh.rename(clock.path)
    await asyncio.wait_for(moved.wait(), 2)


async def test_wall_time_follows_the_file_both_ways(clock: FollowedClock) -> None:
    before = time.time()
    await _move(clock, 30 * DAY)
    assert time.time() - before == pytest.approx(30 * DAY, abs=2)
    assert datetime.now(UTC).timestamp() == pytest.approx(time.time(), abs=1)
    await _move(clock, -5)
    assert time.time() - before == pytest.approx(-5, abs=2)


async def test_monotonic_time_and_sleeping_tasks_do_not_notice(clock: FollowedClock) -> None:
    loop = asyncio.get_running_loop()
    began, loop_began = time.monotonic(), loop.time()
    sleeper = asyncio.create_task(asyncio.sleep(0.2))
    await _move(clock, 365 * DAY)
    assert not sleeper.done()
    await sleeper
    assert 0.2 <= time.monotonic() - began < 2
    assert 0.2 <= loop.time() - loop_began < 2


def test_a_start_takes_the_offset_at_once(clock_file: Path) -> None:
    clock_file.write_text("3600.5")
    before = time.time()
    clock = FollowedClock(clock_file)
    shifted = time.time()
    clock.stop()
    assert shifted - before == pytest.approx(3600.5, abs=1)


@pytest.mark.parametrize(
    ("content", "offset"), [("12.5", 12.5), ('{"offsetSeconds": 7}', 7.0), ("", None), ("soon", None), ("{}", None)]
)
def test_the_file_holds_a_number_or_an_object(tmp_path: Path, content: str, offset: float | None) -> None:
    (tmp_path / "clock").write_text(content)
    assert read_offset(tmp_path / "clock") == offset


def test_no_file_is_no_offset(tmp_path: Path) -> None:
    assert read_offset(tmp_path / "clock") is None


async def test_a_pause_ends_when_it_is_woken() -> None:
    wake = asyncio.Event()
    wake.set()
    await asyncio.wait_for(pause(wake, 60), 2)
    assert not wake.is_set()
