"""Whatever is posted to the Event Grid webhook is accepted, and has no effect, or the right one."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.scenario.scene import Customer, Scene

NEW_VERSION = "Microsoft.KeyVault.KeyNewVersionCreated"
ELSEWHERE = "https://nobodys-vault.vault.azure.net/keys/cmk"


def event(data: Any, kind: Any = NEW_VERSION, **members: Any) -> dict[str, Any]:
    """An event in the Event Grid schema."""
    return {
        "id": str(uuid.uuid4()),
        "topic": "/subscriptions/x",
        "subject": "cmk",
        "eventType": kind,
        "eventTime": "2026-01-01T00:00:00Z",
        "dataVersion": "1",
        "metadataVersion": "1",
        "data": data,
        **members,
    }


WITHOUT_EFFECT: dict[str, Any] = {
    "a key nobody registered": event({"Id": f"{ELSEWHERE}/{'0' * 32}"}),
    "a host that is no vault": event({"Id": "https://example.com/keys/cmk"}),
    "an identifier that is no URL": event({"Id": "cmk"}),
    "an empty identifier": event({"Id": ""}),
    "an identifier with a filter": event({"Id": "https://x.vault.azure.net/keys/a' or '1' eq '1"}),
    "an identifier that is very long": event({"Id": f"https://x.vault.azure.net/keys/{'a' * 10_000}"}),
    "an identifier that is a number": event({"Id": 1}),
    "an identifier that is a list": event({"Id": [ELSEWHERE]}),
    "no identifier": event({"VaultName": "x"}),
    "data that is a text": event("text"),
    "data that is a number": event(1),
    "data that is a list": event([1, 2]),
    "data that is null": event(None),
    "an unknown type": event({"Id": ELSEWHERE}, "Microsoft.KeyVault.SecretNewVersionCreated"),
    "a type of another service": event({"url": "https://x"}, "Microsoft.Storage.BlobCreated"),
    "an empty type": event({"Id": ELSEWHERE}, ""),
    "a type that is a number": event({"Id": ELSEWHERE}, 1),
    "an id that is a number": event({"Id": ELSEWHERE}, id=1),
}


@pytest.fixture
def quiet(scene: Scene) -> Iterator[Scene]:
    """The world at rest; nothing may be stored or called."""
    scene.rest()
    before, last = scene.storage.etags(), scene.last_call()
    yield scene
    scene.settle()
    assert scene.storage.etags() == before
    assert scene.control.calls(after=last) == []


def test_events_that_mean_nothing_to_us_are_accepted_without_effect(quiet: Scene) -> None:
    log = quiet.log.position()
    for name, each in WITHOUT_EFFECT.items():
        answer = quiet.deliver(each)
        assert answer.status_code == 202, f"{name}: {answer.text}"
    assert quiet.log.count("KeyEventIgnored", after=log) == len(WITHOUT_EFFECT)
    assert quiet.log.count("WorkStarted", after=log) == 0


def test_a_batch_of_such_events_is_accepted_as_a_whole(quiet: Scene) -> None:
    assert quiet.deliver(*WITHOUT_EFFECT.values()).status_code == 202


def test_an_event_that_the_worker_itself_cannot_read_is_refused_without_effect(quiet: Scene) -> None:
    # The worker's library reads the time before any code of ours runs; Event Grid itself never sends such a one.
    log = quiet.log.position()
    assert quiet.deliver(event({"Id": ELSEWHERE}, eventTime="yesterday")).status_code == 500
    assert quiet.log.count("WorkStarted", after=log) == 0


def test_what_is_no_event_at_all_is_answered_and_has_no_effect(quiet: Scene) -> None:
    bodies: tuple[Any, ...] = (None, 1, "text", [], {})
    for body in bodies:
        assert quiet.deliver(body).status_code < 600
    assert quiet.control.host()["running"]


def test_without_the_hosts_key_nothing_is_taken(quiet: Scene) -> None:
    url = f"{quiet.app_url}/runtime/webhooks/eventgrid?functionName=key_vault_events&code=wrong"
    answer = httpx.post(url, json=[], headers={"aeg-event-type": "Notification"}, trust_env=False)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "shape",
    ["documented", "contract", "stray blanks", "capitals", "cloud event", "latest without a version", "alone"],
)
def test_an_event_of_a_registered_key_is_understood_in_every_shape(
    scene: Scene, stage_of_world: Scene, shape: str, customer: Customer
) -> None:
    del stage_of_world
    identifier = f"{customer.key_identifier}/{customer.versions[0]}"
    shapes: dict[str, Any] = {
        "documented": event({"Id": identifier, "ObjectName ": "cmk"}),
        "contract": event({"id": identifier, "objectName": "cmk"}),
        "stray blanks": event({" Id ": f" {identifier} "}),
        "capitals": event(
            {"ID": identifier.upper().replace("HTTPS", "https").replace("KEYS/", "keys/")}, NEW_VERSION.upper()
        ),
        "cloud event": {
            "id": str(uuid.uuid4()),
            "source": customer.administrator.vault_id,
            "specversion": "1.0",
            "type": NEW_VERSION,
            "time": "2026-01-01T00:00:00Z",
            "data": {"Id": identifier},
        },
        "latest without a version": event({"Id": customer.key_identifier}, "Microsoft.KeyVault.KeyNearExpiry"),
        "alone": event({"Id": identifier}),
    }
    scene.settle()
    log = scene.log.position()
    answer = scene.deliver(shapes[shape], as_one=shape in {"alone", "cloud event"})
    assert answer.status_code == 202, answer.text
    scene.settle()
    assert scene.log.count("KeyEventReceived", after=log) == 1
    assert scene.log.count("WorkStarted", after=log, kind="checkKey", customer_id=customer.id, object="primary") == 1


@pytest.fixture(scope="module")
def customer(stage_of_world: Scene) -> Customer:
    return stage_of_world.ready_customer()


def test_an_event_does_not_make_us_believe_what_it_says(scene: Scene, customer: Customer) -> None:
    log = scene.log.position()
    made_up = event({"Id": f"{customer.key_identifier}/{'f' * 32}", "EXP": 1, "Version": "f" * 32})
    expired = event({"Id": customer.key_identifier, "EXP": 1}, "Microsoft.KeyVault.KeyExpired")
    assert scene.deliver(made_up, expired).status_code == 202
    scene.settle()
    assert scene.log.count("KeyEventReceived", after=log) == 2
    key = customer.key()
    assert (key["latestVersion"], key["health"]["state"]) == (customer.versions[0], "healthy")
    assert customer.announced("KeyNewVersion") == []
