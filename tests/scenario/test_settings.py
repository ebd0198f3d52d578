"""An app whose settings are wrong starts, answers that it lives, and names everything that is wrong at once."""

from collections.abc import Iterator

import httpx
import pytest

from local.run import LocalWorld
from tests.running_world import RunningWorld
from tests.scenario.log import AppLog

WRONG = {
    "CROSSKEY_PROVIDER_TENANT_ID": "",
    "CROSSKEY_SUBSCRIPTIONS": "",
    "CROSSKEY_API_CLIENT_ID": "not-a-guid",
    "CROSSKEY_SIGNING_KEY": "c2hvcnQ=",
    "CROSSKEY_TOPIC_ENDPOINT": "https://topic.example.com/api/events",
}


@pytest.fixture(scope="module")
def misconfigured() -> Iterator[RunningWorld]:
    with RunningWorld(lambda: LocalWorld(settings=WRONG)) as world:
        yield world


@pytest.fixture
def api(misconfigured: RunningWorld) -> Iterator[httpx.Client]:
    host = misconfigured.local.functions_host
    assert host is not None
    with httpx.Client(base_url=f"{host.url}/api", timeout=60, trust_env=False) as client:
        yield client


def test_an_app_with_wrong_settings_lives(api: httpx.Client) -> None:
    answer = api.get("/live")
    assert (answer.status_code, answer.json()) == (200, {"live": True})


def test_readiness_names_every_wrong_setting_at_once_and_shows_none_of_their_values(api: httpx.Client) -> None:
    answer = api.get("/ready")
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert error["code"] == "SettingsInvalid"
    named = {detail["message"].partition(" ")[0] for detail in error["details"]}
    assert named == set(WRONG)
    assert all(name in error["message"] for name in WRONG)
    assert "c2hvcnQ" not in answer.text


def test_the_log_names_them_too(misconfigured: RunningWorld, api: httpx.Client) -> None:
    api.get("/ready")
    log = AppLog(misconfigured.local.folder / "functions-host.log")
    logged = log.events("SettingsInvalid")
    assert logged
    assert all(name in logged[-1]["message"] for name in WRONG)
    assert "c2hvcnQ" not in log.text()


@pytest.mark.parametrize(
    "path", ["/customers", "/customers/contoso", "/customers/contoso/keys/primary", "/fleet/summary"]
)
def test_every_other_route_says_the_same(misconfigured: RunningWorld, api: httpx.Client, path: str) -> None:
    token = misconfigured.control.token("provider", "CrossKey.Admin")
    answer = api.get(path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "SettingsInvalid"
