"""The whole composition: the Functions host and Azurite as children that follow the clock, die and come back."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from azure.data.tables.aio import TableServiceClient

from local import names
from local.azurite import Azurite
from local.run import LocalWorld
from tests.running_world import RunningWorld

APP = Path(__file__).parent / "sample_app"
CONTOSO = "20000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def whole_world() -> Iterator[RunningWorld]:
    with RunningWorld(lambda: LocalWorld(app_folder=APP)) as world:
        yield world


@pytest.fixture
def app(whole_world: RunningWorld) -> Iterator[httpx.Client]:
    whole_world.control.start_host()
    whole_world.control.reset()
    with httpx.Client(
        proxy=whole_world.proxy_url, verify=whole_world.tls, trust_env=False, base_url=f"{names.PUBLIC_URL}/api"
    ) as client:
        yield client


def test_the_app_is_reached_under_its_production_name(app: httpx.Client) -> None:
    answer = app.post("/echo/a%2Fb?x=1&y=%20", content=b"hello", headers={"X-Custom": "7"})
    seen = answer.json()
    assert answer.status_code == 207
    assert answer.headers["x-echo"] == "yes"
    assert seen["url"] == f"{names.PUBLIC_URL}/api/echo/a%2Fb?x=1&y=%20"
    assert (seen["method"], seen["body"], seen["headers"]["x-custom"]) == ("POST", "hello", "7")


def test_calls_to_the_app_are_recorded(app: httpx.Client, whole_world: RunningWorld) -> None:
    app.get("/time")
    (call,) = whole_world.control.calls(service="app")
    assert (call["operation"], call["status"]) == ("GET /api/time", 200)


def test_moving_the_clock_returns_when_the_app_and_the_storage_follow(
    app: httpx.Client, whole_world: RunningWorld
) -> None:
    for _ in range(3):
        wanted = whole_world.control.advance(timedelta(days=40)).timestamp()
        assert abs(app.get("/time").json()["time"] - wanted) < 2


async def test_the_storage_stamps_rows_with_world_time(local_azure: RunningWorld, azurite: Azurite) -> None:
    async with TableServiceClient.from_connection_string(azurite.connection_string) as service:
        table = await service.create_table_if_not_exists("clock")
        wanted = local_azure.control.advance(timedelta(days=100))
        await table.upsert_entity({"PartitionKey": "p", "RowKey": "r"})
        stamped = (await table.get_entity("p", "r")).metadata["timestamp"]
    assert stamped is not None
    assert abs(stamped - wanted) < timedelta(seconds=5)


def test_a_killed_host_answers_503_and_comes_back_at_the_same_address(
    app: httpx.Client, whole_world: RunningWorld
) -> None:
    first = app.get("/time").json()["pid"]
    whole_world.control.kill_host()
    assert whole_world.control.host()["running"] is False
    assert app.get("/time").status_code == 503
    whole_world.control.start_host()
    assert app.get("/time").json()["pid"] != first


def test_a_host_that_crashed_by_itself_can_be_started_again(app: httpx.Client, whole_world: RunningWorld) -> None:
    os.kill(app.get("/time").json()["pid"], signal.SIGKILL)
    whole_world.control.kill_host()
    whole_world.control.start_host()
    assert app.get("/time").status_code == 200


def test_a_restarted_host_has_the_worlds_clock_at_once(app: httpx.Client, whole_world: RunningWorld) -> None:
    wanted = whole_world.control.advance(timedelta(days=7)).timestamp()
    whole_world.control.restart_host()
    assert abs(app.get("/time").json()["time"] - wanted) < 5


def test_the_app_gets_its_settings_and_nothing_of_the_developers_environment(app: httpx.Client) -> None:
    settings = app.get("/settings").json()
    assert settings["CROSSKEY_TOPIC_ENDPOINT"] == names.TOPIC_ENDPOINT
    assert settings["AzureWebJobsStorage"].startswith("DefaultEndpointsProtocol=http;")
    assert settings["HTTPS_PROXY"].startswith("http://127.0.0.1:")
    assert "HOME" not in settings


def test_event_grid_shakes_hands_with_the_app_through_the_edge(app: httpx.Client, whole_world: RunningWorld) -> None:
    del app
    whole_world.control.put_tenant(CONTOSO, "Contoso")
    vault = whole_world.control.put_vault("contoso", tenantId=CONTOSO)
    answer = whole_world.control.put_event_subscription(
        name="crosskey", vaultId=vault["resourceId"], endpointUrl=f"{names.PUBLIC_URL}/api/webhook"
    )
    assert answer["provisioningState"] == "Succeeded"
    assert whole_world.control.world()["counts"]["eventSubscriptions"] == 1
    assert whole_world.control.calls(service="app")[0]["operation"] == "POST /api/webhook"
