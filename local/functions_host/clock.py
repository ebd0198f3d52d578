"""Follows the world's clock: shifts this process's wall clock by the offset that the parent keeps in a file.

The time-machine package moves `time.time()`, `datetime.now()` and their like for the whole process, app and host
alike, so the app is moved from outside without knowing. `time.monotonic()` and the event loops' timers stay real.
The file holds either a bare number of seconds or `{"offsetSeconds": n}`, and is replaced atomically.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import time_machine

logger = logging.getLogger("host.clock")

POLL_SECONDS = 0.02


def read_offset(path: Path) -> float | None:
    """Read the offset in seconds; None when there is no file or what it holds is not an offset."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return float(content["offsetSeconds"] if isinstance(content, dict) else content)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        logger.warning("reading the clock file %s: it holds neither a number nor {'offsetSeconds': n}", path)
        return None


class FollowedClock:
    """The process's wall clock, kept at real time plus the offset of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset_seconds = 0.0
        self._listeners: list[Callable[[], None]] = []
        self._journey = time_machine.travel(timedelta(0), tick=True)
        self._traveller = self._journey.start()
        self._apply()

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the host's loop after each move of the clock."""
        self._listeners.append(listener)

    async def follow(self) -> None:
        """Watch the file until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self._apply():
                logger.info("clock moved", extra={"offset_seconds": self.offset_seconds})
                for listener in self._listeners:
                    listener()

    def stop(self) -> None:
        """Give the process its real time back."""
        self._journey.stop()

    def _apply(self) -> bool:
        offset = read_offset(self.path)
        if offset is None or offset == self.offset_seconds:
            return False
        # shift() moves the running clock by a difference and loses none of the time that passes meanwhile.
        self._traveller.shift(offset - self.offset_seconds)
        self.offset_seconds = offset
        return True


async def pause(wake: asyncio.Event, seconds: float) -> None:
    """Wait for `seconds` of real time, or less when `wake` is set; leaves `wake` cleared."""
    with suppress(TimeoutError):
        await asyncio.wait_for(wake.wait(), seconds)
    wake.clear()
