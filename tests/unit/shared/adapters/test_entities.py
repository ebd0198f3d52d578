"""Rows and entries survive the way to a table entity and back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from azure.data.tables import TableEntity
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.entities import (
    CHUNK,
    SCHEMA,
    gather,
    join,
    outbox_key,
    partition,
    range_prefix,
    read_outbox,
    read_row,
    split,
    write_outbox,
    write_row,
)
from shared.domain.entries import Entry, Notification, Origin, Record
from shared.domain.findings import CheckResult, Finding, Result
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.model import (
    Attention,
    Canary,
    Consent,
    ConsentState,
    Customer,
    DriftPolicy,
    HealthState,
    Key,
    KeyHealth,
    Operation,
    OperationKind,
    Ownership,
    OwnershipState,
    Resource,
    ResourceState,
    StateRow,
    Verification,
    VerificationState,
    VersionPolicy,
)
from shared.domain.reasons import Reason
from shared.domain.resource_details import Creation, EncryptionIdentity, NewAccount, ObservedEncryption, Rotation
from shared.errors import UnexpectedAnswer
from tests.contract.adapters.rows import NOW, customer, entry, key

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5.5))])
times = st.builds(
    lambda age, zone: (NOW + age).astimezone(zone), st.timedeltas(timedelta(), timedelta(days=30_000)), zones
)
maybe_times = st.none() | times
attentions = st.none() | st.builds(Attention, since=times, reason=st.sampled_from(Reason), detail=texts)
identifiers = st.builds(
    KeyIdentifier,
    st.sampled_from(["contoso.vault.azure.net", "a-b-c.vault.azure.net"]),
    names,
    st.none() | st.just("0" * 32),
)
customers = st.builds(
    Customer,
    customer_id=names,
    display_name=texts,
    tenant_id=texts,
    application=texts,
    ownership_nonce=texts,
    created_at=times,
    consent=st.builds(Consent, state=st.sampled_from(ConsentState), since=maybe_times, link_id=st.none() | texts),
    onboarded_at=maybe_times,
    leaving_since=maybe_times,
    attention=attentions,
)
checks = st.builds(
    CheckResult,
    check=texts,
    result=st.sampled_from(Result),
    reason=st.none() | st.sampled_from(Reason),
    detail=texts,
)
keys = st.builds(
    Key,
    customer_id=names,
    name=names,
    identifier=identifiers,
    registered_at=times,
    version_policy=st.sampled_from(VersionPolicy),
    health=st.builds(
        KeyHealth,
        state=st.sampled_from(HealthState),
        since=maybe_times,
        reasons=st.lists(st.sampled_from(Reason)).map(tuple),
        suspected_at=maybe_times,
        suspected_state=st.none() | st.sampled_from(HealthState),
    ),
    verification=st.builds(
        Verification,
        state=st.sampled_from(VerificationState),
        checked_at=maybe_times,
        checks=st.lists(checks, max_size=4).map(tuple),
    ),
    ownership=st.builds(Ownership, state=st.sampled_from(OwnershipState), since=maybe_times),
    canaries=st.lists(st.builds(Canary, version=texts, wrapped=texts, digest=texts), max_size=3).map(tuple),
    expires_at=maybe_times,
    attention=attentions,
)
resources = st.builds(
    Resource,
    customer_id=names,
    name=names,
    resource_id=st.builds(StorageAccountId, st.just("10000000-0000-4000-8000-000000000002"), names, names),
    key=names,
    registered_at=times,
    drift_policy=st.sampled_from(DriftPolicy),
    state=st.sampled_from(ResourceState),
    observed=st.none() | st.builds(ObservedEncryption, key_source=texts, coverage=st.lists(texts).map(tuple)),
    findings=st.lists(st.builds(Finding, reason=st.sampled_from(Reason), detail=texts), max_size=3).map(tuple),
    identity=st.sampled_from(EncryptionIdentity),
    create=st.none()
    | st.builds(
        NewAccount,
        location=texts,
        sku=texts,
        kind=texts,
        coverage=st.lists(texts).map(tuple),
        tags=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    ),
    creation=st.none() | st.builds(Creation, begun_at=times, poll_url=st.none() | texts),
    rotation=st.none() | st.builds(Rotation, version=texts, begun_at=times),
    repairs=st.lists(times, max_size=3).map(tuple),
    queued_until=maybe_times,
    attention=attentions,
)
operations = st.builds(
    Operation,
    customer_id=names,
    operation_id=names,
    kind=st.sampled_from(OperationKind),
    target=texts,
    created_at=times,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def as_read(entity: dict[str, Any], etag: str = "etag-1") -> TableEntity:
    """An entity as the SDK answers it."""
    found = TableEntity(entity)
    found._metadata = {"etag": etag, "timestamp": None}
    return found


@settings(max_examples=150, deadline=None)
@given(st.one_of(customers, keys, resources, operations), st.integers(0, 2**62))
def test_every_row_is_read_as_it_was_written(value: StateRow, revision: int) -> None:
    entity = write_row(value, revision=revision, committed_at=NOW, commit="commit-1")
    stored = read_row(as_read(entity), type(value))
    assert stored.value == value
    assert (stored.revision, stored.etag) == (revision, "etag-1")
    assert entity["RowKey"] == value.row


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([*Notification, *Record]),
    st.dictionaries(texts, json_values, max_size=4),
    st.builds(Origin, request_id=texts, cause=texts, actor=texts),
    times,
)
def test_every_entry_is_read_as_it_was_written(
    kind: Notification | Record, data: dict[str, Any], origin: Origin, now: datetime
) -> None:
    written = Entry(type=kind, data=data, origin=origin)
    entity = write_outbox("key:primary", 17, written, customer_id="contoso", now=now, commit="c")
    row = read_outbox(as_read(entity))
    assert row.entry == written
    assert type(row.entry.type) is type(kind)
    assert row.recorded_at == now
    assert row.entry_id == "key:primary/17"


@pytest.mark.parametrize("text", ["", "x", "x" * CHUNK, "x" * (CHUNK + 1), "ü" * CHUNK, "𝄞" * 50_001, "x" * 200_000])
def test_a_long_text_is_split_into_columns_that_azure_takes(text: str) -> None:
    columns = split("document", text)
    assert all(len(piece.encode("utf-16-le")) <= 64 * 1024 for piece in columns.values())
    assert next(iter(columns)) == "document"
    assert join("document", columns) == text


def test_a_partition_starts_with_its_range() -> None:
    assert partition("contoso") == f"{range_prefix('contoso')}-contoso"
    assert len(range_prefix("contoso")) == 2


def test_outbox_keys_sort_by_the_time_of_commit() -> None:
    revisions = [1, 255, 4096, 1_795_348_800_123_456, 2**63]
    assert sorted(outbox_key("zzz", one) for one in reversed(revisions)) == [
        outbox_key("zzz", one) for one in revisions
    ]


def test_people_can_query_by_the_columns_beside_the_document() -> None:
    entity = write_row(key("contoso"), revision=1, committed_at=NOW, commit="c")
    assert entity["keyIdentifier"] == "https://contoso-keys.vault.azure.net/keys/cmk"
    assert (entity["kind"], entity["schema"], entity["health"]) == ("key", SCHEMA, "unknown")
    assert "queuedUntil" not in entity


def test_an_unknown_schema_is_not_guessed_at() -> None:
    row = write_row(customer("contoso"), revision=1, committed_at=NOW, commit="c")
    outbox = write_outbox("customer", 1, entry(), customer_id="contoso", now=NOW, commit="c")
    with pytest.raises(UnexpectedAnswer):
        read_row(as_read({**row, "schema": SCHEMA + 1}), Customer)
    with pytest.raises(UnexpectedAnswer):
        read_outbox(as_read({**outbox, "schema": SCHEMA + 1}))


def test_a_document_that_does_not_fit_is_unexpected() -> None:
    row = write_row(customer("contoso"), revision=1, committed_at=NOW, commit="c")
    for document in ("{", "{}", "[]", '{"customer_id": 1}'):
        with pytest.raises(UnexpectedAnswer):
            read_row(as_read({**row, "document": document}), Customer)


def test_an_unknown_kind_or_entry_type_is_unexpected() -> None:
    row = write_row(customer("contoso"), revision=1, committed_at=NOW, commit="c")
    with pytest.raises(UnexpectedAnswer):
        gather([as_read({**row, "kind": "surprise"})])
    outbox = write_outbox("customer", 1, entry(), customer_id="contoso", now=NOW, commit="c")
    with pytest.raises(UnexpectedAnswer):
        read_outbox(as_read({**outbox, "type": "Surprise"}))


def test_a_member_of_a_later_version_is_ignored() -> None:
    row = write_row(customer("contoso"), revision=1, committed_at=NOW, commit="c")
    document = row["document"].replace("{", '{"later": 1, ', 1)
    assert read_row(as_read({**row, "document": document}), Customer).value == replace(customer("contoso"))
