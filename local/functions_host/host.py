"""Puts the host together: loads the app, opens the HTTP front, starts the listeners, and stops all of it in order.

The ready file is written last: whoever waits for it finds every trigger working. Nothing needs an orderly end; a
host killed at any moment loses only what the next one takes up again from the queues and the timers' status.
"""

import asyncio
import json
import logging
import os
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from local.functions_host.admin import Admin, ManualRun
from local.functions_host.clock import FollowedClock
from local.functions_host.errors import AppRefused
from local.functions_host.event_grid import WEBHOOK_PATH, EventGridWebhook
from local.functions_host.functions import (
    EVENT_GRID_TRIGGER,
    HTTP_TRIGGER,
    QUEUE_TRIGGER,
    TIMER_TRIGGER,
    Function,
    describe_functions,
)
from local.functions_host.http_front import HttpFront
from local.functions_host.invocations import Invoker
from local.functions_host.keys import Keys, load_keys
from local.functions_host.logs import configure_logging
from local.functions_host.queue_listener import QueueListener
from local.functions_host.queue_storage import QueueStorage
from local.functions_host.routes import RouteTable
from local.functions_host.settings import HostOptions, apply_local_settings, read_host_options
from local.functions_host.timers import TimerListener, TimerStatusFile
from local.functions_host.worker import Worker

logger = logging.getLogger("host")

BODY_LIMIT_BYTES = 100 * 1024 * 1024


@dataclass(frozen=True)
class Arguments:
    """What the host is started with. Port 0 means any free port; the ready file says which."""

    app_directory: Path
    port: int
    clock_file: Path
    ready_file: Path
    keys_file: Path
    lease_seconds: int = 600
    drain_seconds: float = 5.0
    stop_with_stdin: bool = False


class Host:
    """One Functions host with its app."""

    def __init__(self, arguments: Arguments, environment: MutableMapping[str, str]) -> None:
        self._arguments = arguments
        zone = environment.get("WEBSITE_TIME_ZONE", "UTC")
        if zone.upper() != "UTC":
            raise AppRefused(f"WEBSITE_TIME_ZONE is {zone!r}: only UTC is imitated")
        apply_local_settings(arguments.app_directory, environment)
        options: HostOptions = read_host_options(arguments.app_directory, environment)
        configure_logging(options.log_level)
        self._clock = FollowedClock(arguments.clock_file)
        self._keys: Keys = load_keys(arguments.keys_file)
        self._worker = Worker(arguments.app_directory)
        functions = describe_functions(self._worker.start(), environment)
        self._functions = functions
        self._storage = QueueStorage(environment, encode=options.queues.base64)
        self._invoker = Invoker(self._worker, self._storage, options.function_timeout)
        for function in functions:
            for binding in function.outputs:
                if binding.type == "queue":
                    self._storage.queue(binding)  # refuses a connection that is not there, now and not at the first use
        statuses = TimerStatusFile(arguments.ready_file.with_suffix(".timers.json"))
        self._queues = [
            QueueListener(function, self._invoker, self._storage, options.queues, arguments.lease_seconds)
            for function in self._having(QUEUE_TRIGGER)
        ]
        self._timers = [TimerListener(function, self._invoker, statuses) for function in self._having(TIMER_TRIGGER)]
        self._webhook = EventGridWebhook(self._having(EVENT_GRID_TRIGGER), self._keys, self._invoker)
        self._front = HttpFront(RouteTable(self._having(HTTP_TRIGGER), options.route_prefix), self._keys, self._invoker)

    async def run(self, stop: asyncio.Event) -> int:
        """Serve until `stop` is set; gives how many invocations had to be left running."""
        runner = web.AppRunner(self._web_application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._arguments.port)
        try:
            await site.start()
        except OSError as taken:
            await runner.cleanup()
            raise AppRefused(f"listening on 127.0.0.1:{self._arguments.port}: {taken}") from taken
        port: int = runner.addresses[0][1]
        for timer in self._timers:
            timer.prepare()
        listeners: list[QueueListener | TimerListener] = [*self._queues, *self._timers]
        for listener in listeners:
            self._clock.on_move(listener.clock_moved)
        tasks = [
            asyncio.create_task(self._clock.follow(), name="clock"),
            *(asyncio.create_task(one.listen(), name=one.function.name) for one in listeners),
            asyncio.create_task(_until(stop), name="stop"),
        ]
        self._announce(port)
        logger.info("Host started", extra={"port": port, "functions": [one.name for one in self._functions]})
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        logger.info("Host stopping")
        await site.stop()
        left = await self._stop_listeners(tasks)
        await runner.cleanup()
        await self._storage.close()
        self._worker.stop()
        for task in tasks:
            # A listener that ended by itself is a fault of the host: let it be seen.
            if not task.cancelled() and (fault := task.exception()) is not None:
                raise fault
        return left

    async def _stop_listeners(self, tasks: list[asyncio.Task[None]]) -> int:
        seconds = self._arguments.drain_seconds
        # Queue listeners first: no new messages. Timers are cancelled last, since theirs may be running.
        for task in tasks:
            if task.get_name() in {listener.function.name for listener in self._queues}:
                task.cancel()
        left = await self._invoker.drain(seconds)
        for listener in self._queues:
            await listener.drain(seconds if left == 0 else 0)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        return left

    def _having(self, trigger: str) -> list[Function]:
        return [one for one in self._functions if one.trigger.type == trigger and not one.disabled]

    def _web_application(self) -> web.Application:
        application = web.Application(client_max_size=BODY_LIMIT_BYTES)
        Admin(self._keys, self._clock, self._manual_runs()).add_routes(application.router)
        application.router.add_route("*", WEBHOOK_PATH, self._webhook.handle)
        application.router.add_route("*", "/{path:.*}", self._front.handle)
        return application

    def _manual_runs(self) -> dict[str, ManualRun]:
        runs: dict[str, ManualRun] = {}
        for timer in self._timers:
            runs[timer.function.name] = timer.run_by_hand
        for queue in self._queues:
            runs[queue.function.name] = queue.run_by_hand
        for function in self._having(EVENT_GRID_TRIGGER):
            runs[function.name] = partial(self._webhook.run_by_hand, function)
        return runs

    def _announce(self, port: int) -> None:
        ready = self._arguments.ready_file
        content = {
            "baseUrl": f"http://127.0.0.1:{port}",
            "pid": os.getpid(),
            "functions": [one.name for one in self._functions],
            "keys": self._keys.as_json(),
        }
        fresh = ready.with_name(f"{ready.name}.new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(content, indent=2), encoding="utf-8")
        os.replace(fresh, ready)  # noqa: PTH105  os.replace says what matters here: it overwrites atomically


async def _until(event: asyncio.Event) -> None:
    await event.wait()
