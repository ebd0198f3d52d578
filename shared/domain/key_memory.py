"""What is remembered of a key so that nothing is said twice and nobody is left waiting: part of the key's row.

Reminders of a loss, the call for a person when a key cannot be looked at, and how the last new version came to be
known. Kept apart from health and verification, which say how the key is.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

REMINDER_INTERVAL = timedelta(hours=24)
UNSEEN_LIMIT = timedelta(hours=1)


class LearntBy(StrEnum):
    """How CrossKey came to look: an event of the vault, or its own sweep. Looks that people ask for tell nothing."""

    EVENT = "event"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMemory:
    """`announced_at`: the loss that lasts was last spoken of. `unseen_since`: the key could not be looked at since.

    `called_at` is when a person was called about that. `learnt_by` tells how the last new version was learnt.
    """

    announced_at: datetime | None = None
    unseen_since: datetime | None = None
    called_at: datetime | None = None
    learnt_by: LearntBy | None = None


def is_reminder_due(memory: KeyMemory, *, lost_since: datetime | None, now: datetime) -> bool:
    """Whether a loss that was announced before should be spoken of again."""
    last = memory.announced_at or lost_since
    return last is not None and now - last >= REMINDER_INTERVAL


def is_call_due(memory: KeyMemory, now: datetime) -> bool:
    """Whether the key was out of sight for so long that a person should look, and none was called yet."""
    since = memory.unseen_since
    return since is not None and memory.called_at is None and now - since >= UNSEEN_LIMIT
