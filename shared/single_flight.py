"""Joins concurrent requests for the same work into one run that begins after the last of them asked.

Used by the timeline's drainer: two hundred commits of one customer need a few drains, not two hundred.
"""

import asyncio
from collections.abc import Awaitable, Callable


class SingleFlight:
    """One run at a time per key; whoever asks during a run shares the next one."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}

    async def run(self, key: str, work: Callable[[], Awaitable[None]]) -> None:
        """Return when a run of `work` that began after this call has ended; its exception is raised to everyone."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = asyncio.ensure_future(self._after(key, self._running.get(key), work))
            self._waiting[key] = waiting
        # A caller that is cancelled must not take the others' run with it.
        await asyncio.shield(waiting)

    def is_waiting(self, key: str) -> bool:
        """Whether a run is wanted that has not begun yet: it will see everything that was done by now."""
        return key in self._waiting

    async def _after(self, key: str, before: asyncio.Task[None] | None, work: Callable[[], Awaitable[None]]) -> None:
        if before is not None:
            await asyncio.wait([before])
        mine = self._waiting.pop(key)
        self._running[key] = mine
        try:
            await work()
        finally:
            if self._running.get(key) is mine:
                del self._running[key]
