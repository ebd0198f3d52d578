"""Work items: a successor is the same look one attempt later, and waiting has bounds."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.entries import Origin
from shared.domain.work import MAX_ATTEMPTS, MAX_DELAY, WorkItem, WorkKind, backoff

ITEM = WorkItem(
    id="1",
    kind=WorkKind.CHECK_KEY,
    customer_id="contoso",
    name="primary",
    origin=Origin(request_id="request-1", cause="sweep"),
)


def test_a_successor_differs_in_its_attempt_alone() -> None:
    successor = ITEM.successor()
    assert successor.attempt == 1
    assert (successor.id, successor.kind, successor.customer_id, successor.name, successor.origin) == (
        ITEM.id,
        ITEM.kind,
        ITEM.customer_id,
        ITEM.name,
        ITEM.origin,
    )
    assert ITEM.attempt == 0


@pytest.mark.parametrize(("attempt", "seconds"), [(0, 5), (1, 10), (2, 20), (9, 2560), (10, 3600), (10_000, 3600)])
def test_waiting_doubles_from_five_seconds_to_an_hour(attempt: int, seconds: int) -> None:
    assert backoff(attempt) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("asked_for", "waits"),
    [
        (timedelta(), timedelta(seconds=1)),
        (timedelta(seconds=-5), timedelta(seconds=1)),
        (timedelta(seconds=17), timedelta(seconds=17)),
        (timedelta(days=1), MAX_DELAY),
    ],
)
def test_what_azure_asked_for_counts_within_bounds(asked_for: timedelta, waits: timedelta) -> None:
    assert backoff(3, asked_for) == waits


@given(st.integers(min_value=0, max_value=1000), st.none() | st.timedeltas())
def test_waiting_is_never_shorter_than_a_second_nor_longer_than_an_hour(
    attempt: int, asked_for: timedelta | None
) -> None:
    assert timedelta(seconds=1) <= backoff(attempt, asked_for) <= timedelta(hours=1)


def test_the_attempts_last_long_enough_to_outlive_a_short_outage() -> None:
    assert sum((backoff(attempt) for attempt in range(MAX_ATTEMPTS - 1)), timedelta()) > timedelta(hours=1)
