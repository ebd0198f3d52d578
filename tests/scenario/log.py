"""The app's log as structured events, read from the Functions host's log file while it grows."""

import json
from pathlib import Path
from typing import Any

ENDED = frozenset({"WorkDone", "WorkFailed"})


class AppLog:
    """Events of the app in order, and which work items are being performed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self._rest = b""
        self._events: list[dict[str, Any]] = []
        self._running: set[str] = set()

    def read(self) -> list[dict[str, Any]]:
        """Every event so far."""
        with self._file.open("rb") as file:
            file.seek(self._offset)
            fresh = file.read()
        self._offset += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        for line in lines:
            self._take(line)
        return self._events

    def text(self) -> str:
        """All of it as it stands."""
        return self._file.read_text(encoding="utf-8")

    def count(self, name: str, *, after: int = 0, **fields: Any) -> int:
        """How often an event with these fields was written after a position (see `position`)."""
        return len(self.events(name, after=after, **fields))

    def events(self, name: str, *, after: int = 0, **fields: Any) -> list[dict[str, Any]]:
        """The events of that name and these fields."""
        wanted = {"event": name, **fields}
        return [event for event in self.read()[after:] if wanted.items() <= event.items()]

    def position(self) -> int:
        """Where the log ends now."""
        return len(self.read())

    def running(self) -> set[str]:
        """Ids of the work items that were begun and not ended."""
        self.read()
        return set(self._running)

    def host_was_killed(self) -> None:
        """Whatever ran does not run any more."""
        self.read()
        self._running.clear()

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line).get("crosskey")
        except (ValueError, AttributeError):
            # Not every line is one of ours; a killed process may leave half of one.
            return
        if not isinstance(event, dict):
            return
        self._events.append(event)
        if event["event"] == "WorkStarted":
            self._running.add(event["work_item"])
        elif event["event"] in ENDED:
            self._running.discard(event["work_item"])
