"""Spares wake-ups of the timeline's drainer: many commits of one customer need one drain, not one each.

A commit needs no wake-up of its own when one that was queued earlier becomes visible later: its drain will see the
commit. The first of a burst is sent at once, the next ones a second apart. Memory of one process, and only a saving.
"""

from datetime import datetime, timedelta

SPACING = timedelta(seconds=1)
MOST_REMEMBERED = 10_000


class WakeUps:
    """When each customer's drainer is next woken, as far as this process has seen to it."""

    def __init__(self) -> None:
        self._visible_at: dict[str, datetime] = {}

    def delay(self, customer_id: str, now: datetime) -> timedelta | None:
        """The delay to queue a wake-up with; None when one is on its way that will see what was committed by now."""
        last = self._visible_at.get(customer_id)
        if last is not None and now < last:
            return None
        if len(self._visible_at) >= MOST_REMEMBERED:
            self._visible_at.clear()
        delay = timedelta() if last is None or now - last >= SPACING else SPACING
        self._visible_at[customer_id] = now + delay
        return delay

    def forget(self, customer_id: str) -> None:
        """A wake-up could not be queued after all."""
        self._visible_at.pop(customer_id, None)
