"""The record of calls: what a document shows and what it never shows."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.clock import Clock
from local.edge.record import Record


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(Clock(tmp_path / "clock"))


def begin(record: Record, **members: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"service": "s", "operation": "o", "method": "POST", "host": "h", "path": "/p", **members}
    return record.begin(**given).document()


def test_json_bodies_are_documents(record: Record) -> None:
    document = begin(record, body=b'{"a": [1, null]}', headers={"Content-Type": "application/json"})
    assert document["requestBody"] == {"a": [1, None]}


def test_an_empty_body_is_none_and_text_stays_text(record: Record) -> None:
    assert begin(record)["requestBody"] is None
    assert begin(record, body=b"<html>")["requestBody"] == "<html>"


@pytest.mark.parametrize(
    "members",
    [
        {"headers": {"Authorization": "Bearer SECRET", "X-IDENTITY-HEADER": "SECRET", "aeg-sas-key": "SECRET"}},
        {"query": "code=SECRET&api-version=1"},
        {"body": b'{"list": [{"access_token": "SECRET"}]}'},
        {
            "body": b"client_assertion=SECRET&client_secret=SECRET&client_id=x",
            "headers": {"content-type": "application/x-www-form-urlencoded"},
        },
    ],
)
def test_secrets_are_redacted_and_their_places_kept(record: Record, members: dict[str, Any]) -> None:
    text = json.dumps(begin(record, **members))
    assert "SECRET" not in text
    assert "REDACTED" in text


def test_a_query_stays_as_it_was_asked(record: Record) -> None:
    query = "api-version=7.5&$skiptoken=a:b&maxresults=25"
    assert begin(record, query=query)["query"] == query


def test_calls_are_chosen_by_sequence_service_and_operation(record: Record) -> None:
    for service, operation in (("a", "x"), ("a", "y"), ("b", "x")):
        begin(record, service=service, operation=operation)
    assert [call.sequence for call in record.calls(after=1)] == [2, 3]
    assert [call.sequence for call in record.calls(service="a", operation="x")] == [1]


def test_the_sequence_goes_on_after_forgetting(record: Record) -> None:
    begin(record)
    record.clear()
    assert begin(record)["sequence"] == 2
