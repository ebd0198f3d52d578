"""ISO 8601 durations of whole years, months and days, as rotation policies use them."""

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Final

_PATTERN: Final = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?")


def parse_duration(text: str) -> tuple[int, int]:
    """Parse into months and days; raises ValueError."""
    found = _PATTERN.fullmatch(text)
    if found is None or text == "P":
        raise ValueError(f"'{text}' is not a duration of years, months and days")
    years, months, days = (int(each or 0) for each in found.groups())
    return years * 12 + months, days


def add_duration(seconds: int, text: str, sign: int = 1) -> int:
    """Add a duration to a time in Unix seconds, or take it away with `sign` -1."""
    months, days = parse_duration(text)
    start = datetime.fromtimestamp(seconds, UTC)
    index = start.year * 12 + start.month - 1 + sign * months
    year, month = divmod(index, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    moved = start.replace(year=year, month=month + 1, day=day) + sign * timedelta(days=days)
    return int(moved.timestamp())
