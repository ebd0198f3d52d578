"""A step that a service repeats for as long as the world runs, so that moving the clock has its effects."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

_LOG: Final = logging.getLogger("local.background")


class Background:
    """Repeats `tick` every `seconds` of real time between `start` and `stop`."""

    def __init__(self, tick: Callable[[], Awaitable[None]], *, seconds: float) -> None:
        self._tick = tick
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Set the repetition off."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End it; a step that is under way is cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._tick()
            except Exception:  # noqa: BLE001  the boundary of the local Azure: a defect is logged, and time goes on
                _LOG.exception("a background step of the local Azure")
            await asyncio.sleep(self._seconds)
