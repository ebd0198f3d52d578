"""What a key's row remembers of its older versions, until each may be retired; `retirement` decides."""

from dataclasses import dataclass
from datetime import datetime, timedelta

RETIREMENT_GRACE = timedelta(hours=24)
"""Azure looks for newer versions once a day; so what still uses a version in silence has moved by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldVersion:
    """`left_at` is when nothing known used the version any more; None while something does."""

    version: str
    left_at: datetime | None = None
    announced_at: datetime | None = None
