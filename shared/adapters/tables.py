"""The four tables: built and created on first use, with transactions guarded and errors translated.

Azure answers a transaction with an odd or broken reply when it holds too much, so the limits are checked here
first (https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.adapters.azure_errors import translate
from shared.adapters.entities import Entity
from shared.adapters.transport import LONGEST_WAIT_SECONDS, SharedTransport
from shared.errors import Refused, StaleWrite, Unavailable
from shared.settings import Storage

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

type TableName = Literal["state", "claims", "timeline", "fleet"]
type Change = tuple[str, Entity, dict[str, Any]]

MAXIMUM_CHANGES: Final = 100
MAXIMUM_BYTES: Final = 4 * 1024 * 1024
OVERHEAD_BYTES: Final = 1024
"""Headers and MIME boundaries around each change of a transaction."""

STALE: Final = frozenset({404, 409, 412})


class Tables:
    """The table service of the app's storage account."""

    def __init__(
        self, storage: Storage, transport: SharedTransport, credential: "AsyncTokenCredential | None" = None
    ) -> None:
        self._storage = storage
        self._transport = transport
        self._credential = credential
        self._service: TableServiceClient | None = None
        self._clients: dict[str, TableClient] = {}
        self._creating = asyncio.Lock()

    async def client(self, name: TableName) -> TableClient:
        """A table's client; the table exists when this returns."""
        found = self._clients.get(name)
        if found is None:
            async with self._creating:
                found = self._clients.get(name) or await self._create(name)
                self._clients[name] = found
        return found

    async def _create(self, name: TableName) -> TableClient:
        service = self._service = self._service or self._build()
        return await call(service.create_table_if_not_exists(name), f"creating table {name}")

    def _build(self) -> TableServiceClient:
        arguments: dict[str, Any] = {
            "transport": self._transport,
            "permit_redirects": False,
            "retry_total": 3,
            "retry_backoff_factor": 0.3,
            "retry_backoff_max": LONGEST_WAIT_SECONDS,
        }
        if self._storage.connection_string is not None:
            return TableServiceClient.from_connection_string(self._storage.connection_string, **arguments)
        assert self._storage.table_service_uri is not None
        assert self._credential is not None
        return TableServiceClient(self._storage.table_service_uri, credential=self._credential, **arguments)

    async def read(self, name: TableName, partition: str, row: str) -> Mapping[str, Any] | None:
        """Read one entity; None when there is none."""
        client = await self.client(name)
        try:
            return await client.get_entity(partition, row)
        except ResourceNotFoundError as error:
            if _is_missing_table(error):
                # Somebody deleted it: not the same as a row that is not there. The next call makes it anew.
                self._clients.pop(name, None)
                raise Unavailable(f"reading {name} {partition} {row}: the table is gone") from error
            return None
        except (AzureError, ValueError) as error:
            raise translate(error, f"reading {name} {partition} {row}") from error

    async def query(
        self, name: TableName, query: str, *, page: int | None = None, **parameters: str
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Read entities in the order of their keys. `query` is an OData filter with @parameters."""
        client = await self.client(name)
        try:
            async for entity in client.query_entities(query, results_per_page=page, parameters=parameters):
                yield entity
        except (AzureError, ValueError) as error:
            raise translate(error, f"querying {name}") from error

    async def create(self, name: TableName, entity: Entity) -> str | None:
        """Create an entity and answer its ETag; None when one with its keys exists."""
        client = await self.client(name)
        doing = f"creating {name} {entity['PartitionKey']} {entity['RowKey']}"
        try:
            return str((await client.create_entity(entity))["etag"])
        except HttpResponseError as error:
            if error.status_code == 409:
                return None
            raise translate(error, doing) from error
        except (AzureError, ValueError) as error:
            raise translate(error, doing) from error

    async def replace(self, name: TableName, entity: Entity, *, etag: str) -> str:
        """Replace an entity under its ETag and answer the new one. Raises `StaleWrite`."""
        client = await self.client(name)
        answer = await call(
            client.update_entity(entity, mode="replace", etag=etag, match_condition=MatchConditions.IfNotModified),
            f"replacing {name} {entity['PartitionKey']} {entity['RowKey']}",
            stale=True,
        )
        return str(answer["etag"])

    async def upsert(self, name: TableName, entity: Entity) -> None:
        """Write an entity whatever stands there."""
        client = await self.client(name)
        doing = f"writing {name} {entity['PartitionKey']} {entity['RowKey']}"
        await call(client.upsert_entity(entity, mode="replace"), doing)

    async def delete(self, name: TableName, partition: str, row: str, *, etag: str | None = None) -> None:
        """Delete an entity, under its ETag if one is given; none is no error. Raises `StaleWrite`."""
        client = await self.client(name)
        condition = None if etag is None else MatchConditions.IfNotModified
        request = client.delete_entity(partition, row, etag=etag, match_condition=condition)
        await call(request, f"deleting {name} {partition} {row}", stale=True)

    async def transact(self, name: TableName, changes: Sequence[Change], doing: str) -> list[str]:
        """Make every change or none; answers the ETags. Raises `StaleWrite` when a condition failed."""
        if not 0 < len(changes) <= MAXIMUM_CHANGES:
            raise ValueError(f"{doing}: a transaction holds 1 to {MAXIMUM_CHANGES} changes, not {len(changes)}")
        if sum(_size(entity) for _, entity, _ in changes) >= MAXIMUM_BYTES:
            raise Refused(f"{doing}: more than 4 MiB", http_status=413, azure_code="RequestBodyTooLarge")
        client = await self.client(name)
        answers = await call(client.submit_transaction(changes), doing, stale=True)
        return [str(answer.get("etag", "")) for answer in answers]


async def call[T](request: Awaitable[T], doing: str, *, stale: bool = False) -> T:
    """Await one request and translate its error; with `stale`, a failed condition is a lost race."""
    try:
        return await request
    except HttpResponseError as error:
        if stale and error.status_code in STALE and not _is_missing_table(error):
            raise StaleWrite(f"{doing}: another writer was first") from error
        raise translate(error, doing) from error
    except (AzureError, ValueError) as error:
        raise translate(error, doing) from error


def _is_missing_table(error: HttpResponseError) -> bool:
    return "TableNotFound" in str(getattr(error, "error_code", ""))


def _size(entity: Entity) -> int:
    return OVERHEAD_BYTES + sum(len(name) + len(str(value).encode()) for name, value in entity.items())


def creating(entity: Entity) -> Change:
    """A change that fails when the row exists."""
    return ("create", entity, {})


def replacing(entity: Entity, etag: str) -> Change:
    """A change that fails when the row is not as it was read."""
    return ("update", entity, {"mode": "replace", "etag": etag, "match_condition": MatchConditions.IfNotModified})


def deleting(partition: str, row: str, etag: str | None = None) -> Change:
    """A change that fails when the row is gone or, with an ETag, not as it was read."""
    guard = {} if etag is None else {"etag": etag, "match_condition": MatchConditions.IfNotModified}
    return ("delete", {"PartitionKey": partition, "RowKey": row}, guard)
