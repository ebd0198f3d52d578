"""Rows of the `state` table and back: one JSON document a row, with columns beside it for people who query.

`document` is what counts; the promoted columns are written and never read. A customer's rows share the partition
`{first byte of SHA-256 of the customer id, two digits}-{customer id}`, so that a sweep can take one range of customers.
Outbox rows carry the revision in their key, so that they sort by the time of their commit.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from azure.data.tables import EdmType, EntityProperty

from shared.domain.entries import Entry, EntryType, Notification, Origin, OutboxRow, Record
from shared.domain.model import Customer, Key, Operation, Resource, StateRow
from shared.domain.sweeping import partition_prefix
from shared.errors import UnexpectedAnswer
from shared.stores import CustomerRows, Stored

type Entity = dict[str, Any]

UNREADABLE: Final = (UnexpectedAnswer, msgspec.MsgspecError, KeyError, TypeError, ValueError)
"""What reading a row raises that was written by another version, or by hand."""

SCHEMA: Final = 1
CHUNK: Final = 32_000
"""Characters in one column: Azure's limit is 64 KiB of UTF-16."""

OUTBOX: Final = "outbox:"
KINDS: Final[dict[str, type[StateRow]]] = {
    "customer": Customer,
    "key": Key,
    "resource": Resource,
    "operation": Operation,
}

range_prefix: Final = partition_prefix
"""The two hexadecimal digits that say which sweep range a customer is in."""


def partition(customer_id: str) -> str:
    """A customer's partition key in the `state` table."""
    return f"{range_prefix(customer_id)}-{customer_id}"


def customer_of(partition_key: str) -> str:
    """The customer whose partition it is."""
    return partition_key[3:]


def outbox_key(row: str, revision: int) -> str:
    """The outbox row key of a commit; sixteen digits keep the order of microseconds beyond the year 9999."""
    return f"{OUTBOX}{revision:016x}:{row}"


def write_row(value: StateRow, *, revision: int, committed_at: datetime, commit: str) -> Entity:
    """Make a row's entity. `commit` is a fresh id by which a repeated request recognises its own work."""
    entity: Entity = {
        "PartitionKey": partition(value.customer_id),
        "RowKey": value.row,
        "kind": value.row.partition(":")[0],
        "schema": SCHEMA,
        "revision": EntityProperty(revision, EdmType.INT64),
        "committedAt": committed_at.astimezone(UTC),
        "commit": commit,
    }
    entity.update({name: column for name, column in _promoted(value).items() if column is not None})
    entity.update(split("document", msgspec.json.encode(value).decode()))
    return entity


def read_row[T: StateRow](entity: Mapping[str, Any], expected: type[T]) -> Stored[T]:
    """Read a row's entity. Raises `UnexpectedAnswer` for a schema or document that this version does not know."""
    _check_schema(entity)
    try:
        value = msgspec.json.decode(join("document", entity), type=expected)
    except msgspec.MsgspecError as error:
        raise UnexpectedAnswer(f"reading row {entity['RowKey']}: its document does not fit ({error})") from error
    return Stored(value, number(entity["revision"]), etag(entity))


def write_outbox(row: str, revision: int, entry: Entry, *, customer_id: str, now: datetime, commit: str) -> Entity:
    """Make a commit's outbox row."""
    return {
        "PartitionKey": partition(customer_id),
        "RowKey": outbox_key(row, revision),
        "kind": "outbox",
        "schema": SCHEMA,
        "entryId": f"{row}/{revision}",
        "type": str(entry.type),
        "recordedAt": write_time(now),
        "commit": commit,
        **write_origin(entry.origin),
        **split("data", msgspec.json.encode(entry.data).decode()),
    }


def read_outbox(entity: Mapping[str, Any]) -> OutboxRow:
    """Read an outbox row."""
    _check_schema(entity)
    return OutboxRow(
        row_key=entity["RowKey"],
        entry_id=entity["entryId"],
        recorded_at=read_time(entity["recordedAt"]),
        entry=Entry(
            type=_entry_type(entity["type"]),
            data=msgspec.json.decode(join("data", entity)),
            origin=read_origin(entity),
        ),
    )


def gather(entities: Iterable[Mapping[str, Any]]) -> CustomerRows:
    """Put a customer's entities together; they come in the order of their row keys."""
    customer: Stored[Customer] | None = None
    keys: list[Stored[Key]] = []
    resources: list[Stored[Resource]] = []
    operations: list[Stored[Operation]] = []
    outbox: list[OutboxRow] = []
    for entity in entities:
        match entity.get("kind"):
            case "customer":
                customer = read_row(entity, Customer)
            case "key":
                keys.append(read_row(entity, Key))
            case "resource":
                resources.append(read_row(entity, Resource))
            case "operation":
                operations.append(read_row(entity, Operation))
            case "outbox":
                outbox.append(read_outbox(entity))
            case kind:
                raise UnexpectedAnswer(f"reading row {entity['RowKey']}: its kind {kind!r} is unknown")
    return CustomerRows(
        customer=customer,
        keys=tuple(keys),
        resources=tuple(resources),
        operations=tuple(operations),
        outbox=tuple(outbox),
    )


def write_origin(origin: Origin) -> Entity:
    """An origin's columns."""
    return {"requestId": origin.request_id, "cause": origin.cause, "actor": origin.actor}


def read_origin(entity: Mapping[str, Any]) -> Origin:
    """An origin from its columns."""
    return Origin(request_id=entity["requestId"], cause=entity["cause"], actor=entity["actor"])


def write_time(at: datetime) -> str:
    """A time that counts, as text: Azure's own type would come back with another precision."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def read_time(text: str) -> datetime:
    """A time from its column."""
    return datetime.fromisoformat(text)


def split(column: str, text: str) -> Entity:
    """Spread a text over `column`, `column2`, ... so that each fits Azure's limit."""
    # Beyond ASCII one character can take two UTF-16 units, which are what Azure counts.
    size = CHUNK if text.isascii() else CHUNK // 2
    pieces = [text[start : start + size] for start in range(0, len(text), size)] or [""]
    return {column if index == 1 else f"{column}{index}": piece for index, piece in enumerate(pieces, 1)}


def join(column: str, entity: Mapping[str, Any]) -> str:
    """Put the pieces of `split` together."""
    pieces = [entity[column]]
    while (piece := entity.get(f"{column}{len(pieces) + 1}")) is not None:
        pieces.append(piece)
    return "".join(pieces)


def number(value: Any) -> int:
    """A 64-bit number, which the SDK wraps."""
    return int(value.value if isinstance(value, EntityProperty) else value)


def etag(entity: Mapping[str, Any]) -> str:
    """The ETag under which an entity was read."""
    return str(getattr(entity, "metadata", {}).get("etag") or "")


def _check_schema(entity: Mapping[str, Any]) -> None:
    if entity.get("schema") != SCHEMA:
        raise UnexpectedAnswer(
            f"reading row {entity['RowKey']}: schema {entity.get('schema')!r} is of another version of CrossKey"
        )


def _entry_type(text: str) -> EntryType:
    try:
        return Notification(text) if text in set(Notification) else Record(text)
    except ValueError as error:
        raise UnexpectedAnswer(f"reading an outbox row: its type {text!r} is unknown") from error


def _promoted(value: StateRow) -> Entity:
    match value:
        case Customer():
            return {"tenantId": value.tenant_id, "displayName": value.display_name, "consent": str(value.consent.state)}
        case Key():
            return {
                "keyIdentifier": str(value.identifier),
                "health": str(value.health.state),
                "verification": str(value.verification.state),
            }
        case Resource():
            return {
                "resourceId": str(value.resource_id),
                "key": value.key,
                "state": str(value.state),
                "queuedUntil": None if value.queued_until is None else value.queued_until.astimezone(UTC),
            }
        case Operation():
            return {"operation": str(value.kind), "target": value.target}
