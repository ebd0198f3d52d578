"""Two processes, one of which stops just before one chosen port call while the other does something of its own.

`crash` is about one process that goes wrong; here none does, and they meet at every call in turn.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from shared.bundle import Bundle
from shared.single_flight import SingleFlight
from tests.unit.shared.services.crash import PORTS

type Other = Callable[[], Awaitable[None]]


class Meeting:
    """Counts port calls; `where` names the call before which the other process had its turn, None for no such call."""

    def __init__(self, at: int, other: Other) -> None:
        self.where: str | None = None
        self._at = at
        self._other = other
        self._count = 0

    async def come(self, call: str) -> None:
        self._count += 1
        if self._count == self._at:
            self.where = f"before call {self._at}, {call}"
            await self._other()


class _Port:
    def __init__(self, inner: Any, name: str, meeting: Meeting) -> None:
        self._inner = inner
        self._name = name
        self._meeting = meeting

    def __getattr__(self, operation: str) -> Any:
        method, call = getattr(self._inner, operation), f"{self._name}.{operation}"
        if isasyncgenfunction(method):
            return self._iterated(method, call)
        return self._awaited(method, call) if iscoroutinefunction(method) else method

    def _awaited(self, method: Callable[..., Any], call: str) -> Callable[..., Any]:
        async def run(*args: Any, **kwargs: Any) -> Any:
            await self._meeting.come(call)
            return await method(*args, **kwargs)

        return run

    def _iterated(self, method: Callable[..., Any], call: str) -> Callable[..., AsyncIterator[Any]]:
        async def run(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            await self._meeting.come(call)
            async for one in method(*args, **kwargs):
                yield one

        return run


def interleaved(bundle: Bundle, at: int, other: Other) -> tuple[Bundle, Meeting]:
    """A process over the same world before whose `at`-th port call the other process has its turn."""
    meeting = Meeting(at, other)
    ports: dict[str, Any] = {name: _Port(getattr(bundle, name), name, meeting) for name in PORTS}
    return replace(bundle, drains=SingleFlight(), **ports), meeting
