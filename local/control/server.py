"""Serves the control API on a free loopback port, in the world's own event loop.

Handlers therefore touch the world between two steps of the services, never in the middle of one.
"""

import asyncio
import contextlib
from collections.abc import Generator

import uvicorn

from local.control.application import create_application
from local.run import LocalWorld


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the process it lives in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class ControlServer:
    """The control API's server; `url` is known once it was started."""

    def __init__(self, local: LocalWorld) -> None:
        config = uvicorn.Config(
            create_application(local),
            host="127.0.0.1",
            port=0,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("starting the control API: the server ended at once")
            await asyncio.sleep(0.005)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        if self._task is not None:
            self._server.should_exit = True
            await self._task
