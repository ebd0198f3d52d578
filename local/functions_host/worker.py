"""Drives azure-functions-runtime, the library that runs Python functions in Azure, on an event loop in a thread.

The app's coroutines run on that loop and its plain functions in the library's thread pool, so that an app which
blocks stops neither the HTTP front nor the renewal of messages. The library is an inner seam of Azure without a
documented API: it is pinned exactly, and this file and `protos` are all that know its shape.
"""

import asyncio
import importlib
import logging
import os
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.functions_host.errors import AppRefused
from local.functions_host.protos import Message, StatusResult, init_request

logger = logging.getLogger("host.worker")

_runtime: Any = importlib.import_module("azure_functions_runtime")
_native: Any = importlib.import_module("azure_functions_runtime.native_invocation")
_http_v2: Any = importlib.import_module("azure_functions_runtime.http_v2")
_datumdef: Any = importlib.import_module("azure_functions_runtime.bindings.datumdef")

type Datum = Any
"""A value with its kind on the way to or from a function: `.value` and `.type` ("string", "json", "http", ...)."""


def datum(value: Any, kind: str) -> Datum:
    """Make the library's own value object."""
    return _datumdef.Datum(value, kind)


def current_invocation_id() -> str | None:
    """Name the invocation that the calling code runs for, if any."""
    invocation_id: str | None = _runtime.invocation_id_cv.get()
    return invocation_id


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended, with what it returned and put into its output bindings."""

    succeeded: bool
    returned: Datum | None = None
    outputs: list[tuple[str, Datum]] = field(default_factory=list)
    error: str = ""


@dataclass(frozen=True)
class Call:
    """One invocation as the library takes it; `retry` is the attempt's number and the most there may be."""

    function_id: str
    invocation_id: str
    inputs: list[tuple[str, Datum]]
    metadata: dict[str, Datum]
    trace_parent: str = ""
    retry: tuple[int, int] = (0, 0)


class Worker:
    """One app, loaded once; a reload is a new process because the library keeps the app in module globals."""

    def __init__(self, app_directory: Path) -> None:
        self._app_directory = app_directory
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run_loop, name="functions-worker", daemon=True)
        self._stopping = False
        self._abandoned: set[asyncio.Task[Outcome]] = set()

    def start(self) -> list[Message]:
        """Import and index the app; raises AppRefused with what the library found wrong."""
        if not (self._app_directory / "function_app.py").is_file():
            raise AppRefused(f"looking for functions in {self._app_directory}: there is no function_app.py")
        packages = self._app_directory / ".python_packages" / "lib" / "site-packages"
        sys.path[:0] = [str(self._app_directory), *([str(packages)] if packages.is_dir() else [])]
        os.chdir(self._app_directory)
        _runtime.start_threadpool_executor()
        self._thread.start()
        return asyncio.run_coroutine_threadsafe(self._index(), self._loop).result()

    async def invoke(self, call: Call, timeout_seconds: float | None) -> Outcome:
        """Run a function on the worker's loop. Never raises for what the function does."""
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self._limited(call, timeout_seconds), self._loop)
        )

    def stop(self) -> None:
        """Stop the loop. A plain function that still runs keeps its thread: it cannot be stopped."""
        self._stopping = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=2)
        pool = _runtime.get_threadpool_executor()
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._stopping:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                # Raised by a task of the app's own. In Azure it ends the worker process and the host starts another.
                logger.critical("a task of the app asked the process to exit; carrying on", exc_info=True)

    async def _index(self) -> list[Message]:
        answer: Message = await _runtime.worker_init_request(init_request(self._app_directory))
        if _http_v2.HttpV2Registry.http_v2_enabled():
            raise AppRefused("the app uses HTTP streaming (azurefunctions.extensions.base), which is not imitated")
        if answer.result.status != StatusResult.Success:
            problem = answer.result.exception
            raise AppRefused(f"importing function_app.py: {problem.message}\n{problem.stack_trace}")
        metadata: Message = await _runtime.functions_metadata_request(None)
        return list(metadata.function_metadata_results or [])

    async def _guarded(self, call: Call) -> Outcome:
        # The library forgets the id before it logs a failure; this task has a context of its own, so set it for all.
        _runtime.invocation_id_cv.set(call.invocation_id)
        try:
            succeeded, returned, outputs, error, _ = await _native.invocation_request_native(
                call.invocation_id,
                call.function_id,
                call.inputs,
                call.metadata,
                call.trace_parent,
                "",
                *call.retry,
                None,
            )
        except BaseException as stopped:
            # The process boundary of a function: cancellation and exits get past the library, which in Azure
            # leaves the call unanswered or ends the worker. Here the one invocation fails and the host lives on.
            logger.exception("the function ended abnormally", extra={"invocation_id": call.invocation_id})
            return Outcome(succeeded=False, error=repr(stopped))
        return Outcome(succeeded, returned, outputs, error or "")

    async def _limited(self, call: Call, timeout_seconds: float | None) -> Outcome:
        task = asyncio.create_task(self._guarded(call))
        try:
            await asyncio.wait({task}, timeout=timeout_seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task.result()
        # Azure ends the worker process here. A coroutine is cancelled; a plain function runs on, unheard.
        task.cancel()
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)
        return Outcome(succeeded=False, error=f"the function did not end within functionTimeout ({timeout_seconds} s)")
