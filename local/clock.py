"""The time of the local Azure: real time plus an offset that tests and the demo move forward.

The offset, in seconds, is kept as plain text in a small file, so that the child processes (Azurite and the
Functions host) follow it without being asked. Every service reads the time here and nowhere else. The file is
replaced, never rewritten in place: a child reads either the old offset or the new one.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path


def read_offset(path: Path) -> timedelta:
    """Read the offset that the clock file holds; a file that is not there yet means no offset."""
    try:
        return timedelta(seconds=float(path.read_text(encoding="ascii")))
    except FileNotFoundError:
        return timedelta(0)


class Clock:
    """World time. Only one process moves it; any number of children read its file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = read_offset(path)
        self._write()

    @property
    def offset(self) -> timedelta:
        """How far world time is ahead of real time."""
        return self._offset

    def time(self) -> float:
        """World time in Unix seconds."""
        return time.time() + self._offset.total_seconds()

    def now(self) -> datetime:
        """World time, aware, in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    def advance(self, by: timedelta) -> None:
        """Move world time forward. It never goes back: tokens and versions would come from the future."""
        if by < timedelta(0):
            raise ValueError(f"moving the clock by {by}: world time only goes forward")
        self._offset += by
        self._write()

    def reset(self) -> None:
        """Return to real time; for tests that start from a fresh world."""
        self._offset = timedelta(0)
        self._write()

    def _write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f"{self.path.name}.new")
        fresh.write_text(f"{self._offset.total_seconds():.6f}", encoding="ascii")
        # The rename is atomic, so a child that reads at this very moment sees a whole number.
        os.replace(fresh, self.path)  # noqa: PTH105  os.replace says what matters here: it overwrites atomically
