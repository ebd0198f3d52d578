"""A local Azure that runs beside the tests: in its own thread with its own event loop.

Synchronous and asynchronous tests use it alike: through `control` as any client would, or, where a test must look
inside, through `look`, which runs on the world's loop and therefore never in the middle of a request.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from local.client import ControlClient
from local.run import LocalWorld
from local.world import World


class RunningWorld:
    """A `LocalWorld` in a thread; a context manager."""

    def __init__(self, make: Callable[[], LocalWorld]) -> None:
        self._make = make
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="local-azure", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.local = self.run(self._enter())
        except BaseException:
            self._end_loop()
            raise
        self.control = ControlClient(self.local.control.url)
        self.tls = ssl.create_default_context(cafile=str(self.local.authority.file))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.control.close()
        try:
            self.run(self.local.__aexit__(None, None, None))
        finally:
            self._end_loop()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the world's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)

    def look[T](self, question: Callable[[World], T]) -> T:
        """Ask or change something of the world, on its loop."""

        async def ask() -> T:
            return question(self.local.world)

        return self.run(ask())

    @property
    def proxy_url(self) -> str:
        return self.local.proxy.url

    @property
    def ca_file(self) -> str:
        return str(self.local.authority.file)

    async def _enter(self) -> LocalWorld:
        return await self._make().__aenter__()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
