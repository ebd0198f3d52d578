"""Work items: what the queue carries. An id of something that deserves a look, never what to do to Azure.

Work that must wait succeeds after enqueuing its own successor with a delay; `attempt` counts those, and
`MAX_ATTEMPTS` ends them. A raise is for the unexpected and goes the host's way to the poison queue.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from shared.domain.entries import Origin

MAX_ATTEMPTS = 12
MAX_DELAY = timedelta(hours=1)
SWEPT = "swept"
"""The name of a drain that the sweep began: it has no successor, since the sweep comes again."""


class WorkKind(StrEnum):
    """What a work item asks to look at."""

    CHECK_CUSTOMER = "checkCustomer"
    CHECK_KEY = "checkKey"
    RECONCILE_RESOURCE = "reconcileResource"
    DRAIN_TIMELINE = "drainTimeline"
    SWEEP_RANGE = "sweepRange"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """One look at one object. `name` is the key's or resource's name, the sweep range, or `SWEPT`; empty otherwise."""

    id: str
    kind: WorkKind
    customer_id: str
    origin: Origin
    name: str = ""
    attempt: int = 0

    def successor(self) -> "WorkItem":
        """The same look, one attempt later."""
        return replace(self, attempt=self.attempt + 1)


def backoff(attempt: int, asked_for: timedelta | None = None) -> timedelta:
    """How long to wait before the next attempt: what Azure asked for, else 5 s doubling, at most an hour."""
    if asked_for is not None:
        return min(max(asked_for, timedelta(seconds=1)), MAX_DELAY)
    return min(timedelta(seconds=5 * 2 ** min(attempt, 12)), MAX_DELAY)
