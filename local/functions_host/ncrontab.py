"""NCRONTAB, the cron dialect of Azure's timer triggers, read as the NCrontab library reads it.

Six fields, seconds first; with five the seconds are 0. Days of month and of week must both match; weekdays are 0 to 6;
months and weekdays may be named by any prefix (`Mon`, `Monday`). There is no ?, L, W, # or @daily. All times are UTC.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local.functions_host.errors import AppRefused

_MONTHS = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
_DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("second", 0, 59, []),
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _DAYS),
)
_SEARCH_DAYS = 366 * 60  # 29 February on a given weekday recurs within 40 years, across 2100 too


@dataclass(frozen=True)
class Schedule:
    """A parsed expression."""

    text: str
    fields: tuple[frozenset[int], ...]

    def next_after(self, moment: datetime) -> datetime:
        """Find the first occurrence after `moment` (aware); raises AppRefused if there is none."""
        seconds, minutes, hours, days, months, weekdays = self.fields
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        day = start.replace(hour=0, minute=0, second=0)
        for _ in range(_SEARCH_DAYS):
            if day.month in months and day.day in days and day.isoweekday() % 7 in weekdays:
                for hour in sorted(hours):
                    for minute in sorted(minutes):
                        if day.replace(hour=hour, minute=minute, second=59) < start:
                            continue
                        for second in sorted(seconds):
                            candidate = day.replace(hour=hour, minute=minute, second=second)
                            if candidate >= start:
                                return candidate
            day += timedelta(days=1)
        raise AppRefused(f"the schedule {self.text!r} never comes due")


def parse_schedule(text: str) -> Schedule:
    """Parse an expression; raises AppRefused naming the field that is wrong."""
    parts = text.split()
    if len(parts) == 1 and ":" in text:
        raise AppRefused(
            f"the schedule {text!r} is a time span, which Azure takes on dedicated plans only; use NCRONTAB"
        )
    if len(parts) == 5:
        parts.insert(0, "0")
    if len(parts) != 6:
        raise AppRefused(f"the schedule {text!r} has {len(parts)} fields; NCRONTAB has six, seconds first")
    fields = []
    for part, (name, low, high, names) in zip(parts, _FIELDS, strict=True):
        values: set[int] = set()
        for item in part.split(","):
            try:
                values |= _values(item, low, high, names)
            except ValueError as wrong:
                raise AppRefused(f"the schedule {text!r}: {item!r} is no {name} ({wrong})") from wrong
        fields.append(frozenset(values))
    return Schedule(text, tuple(fields))


def _values(item: str, low: int, high: int, names: list[str]) -> set[int]:
    base, slash, step_text = item.partition("/")
    step = int(step_text) if slash else 1
    if step < 1:
        raise ValueError("a step is at least 1")
    if base == "*":
        return set(range(low, high + 1, step))
    first_text, dash, last_text = base.partition("-")
    first = _value(first_text, low, high, names)
    open_end = high if step > 1 else first
    last = _value(last_text, low, high, names) if dash else open_end
    # NCrontab turns a reversed range round instead of wrapping it.
    return set(range(min(first, last), max(first, last) + 1, step))


def _value(text: str, low: int, high: int, names: list[str]) -> int:
    if text.isascii() and text.isdigit():
        value = int(text)
    else:
        matches = [index for index, name in enumerate(names) if text and name.startswith(text.lower())]
        if not matches:
            raise ValueError("neither a number nor a name")
        value = low + matches[0]
    if not low <= value <= high:
        raise ValueError(f"must be from {low} to {high}")
    return value
