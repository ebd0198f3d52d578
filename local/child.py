"""A child process of the world: started, watched until it is ready, killed, started again.

Its output goes to a log file in the world's folder, whose end is part of the error when it does not come up.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Final

_POLL_SECONDS: Final = 0.02


class ChildFailed(RuntimeError):
    """A child ended or stayed silent before it was ready; the text holds the end of its log."""


class Child:
    """One child process and the log it writes."""

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log_file: Path
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._command = list(command)
        self._environment = dict(environment)
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Whether the process is there (ready or not)."""
        return self._process is not None and self._process.returncode is None

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None and self.running else None

    async def start(self, is_ready: Callable[[], Awaitable[bool]], *, within_seconds: float = 30.0) -> None:
        """Start the process and wait until it is ready; raises `ChildFailed`."""
        if self.running:
            return
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
            )
        until = monotonic() + within_seconds
        while not await is_ready():
            if self._has_ended():
                raise ChildFailed(f"{self.name} ended before it was ready; its log ends: {self._tail()}")
            if monotonic() > until:
                await self.kill()
                raise ChildFailed(f"{self.name} was not ready within {within_seconds} s; its log ends: {self._tail()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def kill(self) -> None:
        """End the process at once (signal 9) and wait until it is gone."""
        await self._end(lambda process: process.kill())

    async def stop(self, *, within_seconds: float = 5.0) -> None:
        """Ask the process to end; kill it if it does not."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._end(lambda process: process.terminate())
        except TimeoutError:
            await self.kill()

    async def _end(self, send: Callable[[asyncio.subprocess.Process], None]) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            # It may end by itself between the question and the signal.
            with contextlib.suppress(ProcessLookupError):
                send(process)
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._process = None

    def _has_ended(self) -> bool:
        return not self.running

    def _tail(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")[-2000:]


def free_port() -> int:
    """Choose a free loopback port for a child that cannot choose one itself."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listens(port: int) -> bool:
    """Whether somebody accepts connections on a loopback port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
