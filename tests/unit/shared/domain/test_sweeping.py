"""Sweep ranges cover the fleet exactly once, and every key has its own slot for a probe."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.sweeping import (
    CUSTOMERS_PER_RANGE,
    MAX_RANGES,
    PROBE_INTERVAL,
    SWEEP_INTERVAL,
    SweepRange,
    partition_prefix,
    probe_is_due,
    ranges_for,
)

PREFIXES = [f"{number:02x}" for number in range(256)]
COUNTS = [2**power for power in range(9)]


@pytest.mark.parametrize("count", COUNTS)
def test_the_ranges_of_every_count_cover_all_prefixes_exactly_once(count: int) -> None:
    ranges = [SweepRange(index, count) for index in range(count)]
    covered = [prefix for part in ranges for prefix in PREFIXES if part.first <= prefix <= part.last]
    assert covered == PREFIXES


@pytest.mark.parametrize(
    ("customers", "count"),
    [(0, 1), (1, 1), (250, 1), (251, 2), (500, 2), (501, 4), (10_000, 64), (64_000, 256), (10_000_000, 256)],
)
def test_the_number_of_ranges_follows_the_number_of_customers(customers: int, count: int) -> None:
    ranges = ranges_for(customers)
    assert [part.index for part in ranges] == list(range(count))
    assert {part.count for part in ranges} == {count}


@given(st.integers(min_value=0, max_value=CUSTOMERS_PER_RANGE * MAX_RANGES * 2))
def test_a_range_holds_no_more_than_its_customers_until_there_are_most_ranges(customers: int) -> None:
    count = len(ranges_for(customers))
    assert count in COUNTS
    assert count == MAX_RANGES or customers <= count * CUSTOMERS_PER_RANGE


@given(st.text(), st.sampled_from(COUNTS))
def test_every_customer_lies_in_exactly_one_range(customer_id: str, count: int) -> None:
    holders = [index for index in range(count) if SweepRange(index, count).holds(customer_id)]
    assert holders == [int(partition_prefix(customer_id), 16) * count // 256]


@given(st.sampled_from(COUNTS).flatmap(lambda count: st.tuples(st.integers(0, count - 1), st.just(count))))
def test_a_range_survives_being_written_and_read(place: tuple[int, int]) -> None:
    assert SweepRange.parse(str(SweepRange(*place))) == SweepRange(*place)


@pytest.mark.parametrize("text", ["", "of", "1of", "of1", "oneoftwo", "1"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        SweepRange.parse(text)


start_times = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001 - Hypothesis wants naive bounds
    datetime(2030, 1, 1),  # noqa: DTZ001 - see above
    timezones=st.just(UTC),
)
names = st.from_regex(r"[a-z0-9]{3,10}", fullmatch=True)
gaps = st.timedeltas(timedelta(seconds=1), timedelta(hours=3))


@given(names, start_times)
def test_a_key_is_probed_in_one_of_the_sweeps_of_any_hour(customer_id: str, start: datetime) -> None:
    times = [start + SWEEP_INTERVAL * number for number in range(PROBE_INTERVAL // SWEEP_INTERVAL + 1)]
    due = [probe_is_due(customer_id, "primary", since=since, now=now) for since, now in pairwise(times)]
    assert sum(due) == 1


@given(names, start_times, st.lists(gaps, min_size=1, max_size=40))
def test_no_slot_is_missed_or_probed_twice_however_irregular_the_sweeps_are(
    customer_id: str, start: datetime, waits: list[timedelta]
) -> None:
    times = [start + sum(waits[:number], timedelta()) for number in range(len(waits) + 1)]
    due = sum(probe_is_due(customer_id, "primary", since=since, now=now) for since, now in pairwise(times))
    hours = (times[-1] - start) / PROBE_INTERVAL
    assert due <= hours + 1
    for since, now in pairwise(times):
        if now - since >= PROBE_INTERVAL:
            assert probe_is_due(customer_id, "primary", since=since, now=now)


@given(names, start_times)
def test_a_first_sweep_probes_only_the_keys_whose_slot_it_is(customer_id: str, start: datetime) -> None:
    times = [start + SWEEP_INTERVAL * number for number in range(PROBE_INTERVAL // SWEEP_INTERVAL)]
    assert sum(probe_is_due(customer_id, "primary", since=None, now=now) for now in times) == 1


def test_the_probes_of_a_fleet_are_spread_over_the_hour() -> None:
    start = datetime(2026, 11, 22, tzinfo=UTC)
    due = Counter(
        slot
        for slot in range(12)
        for number in range(1200)
        if probe_is_due(f"customer-{number}", "primary", since=None, now=start + SWEEP_INTERVAL * slot)
    )
    assert due.total() == 1200
    assert max(due.values()) < 2 * min(due.values())
