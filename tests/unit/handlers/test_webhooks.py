"""The webhook: what Event Grid delivers, in which shapes, its handshakes, and which answers make it come again."""

import json
import logging
from typing import Any

import pytest

from shared.domain.identifiers import KeyIdentifier
from shared.domain.work import WorkKind
from shared.errors import Refused, Throttled, Unavailable
from tests.unit.handlers.api_client import Api
from tests.unit.handlers.deliveries import (
    CODE,
    KEY,
    VERSION,
    WEBHOOK,
    cloud_event,
    deliver,
    grid_event,
    key_data,
    looks,
    nothing_happened,
    own_key,
    secret,
    validation_event,
)

SHOUTED = {name.upper(): value for name, value in grid_event().items()}
PADDED = {" id ": f" {KEY}/{VERSION} ", "ObjectName ": "cmk", "Version": f" {VERSION}", "NBF": "1559081980"}
CAMEL = {"id": f"{KEY}/{VERSION}", "vaultName": "contoso", "nbf": 1559081980, "exp": None}


@pytest.mark.parametrize(
    "document",
    [
        [grid_event()],
        grid_event(),
        cloud_event(),
        [cloud_event()],
        [SHOUTED],
        [grid_event(PADDED)],
        [grid_event(CAMEL)],
        cloud_event(CAMEL),
        [grid_event(kind=" microsoft.keyvault.KEYEXPIRED ")],
        [grid_event(kind="Microsoft.KeyVault.KeyNearExpiry", event_id=None)],
        [grid_event(key_data(Id=str(KEY)))],
        [grid_event(key_data(Id=f"https://CONTOSO.vault.azure.net:443/keys/CMK/{VERSION}"))],
    ],
)
async def test_an_event_of_a_key_of_the_customer_queues_one_look(api: Api, document: Any) -> None:
    await own_key(api)
    answer = await deliver(api, document)
    assert (answer.status_code, answer.content) == (200, b"")
    [item] = api.world.queue.items
    assert (item.kind, item.customer_id, item.name) == (WorkKind.CHECK_KEY, "contoso", "primary")
    assert item.origin.request_id == answer.headers["x-ms-request-id"]
    assert item.origin.actor == "key-vault"


@pytest.mark.parametrize("make", [grid_event, cloud_event])
async def test_a_batch_queues_one_look_for_each_key(api: Api, make: Any) -> None:
    second = KeyIdentifier("contoso.vault.azure.net", "second")
    await own_key(api)
    await own_key(api, key=second)
    batch = [make(event_id="a"), make(event_id="b"), make(key_data(second)), make({"Id": 7}), make()]
    assert (await deliver(api, batch)).status_code == 200
    assert looks(api) == [("contoso", "primary")] * 2
    assert api.world.claims.calls["find"] == 2
    assert api.world.queue.items[0].origin.cause == "event a"


@pytest.mark.parametrize(
    "document",
    [
        [],
        [[]],
        [None, 7, "text"],
        {},
        "text",
        [grid_event(kind="Microsoft.KeyVault.SecretNewVersionCreated")],
        [grid_event(kind=None)],
        [grid_event(kind={"a": 1}, event_id=["x"])],
        [grid_event([])],
        [grid_event("text")],
        [grid_event({})],
        [grid_event(key_data(Id=None))],
        [grid_event(key_data(Id=f"https://evil.example/keys/cmk/{VERSION}"))],
        [grid_event(key_data(Id=f"https://contoso.vault.azure.net.evil.example/keys/cmk/{VERSION}"))],
        [grid_event(key_data(KeyIdentifier("fabrikam.vault.azure.net", "cmk")))],
        [validation_event(), grid_event(kind="x")],
        [validation_event(validationCode=None)],
    ],
)
async def test_malformed_and_foreign_events_are_accepted_without_effect(api: Api, document: Any) -> None:
    await own_key(api)
    answer = await deliver(api, document)
    assert (answer.status_code, answer.content) == (200, b"")
    assert looks(api) == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe\xfd", b"[" * 100_000, b'{"id": ' + b"9" * 5000 + b"}", b"NaN", b"[NaN]"]
)
async def test_a_body_that_cannot_be_read_is_accepted_without_effect(api: Api, body: bytes) -> None:
    answer = await api.client.post(WEBHOOK, content=body, headers=secret(api))
    assert (answer.status_code, answer.content) == (200, b"")
    assert nothing_happened(api)


async def test_an_event_id_that_cannot_be_stored_is_left_out(api: Api) -> None:
    await own_key(api)
    for event_id in ("\ud800", "a\0b", "x" * 1000, 7):
        body = json.dumps([grid_event(event_id=event_id)])
        assert (await api.client.post(WEBHOOK, content=body, headers=secret(api))).status_code == 200
    assert {item.origin.cause for item in api.world.queue.items} == {"event "}


async def test_an_event_of_another_customers_key_is_counted_and_has_no_effect(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    await own_key(api, "fabrikam")
    with caplog.at_level(logging.INFO, logger="crosskey"):
        assert (await deliver(api, [grid_event(), grid_event(), grid_event(kind="x")])).status_code == 200
    assert looks(api) == []
    ignored = [json.loads(one.getMessage()) for one in caplog.records if "KeyEventIgnored" in one.getMessage()]
    assert [(one["customer_id"], one["outcome"], one["count"]) for one in ignored] == [
        ("contoso", "foreignKey", 2),
        ("contoso", "unknownType", 1),
    ]


async def test_a_delivery_that_comes_again_queues_another_look_and_nothing_else(api: Api) -> None:
    await own_key(api)
    for _ in range(3):
        assert (await deliver(api, [grid_event()])).status_code == 200
    assert looks(api) == [("contoso", "primary")] * 3
    assert not api.world.state.calls


@pytest.mark.parametrize("headers", [None, {}], ids=["with the secret", "without headers of its own"])
async def test_the_handshake_of_the_event_grid_schema_is_answered_at_once(
    api: Api, headers: dict[str, str] | None
) -> None:
    answer = await deliver(api, [validation_event()], headers, kind="SubscriptionValidation")
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": CODE})
    assert answer.headers["Content-Type"] == "application/json"
    assert nothing_happened(api)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ([validation_event()], "Notification"),
        ([validation_event(), grid_event()], "SubscriptionValidation"),
        ([grid_event()], "SubscriptionValidation"),
        ([validation_event(validationCode=None)], "SubscriptionValidation"),
        ([validation_event(validationCode="")], "SubscriptionValidation"),
        ([validation_event(validationCode="x" * 1000)], "SubscriptionValidation"),
        ([validation_event(validationCode="a\r\nb")], "SubscriptionValidation"),
        ([validation_event(padding="x" * 20_000)], "SubscriptionValidation"),
        ("text", "SubscriptionValidation"),
    ],
)
async def test_without_the_secret_nothing_but_a_clean_handshake_is_answered(api: Api, document: Any, kind: str) -> None:
    await own_key(api)
    api.world.claims.calls.clear()
    answer = await deliver(api, document, {}, kind=kind)
    assert answer.status_code == 401
    assert nothing_happened(api)


async def test_a_handshake_with_a_wrong_secret_is_refused(api: Api) -> None:
    answer = await deliver(api, [validation_event()], secret(api, "fabrikam"), kind="SubscriptionValidation")
    assert answer.status_code == 401


async def test_the_handshake_of_cloud_events_allows_the_origin_that_asks(api: Api) -> None:
    asked = {
        "WebHook-Request-Origin": "eventgrid.azure.net",
        "WebHook-Request-Rate": "120",
        "WebHook-Request-Callback": "https://evil.example/callback",
    }
    answer = await api.client.options(WEBHOOK, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert answer.headers["WebHook-Allowed-Rate"] == "*"
    assert answer.headers["Allow"] == "POST"
    assert nothing_happened(api)


@pytest.mark.parametrize("origin", [None, "", "*", "https://evil.example", "a b", "-x", "x" * 300])
async def test_what_is_no_host_name_is_not_allowed_to_deliver(api: Api, origin: str | None) -> None:
    answer = await api.client.options(WEBHOOK, headers={} if origin is None else {"WebHook-Request-Origin": origin})
    assert (answer.status_code, answer.headers["Allow"]) == (200, "POST")
    assert "WebHook-Allowed-Origin" not in answer.headers


@pytest.mark.parametrize("kind", ["SubscriptionDeletion", "subscriptiondeletion", "Unsubscribe"])
async def test_the_end_of_a_subscription_is_accepted(api: Api, kind: str) -> None:
    await own_key(api)
    assert (await deliver(api, [grid_event()], kind=kind)).status_code == 200
    assert looks(api) == []
    assert (await deliver(api, [grid_event()], {}, kind=kind)).status_code == 401


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("Reading the table: no answer."),
        Throttled("Reading the table: 429."),
        Refused("Reading the table: 403.", http_status=403),
    ],
)
@pytest.mark.parametrize("place", ["table", "queue"])
async def test_after_a_fault_of_ours_event_grid_delivers_again(api: Api, error: Exception, place: str) -> None:
    await own_key(api)
    fake, call = {"table": (api.world.claims, "find"), "queue": (api.world.queue, "enqueue")}[place]
    fake.break_before(call, error)
    answer = await deliver(api, [grid_event()])
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert (await deliver(api, [grid_event()])).status_code == 200
    assert looks(api) == [("contoso", "primary")]


async def test_a_batch_of_a_mebibyte_is_taken_and_a_larger_one_is_not(api: Api) -> None:
    await own_key(api)
    body = json.dumps([grid_event()]).encode()
    whole = body + b" " * (1024 * 1024 - len(body))
    assert (await api.client.post(WEBHOOK, content=whole, headers=secret(api))).status_code == 200
    answer = await api.client.post(WEBHOOK, content=whole + b" ", headers=secret(api))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "BodyTooLarge")
    assert len(api.world.queue.items) == 1
