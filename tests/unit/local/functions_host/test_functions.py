"""Functions from the worker's metadata, and the values that go to queues."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from local.functions_host.errors import AppRefused
from local.functions_host.functions import RetryPolicy, describe_functions
from local.functions_host.protos import Message
from local.functions_host.queue_listener import queue_metadata
from local.functions_host.queue_storage import QueueMessage, messages_of
from local.functions_host.worker import datum

TIMER = {"type": "timerTrigger", "name": "timer", "direction": "IN", "schedule": "%WHEN%"}
HTTP = {"type": "httpTrigger", "name": "req", "direction": "IN", "authLevel": "ANONYMOUS"}
RETRY = SimpleNamespace(
    retry_strategy="exponential_backoff",
    max_retry_count=5,
    minimum_interval=timedelta(seconds=1),
    maximum_interval=timedelta(seconds=5),
)


def _metadata(*bindings: dict[str, Any], retry: Any = None) -> list[Message]:
    raw = [json.dumps(binding) for binding in bindings]
    return [Message(name="f", function_id="1", raw_bindings=raw, retry_options=retry)]


def test_settings_in_bindings_are_looked_up_and_disabled_functions_marked() -> None:
    environment = {"WHEN": "0 * * * * *", "AzureWebJobs.f.Disabled": "1"}
    (function,) = describe_functions(_metadata(TIMER), environment)
    assert function.trigger.settings["schedule"] == "0 * * * * *"
    assert function.disabled


def test_outputs_are_found_by_name() -> None:
    output = {"type": "queue", "name": "$return", "direction": "OUT", "queueName": "made"}
    (function,) = describe_functions(_metadata(HTTP, output), {})
    found = function.output("$return")
    assert found is not None
    assert found.settings["queueName"] == "made"
    assert function.output("other") is None


@pytest.mark.parametrize(
    ("bindings", "reason"),
    [
        (({**HTTP, "type": "serviceBusTrigger"},), "serviceBusTrigger is not imitated"),
        ((HTTP, {"type": "eventGrid", "name": "o", "direction": "OUT"}), "eventGrid is not imitated"),
        ((HTTP, {"type": "blob", "name": "i", "direction": "IN"}), "input binding blob is not imitated"),
        ((), "0 triggers"),
        ((HTTP, TIMER), "2 triggers"),
    ],
)
def test_bindings_it_does_not_know_are_refused_by_name(bindings: tuple[dict[str, Any], ...], reason: str) -> None:
    with pytest.raises(AppRefused, match=reason):
        describe_functions(_metadata(*bindings), {"WHEN": "x"})


def test_a_retry_policy_is_for_timers_only() -> None:
    (function,) = describe_functions(_metadata(TIMER, retry=RETRY), {"WHEN": "0 * * * * *"})
    assert function.retry == RetryPolicy(5, timedelta(seconds=1), timedelta(seconds=5))
    assert [function.retry.delay(attempt).total_seconds() for attempt in (1, 2, 3, 4)] == [1, 2, 4, 5]
    with pytest.raises(AppRefused, match="does not support a retry policy on httpTrigger"):
        describe_functions(_metadata(HTTP, retry=RETRY), {})


@pytest.mark.parametrize(
    ("value", "kind", "messages"),
    [
        ("hello", "string", [b"hello"]),
        (b"\x00\xff", "bytes", [b"\x00\xff"]),
        ('["a", {"id": 1}]', "json", [b"a", b'{"id": 1}']),
        ('{"id": 1}', "json", [b'{"id": 1}']),
        ("[]", "json", []),
    ],
)
def test_an_output_value_is_split_into_messages(value: object, kind: str, messages: list[bytes]) -> None:
    assert messages_of(datum(value, kind)) == messages


def test_a_message_is_described_as_the_host_describes_it() -> None:
    moment = datetime(2026, 11, 20, 10, tzinfo=UTC)
    message = QueueMessage("m-1", "", "receipt", 2, moment, moment, moment)
    body = '{"cause": "event", "attempt": 3, "Id": "forged", "nested": {}}'
    described = {name: (value.type, value.value) for name, value in queue_metadata(body, message).items()}
    assert described == {
        "cause": ("string", "event"),
        "attempt": ("json", "3"),
        "QueueTrigger": ("string", body),
        "Id": ("string", "m-1"),
        "PopReceipt": ("string", "receipt"),
        "DequeueCount": ("json", "2"),
        "InsertionTime": ("json", '"2026-11-20T10:00:00+00:00"'),
        "ExpirationTime": ("json", '"2026-11-20T10:00:00+00:00"'),
        "NextVisibleTime": ("json", '"2026-11-20T10:00:00+00:00"'),
    }
