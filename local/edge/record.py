"""The record of calls: what reached which service, what it answered, and how long that took.

Calls are kept as they came and turned into documents only when somebody asks, so that recording costs next to
nothing while a scenario runs. Tests read it to count calls and to validate exchanges against Azure's contracts.
Tokens, assertions, secrets and keys are redacted in every document.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from local.clock import Clock

_CAPACITY: Final = 50_000
REDACTED: Final = "REDACTED"
_SECRET_HEADERS: Final = frozenset(
    {
        "authorization",
        "x-identity-header",
        "aeg-sas-key",
        "aeg-sas-token",
        "x-functions-key",
        "x-crosskey-webhook-key",
        "cookie",
        "set-cookie",
    }
)
_SECRET_MEMBERS: Final = frozenset(
    {
        "access_token",
        "id_token",
        "refresh_token",
        "client_assertion",
        "client_secret",
        "assertion",
        "password",
        "headerValue",
    }
)
_SECRET_QUERIES: Final = frozenset({"code", "sig"})


@dataclass(slots=True)
class Call:
    """One call as it came. Times are world time (seconds) and real duration (seconds); bodies are raw."""

    sequence: int
    time: float
    service: str
    operation: str
    method: str
    host: str
    path: str
    query: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int = 0
    duration: float = 0.0
    response_headers: Mapping[str, str] | None = None
    response_body: bytes = b""
    fault: str | None = None

    def document(self) -> dict[str, Any]:
        """Build the JSON document of the call; `status` 0 means that no answer was given (yet)."""
        query = urlencode(
            [
                (name, REDACTED if name.lower() in _SECRET_QUERIES else value)
                for name, value in parse_qsl(self.query, keep_blank_values=True)
            ],
            safe="/:$,'*",
        )
        return {
            "sequence": self.sequence,
            "time": datetime.fromtimestamp(self.time, UTC).isoformat(),
            "service": self.service,
            "operation": self.operation,
            "method": self.method,
            "host": self.host,
            "path": self.path,
            "query": query,
            "status": self.status,
            "durationMs": round(self.duration * 1000, 3),
            "fault": self.fault,
            "requestHeaders": _headers(self.request_headers),
            "requestBody": _body(self.request_body, self.request_headers),
            "responseHeaders": _headers(self.response_headers or {}),
            "responseBody": _body(self.response_body, self.response_headers or {}),
        }


class Record:
    """All calls in order of arrival; the oldest are forgotten beyond 50,000."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: deque[Call] = deque(maxlen=_CAPACITY)
        self._sequence = 0

    def begin(
        self,
        *,
        service: str,
        operation: str,
        method: str,
        host: str,
        path: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Call:
        """Note a call that has just arrived."""
        self._sequence += 1
        call = Call(
            self._sequence, self._clock.time(), service, operation, method, host, path, query, headers or {}, body
        )
        self._calls.append(call)
        return call

    def calls(self, *, after: int = 0, service: str | None = None, operation: str | None = None) -> list[Call]:
        """List calls whose sequence is greater than `after`, of one service and operation if named."""
        return [
            call
            for call in self._calls
            if call.sequence > after
            and (service is None or call.service == service)
            and (operation is None or call.operation == operation)
        ]

    def clear(self) -> None:
        """Forget all calls; the sequence goes on."""
        self._calls.clear()


def redact(value: Any) -> Any:
    """Replace secret members anywhere in a JSON value."""
    if isinstance(value, dict):
        if value.get("isSecret") is True:
            value = value | {"value": REDACTED}
        return {name: REDACTED if name in _SECRET_MEMBERS else redact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [redact(each) for each in value]
    return value


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): REDACTED if name.lower() in _SECRET_HEADERS else value for name, value in headers.items()}


def _body(body: bytes, headers: Mapping[str, str]) -> Any:
    """Read a body as JSON or as a form; text that is neither is given as text, an empty one as None."""
    if not body:
        return None
    text = body.decode("utf-8", errors="replace")
    content_type = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if content_type.startswith("application/x-www-form-urlencoded"):
        return redact(dict(parse_qsl(text, keep_blank_values=True)))
    try:
        return redact(json.loads(text))
    except ValueError:
        return text
