"""The host's own routes under /admin: ping, status, and running a function by hand.

Running a function needs the master key, as in Azure. The status does not, as under `func start`, and has a member that
Azure's lacks, `clockOffsetSeconds`: whoever moves the world's clock reads there that this process follows.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from aiohttp import web

from local.functions_host.clock import FollowedClock
from local.functions_host.keys import Keys, presented_key
from local.functions_host.worker import Outcome

type ManualRun = Callable[[str], Coroutine[Any, Any, Outcome]]
"""Runs a function for the text that an administrator gave as its input."""


class Admin:
    """Serves /admin."""

    def __init__(self, keys: Keys, clock: FollowedClock, runs: Mapping[str, ManualRun]) -> None:
        self._keys = keys
        self._clock = clock
        self._runs = {name.lower(): run for name, run in runs.items()}
        self._instance_id = str(uuid.uuid4())
        self._started = time.monotonic()
        self._running: set[asyncio.Task[Outcome]] = set()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the routes, before the catch-all."""
        router.add_route("*", "/admin/host/ping", self._ping)
        router.add_get("/admin/host/status", self._status)
        router.add_post("/admin/functions/{name}", self._run)
        router.add_route("*", "/admin/{rest:.*}", _nothing)

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "id": "crosskey-local",
                "state": "Running",
                "version": "4.0.0-local",
                "instanceId": self._instance_id,
                "processUptime": round((time.monotonic() - self._started) * 1000),
                "clockOffsetSeconds": self._clock.offset_seconds,
            }
        )

    async def _run(self, request: web.Request) -> web.Response:
        if not self._keys.opens_admin(presented_key(request.headers, request.query)):
            return web.Response(status=401)
        run = self._runs.get(request.match_info["name"].lower())
        if run is None:
            return web.Response(status=404)
        try:
            given = json.loads(await request.read())["input"]
        except (ValueError, KeyError, TypeError):
            return web.Response(status=400, text='the body must be {"input": "..."}')
        task = asyncio.create_task(run(given if isinstance(given, str) else json.dumps(given)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return web.Response(status=202)


async def _nothing(_: web.Request) -> web.Response:
    return web.Response(status=404)
