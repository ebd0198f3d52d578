"""A process that dies, or loses an answer, at one chosen port call.

`interrupted` puts a counter before every call of every port of a bundle; the n-th call goes wrong, before or after it
took effect. A fresh bundle over the same fakes is the process that is started afterwards.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from enum import Enum
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from shared.bundle import Bundle
from shared.errors import Unavailable
from shared.single_flight import SingleFlight

PORTS = ("state", "claims", "timeline", "fleet", "queue", "vault", "credentials", "accounts", "notifications")


class Killed(BaseException):
    """The process ended here; nothing of ours catches it."""


class How(Enum):
    """What becomes of the chosen call: whether it took effect, and whether the process lives on."""

    KILLED_BEFORE = "killedBefore"
    KILLED_AFTER = "killedAfter"
    FAILED_BEFORE = "failedBefore"
    FAILED_AFTER = "failedAfter"

    @property
    def took_effect(self) -> bool:
        return self in {How.KILLED_AFTER, How.FAILED_AFTER}

    def make(self, call: str) -> BaseException:
        kills = self in {How.KILLED_BEFORE, How.KILLED_AFTER}
        return Killed(call) if kills else Unavailable(f"{call}: no answer")


class Interruption:
    """Counts port calls; `struck` names the call that went wrong, None when there were not that many."""

    def __init__(self, at: int, how: How) -> None:
        self.struck: str | None = None
        self._at = at
        self._how = how
        self._count = 0

    def due(self, call: str) -> BaseException | None:
        self._count += 1
        if self._count != self._at:
            return None
        self.struck = f"call {self._at}, {call}, {self._how.value}"
        return self._how.make(call)

    @property
    def after(self) -> bool:
        return self._how.took_effect


class _Port:
    def __init__(self, inner: Any, name: str, interruption: Interruption) -> None:
        self._inner = inner
        self._name = name
        self._interruption = interruption

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._inner, operation)
        call = f"{self._name}.{operation}"
        if isasyncgenfunction(method):
            return self._iterated(method, call)
        return self._awaited(method, call) if iscoroutinefunction(method) else method

    def _awaited(self, method: Callable[..., Any], call: str) -> Callable[..., Any]:
        async def run(*args: Any, **kwargs: Any) -> Any:
            error = self._interruption.due(call)
            if error is not None and not self._interruption.after:
                raise error
            answer = await method(*args, **kwargs)
            if error is not None:
                raise error
            return answer

        return run

    def _iterated(self, method: Callable[..., Any], call: str) -> Callable[..., AsyncIterator[Any]]:
        async def run(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            error = self._interruption.due(call)
            if error is not None:
                raise error
            async for one in method(*args, **kwargs):
                yield one

        return run


def interrupted(bundle: Bundle, at: int, how: How) -> tuple[Bundle, Interruption]:
    """A process over the same world whose `at`-th port call goes wrong."""
    interruption = Interruption(at, how)
    ports: dict[str, Any] = {name: _Port(getattr(bundle, name), name, interruption) for name in PORTS}
    return replace(bundle, drains=SingleFlight(), **ports), interruption


def restarted(bundle: Bundle) -> Bundle:
    """Another process over the same world: it shares nothing but the tables, the queue and Azure."""
    return replace(bundle, drains=SingleFlight())
