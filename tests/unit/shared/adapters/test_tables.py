"""What the tables adapter guards by itself, before and after Azure."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.data.tables.aio import TableClient, TableServiceClient

from shared.adapters.tables import Tables, creating, deleting
from shared.adapters.transport import SharedTransport
from shared.errors import Refused, StaleWrite, Unavailable
from shared.settings import Settings
from tests.unit.shared.adapters.test_azure_errors import Answer
from tests.unit.shared.test_settings import mapping


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Tables that exist; a test says what their requests answer."""

    async def create(self: TableServiceClient, name: str) -> TableClient:
        return self.get_table_client(name)

    monkeypatch.setattr(TableServiceClient, "create_table_if_not_exists", create)
    settings = Settings.from_mapping(mapping(AzureWebJobsStorage=CONNECTION))
    return Tables(settings.storage, SharedTransport())


CONNECTION = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/a;"


def failing(monkeypatch: pytest.MonkeyPatch, request: str, error: HttpResponseError, code: str = "") -> None:
    if code:
        error.error_code = code  # type: ignore[attr-defined]  # as azure-data-tables sets it

    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(TableClient, request, fail)


async def test_a_row_that_is_not_there_is_none(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "get_entity", ResourceNotFoundError(response=Answer(404, "")), "ResourceNotFound")
    assert await tables.read("state", "a", "b") is None


async def test_a_table_that_is_gone_is_not_an_empty_one(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "get_entity", ResourceNotFoundError(response=Answer(404, "")), "TableNotFound")
    with pytest.raises(Unavailable):
        await tables.read("state", "a", "b")


@pytest.mark.parametrize("status", [404, 409, 412])
async def test_a_failed_condition_is_a_lost_race(tables: Tables, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    failing(monkeypatch, "submit_transaction", HttpResponseError(response=Answer(status, "")))
    with pytest.raises(StaleWrite):
        await tables.transact("state", [deleting("a", "b")], "doing")


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (403, Refused), (500, Unavailable), (503, Unavailable)])
async def test_other_failures_are_no_lost_race(
    tables: Tables, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[Exception]
) -> None:
    failing(monkeypatch, "submit_transaction", HttpResponseError(response=Answer(status, "")))
    with pytest.raises(kind):
        await tables.transact("state", [deleting("a", "b")], "doing")


@pytest.mark.parametrize("count", [0, 101])
async def test_a_transaction_of_a_size_that_azure_breaks_on_is_not_sent(tables: Tables, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        await tables.transact("state", [deleting("a", str(number)) for number in range(count)], "doing")


async def test_a_transaction_over_four_mebibytes_is_not_sent(tables: Tables) -> None:
    rows = [{"PartitionKey": "a", "RowKey": str(number), "data": "x" * 32_000} for number in range(100)]
    large = [{**row, **{f"data{index}": "x" * 11_000 for index in range(2)}} for row in rows]
    with pytest.raises(Refused) as refused:
        await tables.transact("state", [creating(row) for row in large], "doing")
    assert refused.value.http_status == 413
