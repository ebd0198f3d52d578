"""Durations of rotation policies."""

from datetime import UTC, datetime

import pytest

from local.key_vault.durations import add_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"), [("P30D", (0, 30)), ("P1Y", (12, 0)), ("P2M", (2, 0)), ("P1Y2M10D", (14, 10))]
)
def test_years_months_and_days_are_read(text: str, expected: tuple[int, int]) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "P", "30D", "PT5M", "P1W", "P-1D", "P1D2Y"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("start", "text", "sign", "end"),
    [
        ((2026, 1, 31), "P1M", 1, (2026, 2, 28)),
        ((2026, 3, 31), "P1M", -1, (2026, 2, 28)),
        ((2024, 2, 29), "P1Y", 1, (2025, 2, 28)),
        ((2026, 11, 30), "P2M", 1, (2027, 1, 30)),
        ((2026, 1, 10), "P30D", -1, (2025, 12, 11)),
    ],
)
def test_months_end_where_the_month_ends(
    start: tuple[int, int, int], text: str, sign: int, end: tuple[int, int, int]
) -> None:
    moved = add_duration(int(datetime(*start, tzinfo=UTC).timestamp()), text, sign)
    assert datetime.fromtimestamp(moved, UTC) == datetime(*end, tzinfo=UTC)
