"""Faults that tests and the demo inject around a service's handler: slow, refused, throttled, cut, garbled, silent.

A fault names what it strikes (service, operation, host; globs) and whether it strikes before the handler or after it
took effect: the second is how a client loses the answer to a change that Azure made. Chance is seeded.
"""

import json
import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from aiohttp import web

Kind = Literal["latency", "status", "drop", "malformed", "hang"]
When = Literal["before", "after"]

_TRUNCATED: Final = b'{"value": [{"id": "/subscr'


@dataclass
class Fault:
    """One fault. `remaining` counts down; None strikes until removed."""

    identifier: str
    kind: Kind
    service: str = "*"
    operation: str = "*"
    host: str = "*"
    when: When = "before"
    latency_seconds: float = 0.0
    status: int = 503
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    remaining: int | None = None
    probability: float = 1.0
    struck: int = 0

    def matches(self, service: str, operation: str, host: str) -> bool:
        """Whether the fault is meant for this call; service and operation are globs, compared with case."""
        return (
            self.remaining != 0
            and fnmatchcase(service, self.service)
            and fnmatchcase(operation, self.operation)
            and fnmatchcase(host, self.host)
        )

    def answer(self) -> web.Response:
        """Build the answer of a `status` fault; a string is sent as text, everything else as JSON."""
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, headers=self.headers)
        document = self.body
        if document is None:
            document = {"error": {"code": "InjectedFault", "message": f"A fault answers {self.status} here."}}
        headers = {"Content-Type": "application/json; charset=utf-8", **self.headers}
        return web.Response(status=self.status, body=json.dumps(document).encode(), headers=headers)

    def garble(self, response: web.Response | None) -> web.Response:
        """Build the answer of a `malformed` fault: half of the true body, or a JSON document that breaks off."""
        body = response.body if response is not None else None
        half = body[: len(body) // 2] if isinstance(body, bytes) and len(body) > 1 else _TRUNCATED
        status = response.status if response is not None else 200
        return web.Response(status=status, body=half, headers={"Content-Type": "application/json; charset=utf-8"})


class Faults:
    """The faults in force, in the order they were added; at most one of a kind of moment strikes a call."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._random = random.Random(0)  # noqa: S311  repeatable chance, no secret

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def in_force(self) -> list[Fault]:
        return list(self._faults)

    def remove(self, identifier: str) -> bool:
        """Remove one fault; answers whether it was there."""
        kept = [fault for fault in self._faults if fault.identifier != identifier]
        removed = len(kept) < len(self._faults)
        self._faults = kept
        return removed

    def clear(self) -> None:
        """Remove all faults and start chance anew."""
        self._faults.clear()
        self._random.seed(0)

    def holds(self, fault: Fault) -> bool:
        """Whether the fault is still in force; a hanging call goes on once it is removed."""
        return fault in self._faults

    def strike(self, when: When, service: str, operation: str, host: str) -> list[Fault]:
        """Take the faults that strike this call now: all latencies, and the first that decides the answer."""
        if not self._faults:
            return []
        struck: list[Fault] = []
        for fault in self._faults:
            if fault.when != when or not fault.matches(service, operation, host):
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            fault.struck += 1
            if fault.remaining is not None:
                fault.remaining -= 1
            struck.append(fault)
            if fault.kind != "latency":
                break
        return struck
