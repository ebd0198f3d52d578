"""Timer triggers: fire when the wall clock passes the next occurrence, never twice at once, and catch up after a stop.

The wall clock is the process's shifted one, so moving the world's clock makes timers fire. The status of each
monitored timer is kept in a file next to the ready file: an occurrence missed while the host was down is past due.
"""

import asyncio
import json
import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local.functions_host.clock import pause
from local.functions_host.functions import Function
from local.functions_host.invocations import Invocation, Invoker, json_datum
from local.functions_host.ncrontab import parse_schedule
from local.functions_host.worker import Outcome, datum

logger = logging.getLogger("host.timers")

_LONGEST_PAUSE_SECONDS = 60.0
_NEVER = "0001-01-01T00:00:00"


class TimerStatusFile:
    """Statuses by function name: `{"Last": ..., "Next": ..., "LastUpdated": ...}`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._statuses: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._statuses = {}

    def read(self, function_name: str) -> dict[str, str] | None:
        """Give what was last written for a function."""
        return self._statuses.get(function_name)

    def write(self, function_name: str, status: dict[str, str]) -> None:
        """Keep a function's status; whole or not at all, since the host may be killed at any moment."""
        self._statuses[function_name] = status
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.write_text(json.dumps(self._statuses, indent=2), encoding="utf-8")
        os.replace(fresh, self._path)  # noqa: PTH105  os.replace says what matters here: it overwrites atomically


class TimerListener:
    """Serves one timer-triggered function."""

    def __init__(self, function: Function, invoker: Invoker, statuses: TimerStatusFile) -> None:
        self.function = function
        settings = function.trigger.settings
        self._invoker = invoker
        self._statuses = statuses
        self._schedule = parse_schedule(settings["schedule"])
        self._runs_on_startup = bool(settings.get("runOnStartup"))
        now = datetime.now(UTC)
        first = self._schedule.next_after(now)
        # Azure does not monitor timers that run more often than once a minute.
        often = self._schedule.next_after(first) - first < timedelta(minutes=1)
        self._is_monitored = settings.get("useMonitor") is not False and not often
        self._is_past_due = False
        self._wake = asyncio.Event()

    def clock_moved(self) -> None:
        """Look at the clock at once."""
        self._wake.set()

    def prepare(self) -> None:
        """Note from when on occurrences count; done before the host is ready, since it may be killed right after."""
        now = datetime.now(UTC)
        self._is_past_due = self._missed(now)
        if self._is_monitored and self._statuses.read(self.function.name) is None:
            self._write_status(_NEVER, now)

    async def listen(self) -> None:
        """Fire at each occurrence until cancelled."""
        if self._runs_on_startup or self._is_past_due:
            await self._fire("Run on startup" if self._runs_on_startup else "Past due", past_due=self._is_past_due)
        while True:
            # The next occurrence is looked for after the last run has ended, so runs never overlap.
            await self._wait_until(self._schedule.next_after(datetime.now(UTC)))
            await self._fire("Timer fired", past_due=False)

    async def run_by_hand(self, _: str) -> Outcome:
        """Run once, out of turn; a timer takes no input."""
        return await self._attempt("This function was programmatically called", past_due=False, attempt=0)

    def _missed(self, now: datetime) -> bool:
        status = self._statuses.read(self.function.name) if self._is_monitored else None
        if status is None:
            return False
        # A changed schedule makes the recorded occurrence meaningless: count from when it was recorded.
        since = datetime.fromisoformat(status["LastUpdated"])
        return self._schedule.next_after(since) < now

    async def _wait_until(self, due: datetime) -> None:
        while (remaining := (due - datetime.now(UTC)).total_seconds()) > 0:
            await pause(self._wake, min(remaining, _LONGEST_PAUSE_SECONDS))

    async def _fire(self, reason: str, *, past_due: bool) -> None:
        began = datetime.now(UTC)
        policy = self.function.retry
        attempt = 0
        while not (await self._attempt(reason, past_due=past_due, attempt=attempt)).succeeded:
            if policy is None or attempt >= policy.count:
                break
            attempt += 1
            await self._wait_until(datetime.now(UTC) + policy.delay(attempt))
        if self._is_monitored:
            self._write_status(began.isoformat(), datetime.now(UTC))

    async def _attempt(self, reason: str, *, past_due: bool, attempt: int) -> Outcome:
        timer: dict[str, Any] = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": self._statuses.read(self.function.name) if self._is_monitored else None,
            "IsPastDue": past_due,
        }
        return await self._invoker.run(
            Invocation(
                self.function,
                json_datum(timer),
                reason=f"{reason} at {datetime.now(UTC).isoformat()}",
                metadata={"TimerTrigger": datum(datetime.now(UTC).isoformat(), "string")},
                retry=(attempt, self.function.retry.count if self.function.retry else 0),
            )
        )

    def _write_status(self, last: str, now: datetime) -> None:
        following = self._schedule.next_after(now).isoformat()
        self._statuses.write(self.function.name, {"Last": last, "Next": following, "LastUpdated": now.isoformat()})
