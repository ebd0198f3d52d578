"""The app's functions as the worker's metadata describes them, checked against the bindings this host knows.

Everything that a real host would reject, or that this one does not imitate, is refused here at start by name.
Settings named as %SETTING% in a binding are looked up here, once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from local.functions_host.errors import AppRefused
from local.functions_host.protos import Message
from local.functions_host.settings import is_disabled, resolve

HTTP_TRIGGER = "httpTrigger"
EVENT_GRID_TRIGGER = "eventGridTrigger"
QUEUE_TRIGGER = "queueTrigger"
TIMER_TRIGGER = "timerTrigger"
HTTP_OUTPUT = "http"
QUEUE_OUTPUT = "queue"

_TRIGGERS = frozenset({HTTP_TRIGGER, EVENT_GRID_TRIGGER, QUEUE_TRIGGER, TIMER_TRIGGER})
_OUTPUTS = frozenset({HTTP_OUTPUT, QUEUE_OUTPUT})


@dataclass(frozen=True)
class Binding:
    """One binding; `settings` are its members as the app's decorator wrote them, settings looked up."""

    name: str
    type: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class RetryPolicy:
    """`@app.retry` of a timer: a fixed delay, or a delay that doubles between two bounds."""

    count: int
    first_delay: timedelta
    longest_delay: timedelta

    def delay(self, attempt: int) -> timedelta:
        """How long to wait before the given attempt, counted from 1."""
        return min(self.first_delay * (1 << (attempt - 1)), self.longest_delay)


@dataclass(frozen=True)
class Function:
    """One function with its trigger and its output bindings."""

    name: str
    function_id: str
    trigger: Binding
    outputs: tuple[Binding, ...] = ()
    retry: RetryPolicy | None = None
    disabled: bool = False

    def output(self, name: str) -> Binding | None:
        """Find an output binding by its parameter's name (`$return` for the returned value)."""
        return next((binding for binding in self.outputs if binding.name == name), None)


def describe_functions(metadata: list[Message], environment: Mapping[str, str]) -> tuple[Function, ...]:
    """Turn the worker's metadata into functions; raises AppRefused for the first that cannot be hosted."""
    if not metadata:
        raise AppRefused("function_app.py defines no functions")
    return tuple(_describe(function, environment) for function in metadata)


def _describe(metadata: Message, environment: Mapping[str, str]) -> Function:
    raw = [json.loads(text) for text in metadata.raw_bindings]
    triggers = [_binding(metadata.name, one, environment) for one in raw if one["type"].lower().endswith("trigger")]
    others = [one for one in raw if not one["type"].lower().endswith("trigger")]
    if len(triggers) != 1:
        raise AppRefused(f"function {metadata.name}: it has {len(triggers)} triggers and must have one")
    for one in others:
        if one["direction"].lower() != "out":
            raise AppRefused(f"function {metadata.name}: the input binding {one['type']} is not imitated")
    return Function(
        name=metadata.name,
        function_id=metadata.function_id,
        trigger=triggers[0],
        outputs=tuple(_binding(metadata.name, one, environment) for one in others),
        retry=_retry(metadata, triggers[0]),
        disabled=is_disabled(metadata.name, environment),
    )


def _binding(function: str, raw: dict[str, Any], environment: Mapping[str, str]) -> Binding:
    # The decorators write `httpTrigger` or `HttpTrigger`; the host compares without case.
    known = {name.lower(): name for name in _TRIGGERS | _OUTPUTS}
    kind = known.get(raw["type"].lower())
    if kind is None:
        raise AppRefused(f"function {function}: the binding {raw['type']} is not imitated")
    settings = {name: resolve(value, environment) if isinstance(value, str) else value for name, value in raw.items()}
    return Binding(name=raw["name"], type=kind, settings=settings)


def _retry(metadata: Message, trigger: Binding) -> RetryPolicy | None:
    options = metadata.retry_options
    if options is None:
        return None
    if trigger.type != TIMER_TRIGGER:
        # Azure leaves retries of queues to host.json and of events to the event subscription.
        raise AppRefused(f"function {metadata.name}: Azure does not support a retry policy on {trigger.type}")
    if options.retry_strategy == "fixed_delay":
        return RetryPolicy(options.max_retry_count, options.delay_interval, options.delay_interval)
    return RetryPolicy(options.max_retry_count, options.minimum_interval, options.maximum_interval)
