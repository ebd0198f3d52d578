"""What is not the caller's fault: outages, lost races, settings, and what nobody foresaw."""

import logging
from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.errors import SettingsInvalid, StaleWrite, Throttled, Unavailable
from shared.settings import Settings
from tests.fakes import FakeWorld
from tests.unit.handlers.api_client import CUSTOMER, Api, make_api


def unset() -> Bundle:
    Settings.from_mapping({"CROSSKEY_PUBLIC_URL": "nonsense"})
    raise AssertionError("the settings hold")


async def test_a_lost_race_asks_to_try_again(api: Api) -> None:
    api.world.state.break_before("commit", *[StaleWrite("Committing customer: another writer was first.")] * 9)
    answer = await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "StaleWrite")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("error", "code", "seconds"),
    [
        (Unavailable("Reading the table: no answer."), "DependencyUnavailable", "10"),
        (Throttled("Reading the table: 429.", retry_after=timedelta(milliseconds=200)), "DependencyThrottled", "1"),
        (Throttled("Reading the table: 429.", retry_after=timedelta(seconds=61.2)), "DependencyThrottled", "62"),
    ],
)
async def test_an_outage_says_when_to_come_back(api: Api, error: Unavailable, code: str, seconds: str) -> None:
    api.world.state.break_before("read_customer", error)
    answer = await api.call("GET", "/customers/contoso")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, code)
    assert answer.headers["Retry-After"] == seconds


async def test_the_unforeseen_is_logged_and_tells_the_caller_only_the_request_id(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.world.state.break_before("read_customer", RuntimeError("secret"))
    with caplog.at_level(logging.ERROR, logger="crosskey"):
        answer = await api.call("GET", "/customers/contoso")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "InternalError")
    request_id = answer.headers["x-ms-request-id"]
    assert request_id in answer.json()["error"]["message"]
    assert "secret" not in answer.text
    [record] = [one for one in caplog.records if one.exc_info]
    assert request_id in record.getMessage()
    assert record.exc_info is not None
    assert "secret" in str(record.exc_info[1])


async def test_wrong_settings_are_all_named_and_the_process_stays_live(
    world: FakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    api = make_api(world, get_bundle=unset)
    async with api.client:
        with caplog.at_level(logging.ERROR, logger="crosskey"):
            ready = await api.client.get("/api/ready")
        live = await api.client.get("/api/live")
        other = await api.call("GET", "/customers")
    assert (ready.status_code, ready.json()["error"]["code"]) == (503, "SettingsInvalid")
    assert "Retry-After" not in ready.headers
    named = [detail["message"] for detail in ready.json()["error"]["details"]]
    assert len(named) > 8
    assert any(one.startswith("CROSSKEY_PUBLIC_URL must") for one in named)
    assert "CROSSKEY_API_CLIENT_ID is missing" in named
    assert all(one in caplog.text for one in named)
    assert (live.status_code, live.json()) == (200, {"live": True})
    assert other.status_code == 503


def test_settings_are_wrong_in_these_tests() -> None:
    with pytest.raises(SettingsInvalid):
        unset()


async def test_ready_names_each_dependency(api: Api) -> None:
    answer = await api.client.get("/api/ready")
    assert answer.status_code == 200
    assert {one["name"] for one in answer.json()["dependencies"]} >= {"tables", "queue", "signingKeys"}
    api.world.queue.break_before("ping", Unavailable("Asking the queue: no answer."))
    answer = await api.client.get("/api/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    [silent] = [one for one in answer.json()["dependencies"] if not one["ok"]]
    assert silent == {
        "name": "queue",
        "ok": False,
        "detail": "DependencyUnavailable: Asking the queue: no answer.",
    }
