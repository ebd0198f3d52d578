"""The triggers of the Functions app: HTTP through the ASGI bridge, events, work items, poison and the timer."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest

from handlers import http, key_vault_events, timers, work_items
from shared import bootstrap
from shared.domain.entries import Origin
from shared.domain.identifiers import KeyIdentifier
from shared.domain.work import WorkItem, WorkKind
from shared.errors import Unavailable
from shared.services.work_codec import MalformedWorkItem, render_work_item
from shared.stores import Claim
from tests.fakes import FakeWorld

KEY = KeyIdentifier("contoso.vault.azure.net", "cmk")
NEW_VERSION = "Microsoft.KeyVault.KeyNewVersionCreated"
DATA = {"Id": f"{KEY}/{'0' * 32}", "VaultName": "contoso", "ObjectType": "Key", "ObjectName": "cmk"}


@pytest.fixture
def app(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWorld]:
    """The triggers over a fake world."""
    for module in (key_vault_events, work_items, timers, bootstrap):
        monkeypatch.setattr(module, "get_bundle", lambda: world.bundle)
    http._middleware.cache_clear()
    yield world
    http._middleware.cache_clear()


def request(method: str, url: str, *, body: bytes = b"", **headers: str) -> func.HttpRequest:
    return func.HttpRequest(method, f"https://crosskey.azurewebsites.net{url}", headers=headers, body=body)


class Invocation(func.Context):
    """What the worker tells a function of its invocation."""

    invocation_id = "0"
    function_name = "http"
    function_directory = "/"
    thread_local_storage: Any = None
    trace_context: Any = None
    retry_context: Any = None


async def ask(method: str, url: str, *, body: bytes = b"", **headers: str) -> func.HttpResponse:
    answer: func.HttpResponse = await http.http(request(method, url, body=body, **headers), Invocation())
    return answer


@pytest.mark.usefixtures("app")
async def test_http_requests_reach_the_api_with_their_whole_path() -> None:
    answer = await ask("GET", "/api/live")
    assert (answer.status_code, json.loads(answer.get_body())) == (200, {"live": True})
    assert answer.mimetype == "application/json"
    assert len(answer.headers["x-ms-request-id"]) == 32


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/api/%ff", 404),
        ("/api/customers/%ff%fe", 401),
        ("/api/customers/k%C3%B6ln?x=%ff", 401),
        ("/api/live?x=%ff", 200),
        ("/api//", 404),
    ],
)
@pytest.mark.usefixtures("app")
async def test_an_url_that_is_not_utf8_is_refused_by_the_one_error_map(url: str, status: int) -> None:
    answer = await ask("GET", url)
    assert answer.status_code == status
    assert status == 200 or json.loads(answer.get_body())["error"]["code"]


@pytest.mark.usefixtures("app")
async def test_a_body_over_the_limit_is_refused() -> None:
    headers = {"content-type": "application/json", "content-length": "65537"}
    assert (await ask("PUT", "/api/customers/contoso", body=b" " * 65537, **headers)).status_code == 413


def event_grid_event(event_type: Any = NEW_VERSION, data: Any = DATA, event_id: Any = "1") -> func.EventGridEvent:
    return func.EventGridEvent(
        id=event_id,
        data=data,
        topic="/subscriptions/x",
        subject="cmk",
        event_type=event_type,
        event_time=datetime(2026, 11, 22, tzinfo=UTC),
        data_version="1",
    )


def cloud_event() -> func.CloudEvent:
    return func.CloudEvent(id="2", source="/subscriptions/x", type=NEW_VERSION, specversion="1.0", data=DATA)


async def own_key(app: FakeWorld) -> None:
    await app.claims.claim(
        Claim(
            kind="key",
            identifier=KEY.claim,
            customer_id="contoso",
            row="key:primary",
            claimed_at=app.clock.now(),
        )
    )


@pytest.mark.parametrize("event", [event_grid_event(), cloud_event()], ids=["Event Grid schema", "CloudEvents"])
async def test_an_event_of_a_registered_key_queues_one_look(app: FakeWorld, event: Any) -> None:
    await own_key(app)
    await key_vault_events.key_vault_events(event)
    [item] = app.queue.items
    assert (item.kind, item.customer_id, item.name) == (WorkKind.CHECK_KEY, "contoso", "primary")
    assert item.origin.cause == f"event {event.id}"


@pytest.mark.parametrize(
    "event",
    [
        event_grid_event("Microsoft.Storage.BlobCreated"),
        event_grid_event(None),
        event_grid_event(7, event_id={"a": 1}),
        event_grid_event(data=[]),
        event_grid_event(data="text"),
        event_grid_event(data={"Id": 7}),
        event_grid_event(data={"Id": "https://evil.example/keys/cmk/" + "0" * 32}),
        event_grid_event(data={"Id": "https://fabrikam.vault.azure.net/keys/cmk"}),
    ],
)
async def test_foreign_and_malformed_events_are_accepted_without_effect(app: FakeWorld, event: Any) -> None:
    await own_key(app)
    await key_vault_events.key_vault_events(event)
    assert app.queue.items == []


async def test_an_event_that_could_not_be_noted_is_raised_for_redelivery(app: FakeWorld) -> None:
    await own_key(app)
    app.queue.break_before("enqueue", Unavailable("Enqueuing: no answer."))
    with pytest.raises(Unavailable):
        await key_vault_events.key_vault_events(event_grid_event())


def message(text: str | bytes) -> func.QueueMessage:
    body = text.encode() if isinstance(text, str) else text
    made: func.QueueMessage = func.QueueMessage(id="m-1", body=body)
    return made


def work_item(kind: WorkKind = WorkKind.CHECK_KEY) -> str:
    origin = Origin(request_id="r-1", cause="test")
    return render_work_item(WorkItem(id="w-1", kind=kind, customer_id="contoso", name="primary", origin=origin))


async def test_a_work_item_of_something_removed_is_done(app: FakeWorld) -> None:
    await work_items.work_items(message(work_item()))
    assert app.state.writes == 0


@pytest.mark.parametrize("text", ["", "{}", "nonsense", b"\xff", '{"id":"1","kind":"formatDisk"}'])
@pytest.mark.usefixtures("app")
async def test_a_malformed_message_is_raised_so_that_it_ends_in_the_poison_queue(text: str | bytes) -> None:
    with pytest.raises((MalformedWorkItem, UnicodeDecodeError)):
        await work_items.work_items(message(text))


async def test_the_unexpected_is_raised_so_that_the_host_repeats_it(app: FakeWorld) -> None:
    app.state.break_before("read_customer", RuntimeError("broken"))
    with pytest.raises(RuntimeError):
        await work_items.work_items(message(work_item()))


@pytest.mark.parametrize("text", ["nonsense", b"\xff\x00", work_item()])
async def test_a_poisoned_message_that_names_nothing_is_kept(app: FakeWorld, text: str | bytes) -> None:
    await work_items.work_items_poison(message(text))
    assert list(app.fleet.lost_work) == ["m-1"]


async def test_the_timer_queues_a_sweep(app: FakeWorld) -> None:
    await timers.sweep(Timer())
    assert {item.kind for item in app.queue.items} == {WorkKind.SWEEP_RANGE}


class Timer(func.TimerRequest):
    """A tick that is on time."""

    past_due = False
    schedule: Any = None
    schedule_status: Any = None
