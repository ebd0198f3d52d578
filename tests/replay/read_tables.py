"""The table service's answers through the adapter that all tables share."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from shared.adapters.tables import Tables, creating
from shared.errors import CrossKeyError, StaleWrite
from shared.settings import Storage
from tests.replay.answering import Answer, AnyCredential, RecordedTransport, Sent
from tests.replay.recordings import Exchange
from tests.replay.verdicts import Said, describe, not_ours, read, wrong_with

_HOST: Final = "https://recorded.table.core.windows.net"
_ENTITY: Final[dict[str, Any]] = {"PartitionKey": "recorded", "RowKey": "recorded"}
_MADE: Final = Answer(201, {"Content-Type": "application/json"}, {"TableName": "state"})
_TABLE: Final = re.compile(r"/(?!Tables$)\w+")
_INNER: Final = re.compile(r"HTTP/1\.1 (\d{3})")
_INNER_CODE: Final = re.compile(r'"code":\s*"(\w+)"')


async def read_tables(exchange: Exchange) -> Said:
    """Read one answer of the table service as the stores would."""
    operation = _operation(exchange)
    if operation is None:
        return not_ours("the app creates tables, and reads and writes entities")
    makes_table = exchange.path == "/Tables"
    pages = 0

    def answer(sent: Sent) -> Answer:
        nonlocal pages
        if sent.url.endswith("/Tables") and not makes_table:
            return _MADE
        pages += 1
        if pages > 1 and exchange.status == 200:
            return Answer(200, {"Content-Type": "application/json"}, {"value": []})
        return Answer(exchange.status, exchange.headers, exchange.body)

    transport = RecordedTransport(answer)
    tables = Tables(Storage(table_service_uri=_HOST), transport, AnyCredential())
    try:
        text = await operation(tables)
    except StaleWrite:
        stale = {404, 409, 412}
        right = exchange.status in stale or int(_inner(exchange)[0]) in stale
        return read("StaleWrite", _asked(transport, makes_table), [] if right else ["no condition failed"])
    except CrossKeyError as error:
        return read(describe(error), _asked(transport, makes_table), _wrong(error, exchange))
    return read(text, _asked(transport, makes_table), [])


def _operation(exchange: Exchange) -> Callable[[Tables], Awaitable[str]] | None:
    """What the stores would have called."""
    method = "PATCH" if exchange.method == "MERGE" else exchange.method
    if method == "PUT" and exchange.sent_headers.get("if-match", "*") == "*":
        method = "UPSERT"
    path = exchange.path
    if method == "GET" and (path.endswith("()") or (_TABLE.fullmatch(path) and not exchange.query)):
        return lambda tables: _query(tables, exchange)
    kind = "entity" if "(PartitionKey=" in path else "table" if _TABLE.fullmatch(path) else path
    return _OPERATIONS.get((method, kind))


async def _create_table(tables: Tables) -> str:
    await tables.client("state")
    return "the table is there"


async def _create(tables: Tables) -> str:
    created = await tables.create("state", _ENTITY)
    return "there is one already" if created is None else f"created, {created}"


async def _read(tables: Tables) -> str:
    return "no entity" if await tables.read("state", "recorded", "recorded") is None else "an entity"


async def _replace(tables: Tables) -> str:
    return f"replaced, {await tables.replace('state', _ENTITY, etag='recorded')}"


async def _upsert(tables: Tables) -> str:
    await tables.upsert("state", _ENTITY)
    return "written"


async def _delete(tables: Tables) -> str:
    await tables.delete("state", "recorded", "recorded")
    return "there is none now"


async def _transact(tables: Tables) -> str:
    return f"{len(await tables.transact('state', [creating(_ENTITY)], 'replaying'))} changes"


_OPERATIONS: Final[dict[tuple[str, str], Callable[[Tables], Awaitable[str]]]] = {
    ("POST", "/Tables"): _create_table,
    ("POST", "/$batch"): _transact,
    ("POST", "table"): _create,
    ("GET", "entity"): _read,
    ("UPSERT", "entity"): _upsert,
    ("PUT", "entity"): _replace,
    ("PATCH", "entity"): _replace,
    ("DELETE", "entity"): _delete,
}


async def _query(tables: Tables, exchange: Exchange) -> str:
    found = [each async for each in tables.query("state", "PartitionKey eq @key", key="recorded")]
    assert len(found) == len(exchange.body["value"])
    more = "x-ms-continuation-nextpartitionkey" in exchange.headers
    return f"{len(found)} entities" + (", and more" if more else "")


def _asked(transport: RecordedTransport, makes_table: bool) -> list[Sent]:
    return [each for each in transport.sent if makes_table or not each.url.endswith("/Tables")]


def _wrong(error: CrossKeyError, exchange: Exchange) -> list[str]:
    status, code = _inner(exchange)
    if not status:
        return wrong_with(error, exchange)
    right = f"{status} {code}" in describe(error)
    return [] if right else [f"its part says {status} {code}"]


def _inner(exchange: Exchange) -> tuple[int, str]:
    """Status and code of the failed part of a transaction, which is answered 202."""
    if exchange.status != 202 or not isinstance(exchange.body, str):
        return 0, ""
    status, code = _INNER.search(exchange.body), _INNER_CODE.search(exchange.body)
    return int(status[1]) if status else 0, code[1] if code else ""
