"""The world's clock and the file by which children follow it."""

import time
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from local.clock import Clock, read_offset


def test_a_fresh_clock_shows_real_time_in_utc(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    assert abs(clock.time() - time.time()) < 1
    assert clock.now().tzinfo is UTC


def test_advances_add_up_and_stand_in_the_file(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    clock.advance(timedelta(days=1))
    clock.advance(timedelta(seconds=0.25))
    assert clock.offset == timedelta(days=1, seconds=0.25)
    assert read_offset(clock.path) == clock.offset
    assert abs(clock.time() - time.time() - 86400.25) < 1


def test_a_clock_takes_up_the_offset_it_finds(tmp_path: Path) -> None:
    Clock(tmp_path / "clock").advance(timedelta(hours=5))
    assert Clock(tmp_path / "clock").offset == timedelta(hours=5)


def test_a_missing_file_means_real_time(tmp_path: Path) -> None:
    assert read_offset(tmp_path / "nothing") == timedelta(0)


def test_time_never_goes_back(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    with pytest.raises(ValueError, match="only goes forward"):
        clock.advance(timedelta(seconds=-1))
    assert clock.offset == timedelta(0)
