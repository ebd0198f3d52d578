"""The chain of the timeline: its hash covers everything an entry says, in one spelling."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.entries import (
    GENESIS,
    MEANINGS,
    Entry,
    Notification,
    Origin,
    OutboxRow,
    Record,
    TimelineEntry,
    chain,
    entry_hash,
)

AT = datetime(2026, 11, 22, 12, 0, 0, 5, tzinfo=UTC)
ORIGIN = Origin(request_id="request-1", cause="sweep", actor="operator")
ROW = OutboxRow(
    row_key="outbox:1:key:primary",
    entry_id="key:primary/1",
    recorded_at=AT,
    entry=Entry(type=Notification.KEY_VERIFIED, data={"key": "primary", "version": None}, origin=ORIGIN),
)
SEALED = chain(GENESIS, 7, ROW)


def test_an_entry_takes_over_what_its_outbox_row_says() -> None:
    assert (
        TimelineEntry(
            sequence=7,
            entry_id="key:primary/1",
            type="KeyVerified",
            recorded_at=AT,
            origin=ORIGIN,
            data={"key": "primary", "version": None},
            hash=entry_hash(GENESIS, SEALED),
        )
        == SEALED
    )


def test_the_hash_is_that_of_the_canonical_json() -> None:
    """Written out: whoever exports a timeline must be able to compute it with other tools."""
    canonical = (
        f'{{"actor":"operator","cause":"sweep","data":{{"key":"primary","version":null}},"id":"key:primary/1",'
        f'"previous":"{GENESIS}","recordedAt":"2026-11-22T12:00:00.000005+00:00","requestId":"request-1",'
        f'"sequence":7,"type":"KeyVerified"}}'
    )
    assert hashlib.sha256(canonical.encode()).hexdigest() == SEALED.hash


@pytest.mark.parametrize(
    "changed",
    [
        replace(SEALED, sequence=8),
        replace(SEALED, entry_id="key:primary/2"),
        replace(SEALED, type="KeyObserved"),
        replace(SEALED, recorded_at=AT + timedelta(microseconds=1)),
        replace(SEALED, origin=replace(ORIGIN, request_id="request-2")),
        replace(SEALED, origin=replace(ORIGIN, cause="event")),
        replace(SEALED, origin=replace(ORIGIN, actor="somebody")),
        replace(SEALED, data={"key": "primary", "version": ""}),
        replace(SEALED, data={"key": "primary"}),
        replace(SEALED, data={}),
    ],
)
def test_any_changed_field_changes_the_hash(changed: TimelineEntry) -> None:
    assert entry_hash(GENESIS, changed) != SEALED.hash


def test_every_field_of_an_entry_is_covered() -> None:
    assert set(TimelineEntry.__dataclass_fields__) == {
        "sequence", "entry_id", "type", "recorded_at", "origin", "data", "hash",
    }  # fmt: skip
    assert set(Origin.__dataclass_fields__) == {"request_id", "cause", "actor"}


def test_another_past_changes_the_hash() -> None:
    assert entry_hash("1" * 64, SEALED) != SEALED.hash


def test_the_order_of_the_data_and_the_time_zone_do_not_count() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    turned = replace(SEALED, recorded_at=elsewhere, data=dict(reversed(list(SEALED.data.items()))))
    assert entry_hash(GENESIS, turned) == SEALED.hash


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_data_that_went_through_storage_as_json_has_the_same_hash(data: dict[str, Any]) -> None:
    entry = replace(SEALED, data=data)
    assert entry_hash(GENESIS, replace(entry, data=json.loads(json.dumps(data)))) == entry_hash(GENESIS, entry)


def test_only_notifications_are_announced() -> None:
    assert SEALED.notification is Notification.KEY_VERIFIED
    assert replace(SEALED, type=Record.KEY_OBSERVED.value).notification is None


def test_every_type_has_a_meaning_and_no_two_share_a_name() -> None:
    types = [*Notification, *Record]
    assert set(MEANINGS) == set(types)
    assert len({entry_type.value for entry_type in types}) == len(types)
    assert all(meaning.endswith(".") for meaning in MEANINGS.values())
