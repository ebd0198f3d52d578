"""NCRONTAB: what it means by examples, what it refuses, and agreement with croniter on random expressions."""

from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st

from local.functions_host.errors import AppRefused
from local.functions_host.ncrontab import parse_schedule

START = datetime(2026, 11, 22, 10, 7, 30, 500, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 */5 * * * *", "2026-11-22T10:10:00"),
        ("*/5 * * * *", "2026-11-22T10:10:00"),
        ("* * * * * *", "2026-11-22T10:07:31"),
        ("30 7 10 * * *", "2026-11-23T10:07:30"),
        ("0 0 9 * * Mon-Fri", "2026-11-23T09:00:00"),
        ("0 0 9 * * monday", "2026-11-23T09:00:00"),
        ("0 0 0 1 Jan *", "2027-01-01T00:00:00"),
        ("0 0 0 13 * 5", "2027-08-13T00:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
        ("0 0 0 31 * *", "2026-12-31T00:00:00"),
        ("0 10/20 * * * *", "2026-11-22T10:10:00"),
        ("0 0 22-20 * * *", "2026-11-22T20:00:00"),
        ("0 5,20,6 10 * * *", "2026-11-22T10:20:00"),
    ],
)
def test_the_next_occurrence(text: str, expected: str) -> None:
    assert parse_schedule(text).next_after(START) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_an_occurrence_is_strictly_after_the_moment() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert parse_schedule("0 0 12 * * *").next_after(noon) == noon + timedelta(days=1)


def test_weekday_and_day_of_month_on_29_february_is_found_decades_ahead() -> None:
    assert parse_schedule("0 0 0 29 2 Mon").next_after(START) == datetime(2044, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "0 0 24 * * *",
        "0 0 0 0 * *",
        "0 0 0 * 13 *",
        "0 0 0 * * 7",
        "0 0 0 ? * *",
        "0 0 0 L * *",
        "0 0 0 * * 1#2",
        "@daily",
        "0 */0 * * * *",
        "0 , * * * *",
        "0 1- * * * *",
        "0 -1 * * * *",
        "0 x * * * *",
        "00:05:00",
    ],
)
def test_what_azure_refuses_is_refused(text: str) -> None:
    with pytest.raises(AppRefused, match="the schedule"):
        parse_schedule(text)


def test_a_schedule_that_never_comes_due_is_refused() -> None:
    with pytest.raises(AppRefused, match="never comes due"):
        parse_schedule("0 0 0 30 2 *").next_after(START)


def _field(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    # croniter reads a range of one value as `*` and a step of one after a value otherwise than NCrontab: left out.
    ranges = st.tuples(numbers, numbers).map(sorted).filter(lambda pair: pair[0] != pair[1])
    steps = st.integers(2, 9)
    item = st.one_of(
        numbers.map(str),
        ranges.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(ranges, steps).map(lambda both: f"{both[0][0]}-{both[0][1]}/{both[1]}"),
    )
    return st.one_of(
        st.just("*"), steps.map(lambda step: f"*/{step}"), st.lists(item, min_size=1, max_size=3).map(",".join)
    )


EXPRESSIONS = st.tuples(_field(0, 59), _field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), _field(0, 6))


@settings(max_examples=300, deadline=None)
@given(fields=EXPRESSIONS, start=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))  # noqa: DTZ001  given UTC below
def test_croniter_agrees(fields: tuple[str, ...], start: datetime) -> None:
    text = " ".join(fields)
    moment = start.replace(tzinfo=UTC)
    oracle = croniter(text, moment, second_at_beginning=True, day_or=False, max_years_between_matches=40)
    schedule = parse_schedule(text)
    for _ in range(3):
        moment = schedule.next_after(moment)
        assert moment == oracle.get_next(datetime)
