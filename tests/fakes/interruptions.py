"""What all fakes share: every call gives way to other tasks once, is counted, and can be made to go wrong.

`before` is a call that had no effect; `after` one that took effect and whose answer was lost.
"""

import asyncio
from collections import Counter, defaultdict, deque


class Interruptible:
    """Base of the fakes of ports."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._before: defaultdict[str, deque[Exception]] = defaultdict(deque)
        self._after: defaultdict[str, deque[Exception]] = defaultdict(deque)

    def break_before(self, operation: str, *errors: Exception) -> None:
        """Let the next calls of an operation raise without having done anything."""
        self._before[operation].extend(errors)

    def break_after(self, operation: str, *errors: Exception) -> None:
        """Let the next calls of an operation raise although they took effect."""
        self._after[operation].extend(errors)

    async def _begin(self, operation: str) -> None:
        self.calls[operation] += 1
        await asyncio.sleep(0)
        if self._before[operation]:
            raise self._before[operation].popleft()

    def _end(self, operation: str) -> None:
        if self._after[operation]:
            raise self._after[operation].popleft()
