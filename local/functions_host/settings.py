"""Reads host.json and local.settings.json, and looks settings up as the real host does.

Settings come from the environment; local.settings.json only fills in what is not set there. Members of host.json
can be overridden by `AzureFunctionsJobHost__a__b__c`. What is read here is checked once, at start.
"""

import json
import logging
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.functions_host.errors import AppRefused

STORAGE_SETTING = "AzureWebJobsStorage"

_OVERRIDE = "AzureFunctionsJobHost__"
_SPAN = re.compile(r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2}):(?P<seconds>\d{1,2}(?:\.\d+)?)")
_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
_QUEUE_MEMBERS = frozenset(
    {"batchSize", "newBatchThreshold", "maxDequeueCount", "visibilityTimeout", "messageEncoding", "maxPollingInterval"}
)


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues` of host.json."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    base64: bool = True
    max_polling_interval: timedelta = timedelta(minutes=1)


@dataclass(frozen=True)
class HostOptions:
    """What host.json says; a `function_timeout` of None means no limit."""

    route_prefix: str = "api"
    function_timeout: timedelta | None = timedelta(minutes=30)
    log_level: int = logging.INFO
    queues: QueueOptions = field(default_factory=QueueOptions)


def read_host_options(app_directory: Path, environment: Mapping[str, str]) -> HostOptions:
    """Read host.json; raises AppRefused for what is missing or wrong in it."""
    content = _read_json(app_directory / "host.json")
    if content is None:
        raise AppRefused(f"looking for functions in {app_directory}: there is no host.json")
    _override(content, environment)
    if content.get("version") != "2.0":
        raise AppRefused('host.json: "version" must be "2.0"')
    extensions = content.get("extensions", {})
    prefix = extensions.get("http", {}).get("routePrefix", "api").strip("/")
    if prefix.split("/")[0].lower() in {"admin", "runtime"}:
        raise AppRefused(f"host.json: routePrefix {prefix!r} begins with a word that the host keeps for itself")
    level = str(content.get("logging", {}).get("logLevel", {}).get("default", "Information")).lower()
    if level not in _LEVELS:
        raise AppRefused(f"host.json: logging.logLevel.default {level!r} is none of {sorted(_LEVELS)}")
    timeout = content.get("functionTimeout", "00:30:00")
    return HostOptions(
        route_prefix=prefix,
        function_timeout=None if timeout == "-1" else parse_span(timeout, "functionTimeout"),
        log_level=_LEVELS[level],
        queues=_queue_options(extensions.get("queues", {})),
    )


def apply_local_settings(app_directory: Path, environment: MutableMapping[str, str]) -> None:
    """Fill in from local.settings.json what the environment does not set."""
    content = _read_json(app_directory / "local.settings.json") or {}
    if content.get("IsEncrypted"):
        raise AppRefused("local.settings.json is encrypted; `func settings decrypt` makes it readable")
    for name, value in content.get("Values", {}).items():
        environment.setdefault(name, str(value))


def resolve(text: str, environment: Mapping[str, str]) -> str:
    """Replace every %SETTING% by the setting's value."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise AppRefused(f"resolving {text!r}: there is no app setting {match[1]}")
        return environment[match[1]]

    return re.sub(r"%([^%]+)%", value, text)


def is_disabled(function_name: str, environment: Mapping[str, str]) -> bool:
    """Whether `AzureWebJobs.<Function>.Disabled` turns the function off; underscores stand for dots on Linux."""
    names = (f"AzureWebJobs.{function_name}.Disabled", f"AzureWebJobs_{function_name}_Disabled")
    return any(environment.get(name, "").lower() in {"true", "1"} for name in names)


def storage_connection(connection: str, environment: Mapping[str, str]) -> str:
    """Find the connection string that a binding's `connection` names, the app's own storage if it names none."""
    name = connection or STORAGE_SETTING
    found = environment.get(f"AzureWebJobs{name}") or environment.get(name)
    if found:
        return found
    if any(setting.startswith(f"{name}__") for setting in environment):
        raise AppRefused(f"{name} is an identity-based connection, which is not imitated: set a connection string")
    raise AppRefused(f"a queue binding needs the app setting {name}, which is not there")


def parse_span(text: object, name: str) -> timedelta:
    """Parse a .NET time span such as `00:05:00` or `1.00:00:00`."""
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise AppRefused(f"host.json: {name} {text!r} is not a time span such as 00:05:00")
    days, hours, minutes, seconds = match["days"] or "0", match["hours"], match["minutes"], match["seconds"]
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def _queue_options(queues: dict[str, Any]) -> QueueOptions:
    unknown = queues.keys() - _QUEUE_MEMBERS
    if unknown:
        raise AppRefused(f"host.json: extensions.queues has unknown members {sorted(unknown)}")
    batch_size = int(queues.get("batchSize", 16))
    encoding = str(queues.get("messageEncoding", "base64")).lower()
    if not 1 <= batch_size <= 32:
        raise AppRefused(f"host.json: extensions.queues.batchSize {batch_size} must be from 1 to 32")
    if encoding not in {"base64", "none"}:
        raise AppRefused(f"host.json: extensions.queues.messageEncoding {encoding!r} must be base64 or none")
    max_dequeue_count = int(queues.get("maxDequeueCount", 5))
    if max_dequeue_count < 1:
        raise AppRefused(f"host.json: extensions.queues.maxDequeueCount {max_dequeue_count} must be at least 1")
    return QueueOptions(
        batch_size=batch_size,
        new_batch_threshold=int(queues.get("newBatchThreshold", batch_size // 2)),
        max_dequeue_count=max_dequeue_count,
        visibility_timeout=parse_span(queues.get("visibilityTimeout", "00:00:00"), "visibilityTimeout"),
        base64=encoding == "base64",
        max_polling_interval=parse_span(queues.get("maxPollingInterval", "00:01:00"), "maxPollingInterval"),
    )


def _override(content: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if name.startswith(_OVERRIDE):
            *parents, last = name.removeprefix(_OVERRIDE).split("__")
            level = content
            for parent in parents:
                level = level.setdefault(parent, {})
            level[last] = value


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except ValueError as malformed:
        raise AppRefused(f"reading {path}: it is not JSON ({malformed})") from malformed
    if not isinstance(content, dict):
        raise AppRefused(f"reading {path}: it must be a JSON object")
    return content
