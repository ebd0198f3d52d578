"""What CrossKey left in storage, read and written past the app: its tables' rows, and its queue."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueClient

type Rows = dict[tuple[str, str, str], str]
"""ETag by table, partition and row."""

TABLES = ("state", "claims", "timeline", "fleet")


class Storage:
    """The app's storage account."""

    def __init__(self, connection_string: str) -> None:
        self._connection_string = connection_string
        self._tables = TableServiceClient.from_connection_string(connection_string)

    def close(self) -> None:
        self._tables.close()

    def rows(self, table: str) -> list[Mapping[str, Any]]:
        """Every row of a table, with its metadata; none while there is no table."""
        with self._tables.get_table_client(table) as client:
            try:
                return list(client.list_entities())
            except ResourceNotFoundError:
                return []

    def etags(self, *tables: str) -> Rows:
        """A picture of tables, all of them by default: any write makes it another one."""
        found: Rows = {}
        for table in tables or TABLES:
            for row in self.rows(table):
                metadata: Any = row.metadata  # type: ignore[attr-defined]  # rows are TableEntity, a kind of dict
                picture = f"{metadata['etag']} {metadata['timestamp']}"
                found[table, row["PartitionKey"], row["RowKey"]] = picture
        return found

    def customer_rows(self, customer_id: str) -> dict[str, dict[str, Any]]:
        """The documents of a customer's rows of the `state` table, by row key; outbox rows left out."""
        return {
            row["RowKey"]: json.loads(row["document"])
            for row in self.rows("state")
            if row["PartitionKey"][3:] == customer_id and not row["RowKey"].startswith("outbox:")
        }

    def outbox(self, customer_id: str) -> list[str]:
        """Keys of what is not in the customer's timeline yet."""
        return [
            row["RowKey"]
            for row in self.rows("state")
            if row["PartitionKey"][3:] == customer_id and row["RowKey"].startswith("outbox:")
        ]

    def lost_work(self) -> list[str]:
        """The texts of messages that named no object."""
        return [str(row["text"]) for row in self.rows("fleet") if row["PartitionKey"] == "lostWork"]

    def send(self, text: str) -> None:
        """Put a message on the queue, as whoever can write to it could."""
        with self._queue("work-items") as queue:
            queue.send_message(base64.b64encode(text.encode()).decode())

    def visible_messages(self) -> int:
        """How many messages could be taken now; leased and delayed ones are not counted."""
        count = 0
        for name in ("work-items", "work-items-poison"):
            with self._queue(name) as queue:
                try:
                    count += len(queue.peek_messages(max_messages=32))
                except ResourceNotFoundError:
                    continue
        return count

    @contextmanager
    def _queue(self, name: str) -> Iterator[QueueClient]:
        with QueueClient.from_connection_string(self._connection_string, name) as queue:
            yield queue
