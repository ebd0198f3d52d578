"""The app's place in the local Azure: its environment, its process (the Functions host), and the way to it.

`FunctionsHost` is the child process, which tests kill and start again. `AppService` is how the rest of the world
reaches it under its production name, as App Service's front end would pass requests on.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from local.child import Child, ChildFailed, free_port
from local.clock import Clock
from local.names import APP_HOST

ROOT: Final = Path(__file__).resolve().parent.parent
# Hop-by-hop headers are each connection's own; aiohttp decodes bodies, so their length and encoding are new as well.
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "content-encoding"}
)


class FunctionsHost:
    """The Functions host child; the same port over all its lives."""

    def __init__(self, clock: Clock, folder: Path, *, app_folder: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self._clock = clock
        self._ready_file = folder / "functions-host.ready"
        command = [sys.executable, "-m", "local.functions_host", "--app-dir", str(app_folder)]
        command += ["--port", str(self.port), "--clock-file", str(clock.path.resolve())]
        # The host's standard input closes when this process ends, however it ends: no host outlives its world.
        command += ["--ready-file", str(self._ready_file), "--stop-with-stdin"]
        # Nothing of the developer's own environment (credentials, proxies) may reach the app.
        environment = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **settings}
        self.child = Child(
            "the Functions host", command, environment=environment, folder=ROOT, log_file=folder / "functions-host.log"
        )

    @property
    def url(self) -> str:
        """The app's address on loopback, past the proxy."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the host and return when it answers, with the world's clock."""
        if not self.child.running:
            self._ready_file.unlink(missing_ok=True)
        await self.child.start(self._is_ready)
        await self.follow_clock()

    async def stop(self) -> None:
        await self.child.stop()

    async def kill(self) -> None:
        await self.child.kill()

    async def follow_clock(self, *, within_seconds: float = 10.0) -> None:
        """Return when the host's clock shows the world's offset; a host that does not run has nothing to follow."""
        wanted = self._clock.offset.total_seconds()
        until = monotonic() + within_seconds
        async with aiohttp.ClientSession() as session:
            while self.child.running:
                try:
                    async with session.get(f"{self.url}/admin/host/status") as response:
                        status = await response.json()
                except aiohttp.ClientError:
                    status = {}
                if abs(float(status.get("clockOffsetSeconds", float("nan"))) - wanted) < 0.001:
                    return
                if monotonic() > until:
                    raise ChildFailed(f"the Functions host's clock does not follow: {status}, wanted {wanted} s")
                await asyncio.sleep(0.01)

    async def _is_ready(self) -> bool:
        return self._ready_file.exists()


class AppService:
    """Passes requests for the app's production name on to the Functions host."""

    name = "app"

    def __init__(self, host: FunctionsHost | None) -> None:
        self._host = host
        self._session: aiohttp.ClientSession | None = None

    def serves(self, host: str) -> bool:
        return host == APP_HOST

    def operation(self, request: web.Request) -> str:
        return f"{request.method} {request.path}"

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=240),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def handle(self, request: web.Request) -> web.Response:
        if self._session is None or self._host is None or not self._host.child.running:
            return web.Response(status=503, text="Function host is not running.")
        headers = _end_to_end(request.headers)
        headers["X-Forwarded-Proto"] = "https"
        headers["X-Forwarded-Host"] = request.host
        try:
            async with self._session.request(
                request.method,
                f"{self._host.url}{request.rel_url.raw_path_qs}",
                headers=headers,
                data=await request.read() or None,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                return web.Response(status=answer.status, body=body, headers=_end_to_end(answer.headers, body=True))
        except (aiohttp.ClientError, TimeoutError):
            # The front end answers so while the host restarts, and when it dies in the middle of a request.
            return web.Response(status=503, text="Function host is not running.")


def _end_to_end(headers: Mapping[str, str], *, body: bool = False) -> CIMultiDict[str]:
    """Copy headers without those of the connection; an answer keeps its encoding, as its bytes are passed on raw."""
    left_out = _HOP_BY_HOP - ({"content-encoding"} if body else set())
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left_out)
