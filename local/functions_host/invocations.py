"""Runs functions for the triggers: ids, metadata, log lines, the time limit, and what goes to output bindings.

The log lines `Executing ...` and `Executed ...` are worded as the real host words them.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.core.exceptions import AzureError

from local.functions_host.functions import QUEUE_OUTPUT, Function
from local.functions_host.queue_storage import QueueStorage, messages_of
from local.functions_host.worker import Call, Datum, Outcome, Worker, datum

logger = logging.getLogger("host.invocations")


@dataclass(frozen=True)
class Invocation:
    """A wish to run a function: its trigger's value, the trigger's metadata, and why."""

    function: Function
    value: Datum
    reason: str
    metadata: Mapping[str, Datum] = field(default_factory=dict)
    trace_parent: str = ""
    retry: tuple[int, int] = (0, 0)


class Invoker:
    """Runs invocations and knows which are running."""

    def __init__(self, worker: Worker, storage: QueueStorage, timeout: timedelta | None) -> None:
        self._worker = worker
        self._storage = storage
        self._timeout_seconds = timeout.total_seconds() if timeout else None
        self._running: set[asyncio.Future[Outcome]] = set()

    async def run(self, invocation: Invocation) -> Outcome:
        """Run a function to its end, output bindings included. Fails in the outcome, never by raising."""
        function = invocation.function
        invocation_id = str(uuid.uuid4())
        extra = {"invocation_id": invocation_id, "function": function.name}
        logger.info(
            "Executing 'Functions.%s' (Reason='%s', Id=%s)",
            *(function.name, invocation.reason, invocation_id),
            extra=extra,
        )
        started = time.monotonic()
        call = Call(
            function_id=function.function_id,
            invocation_id=invocation_id,
            inputs=[(function.trigger.name, invocation.value)],
            metadata={"sys": _system_metadata(function), **invocation.metadata},
            trace_parent=invocation.trace_parent or f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01",
            retry=invocation.retry,
        )
        task = asyncio.ensure_future(self._run_with_outputs(function, call))
        self._running.add(task)
        try:
            outcome = await task
        finally:
            self._running.discard(task)
        milliseconds = round((time.monotonic() - started) * 1000)
        result = "Succeeded" if outcome.succeeded else "Failed"
        logger.log(
            logging.INFO if outcome.succeeded else logging.ERROR,
            "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)%s",
            *(function.name, result, invocation_id, milliseconds, f": {outcome.error}" if outcome.error else ""),
            extra=extra,
        )
        return outcome

    async def drain(self, seconds: float) -> int:
        """Let running invocations end for some seconds; gives how many did not."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)
        return len(self._running)

    async def _run_with_outputs(self, function: Function, call: Call) -> Outcome:
        outcome = await self._worker.invoke(call, self._timeout_seconds)
        if not outcome.succeeded:
            return outcome
        values = [*outcome.outputs, ("$return", outcome.returned)]
        try:
            for name, value in values:
                binding = function.output(name)
                if binding is not None and binding.type == QUEUE_OUTPUT and value is not None:
                    await self._storage.send(binding, messages_of(value))
        except AzureError as refused:
            return Outcome(succeeded=False, error=f"writing to the output binding {name}: {refused}")
        return outcome


def json_datum(value: Any) -> Datum:
    """Make a value of kind json, as the host sends everything that is no plain string."""
    return datum(json.dumps(value), "json")


def _system_metadata(function: Function) -> Datum:
    now = datetime.now(UTC).isoformat()
    return json_datum({"MethodName": function.name, "UtcNow": now, "RandGuid": str(uuid.uuid4())})
