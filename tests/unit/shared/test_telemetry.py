"""Log events: their names, fields and what must not be in them."""

import json
import logging
from enum import StrEnum

import pytest

from shared.settings import SecretBytes, SecretText
from shared.telemetry import SENTENCES, Event, current_request_id, log_event, request


class Color(StrEnum):
    RED = "red"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [json.loads(record.getMessage()) for record in caplog.records]


@pytest.fixture(autouse=True)
def capture(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "crosskey")


def test_every_event_has_a_sentence_of_its_own() -> None:
    assert set(SENTENCES) == set(Event)
    assert len(set(SENTENCES.values())) == len(SENTENCES)


def test_a_line_carries_its_event_fields_and_request_id(caplog: pytest.LogCaptureFixture) -> None:
    with request("request-1"):
        log_event(Event.WORK_DONE, customer_id="contoso", attempt=2, urgent=True, absent=None, color=Color.RED)
    log_event(Event.WORK_DONE)
    assert lines(caplog) == [
        {
            "event": "WorkDone",
            "request_id": "request-1",
            "customer_id": "contoso",
            "attempt": 2,
            "urgent": True,
            "color": "red",
        },
        {"event": "WorkDone"},
    ]
    assert current_request_id() == ""


def test_secrets_do_not_reach_a_line(caplog: pytest.LogCaptureFixture) -> None:
    log_event(
        Event.REQUEST_FAILED,
        key=SecretBytes(b"hunter2"),
        connection=SecretText("hunter2"),
        both=[SecretText("hunter2")],
    )
    assert "hunter2" not in caplog.text


def test_an_error_brings_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    log_event(Event.WORK_FAILED, level=logging.ERROR, error=KeyError("inner"))
    assert "KeyError" in caplog.text


def test_a_line_break_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    log_event(Event.REQUEST_FAILED, detail="one\n{'event': 'WorkDone'}")
    assert "\n" not in caplog.records[0].getMessage()
