"""The Event Grid webhook through a running host: handshakes, keys, parallel events, failures."""

from typing import Any

import httpx
import pytest

from tests.contract.functions_host.harness import HostUnderTest

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEBHOOK = "/runtime/webhooks/eventgrid"


def _event(identifier: str, **data: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "topic": "/subscriptions/1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/contoso",
        "subject": "cmk",
        "eventType": "Microsoft.KeyVault.KeyNewVersionCreated",
        "eventTime": "2026-11-22T10:00:00.1234567Z",
        "data": data,
        "dataVersion": "1",
        "metadataVersion": "1",
    }


async def _post(
    host: HostUnderTest, kind: str, content: Any, *, function: str = "events", code: str = "of-event-grid"
) -> httpx.Response:
    async with host.client() as client:
        return await client.post(
            WEBHOOK, params={"functionName": function, "code": code}, json=content, headers={"aeg-event-type": kind}
        )


async def test_the_handshake_answers_with_the_code(host: HostUnderTest) -> None:
    event = _event("1", validationCode="the-code", validationUrl="https://example.org")
    answer = await _post(host, "SubscriptionValidation", [event])
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "the-code"})


async def test_the_handshake_takes_a_cloud_event_with_encoded_data(host: HostUnderTest) -> None:
    answer = await _post(host, "SubscriptionValidation", {"id": "1", "data": '{"validationCode": "the-code"}'})
    assert answer.json() == {"validationResponse": "the-code"}


async def test_the_cloud_events_handshake_allows_the_origin(host: HostUnderTest) -> None:
    query = {"functionName": "cloud_events", "code": "of-event-grid"}
    async with host.client() as client:
        answer = await client.options(WEBHOOK, params=query, headers={"WebHook-Request-Origin": "eventgrid.azure.net"})
    assert answer.status_code == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"


@pytest.mark.parametrize(("code", "status"), [("of-event-grid", 202), ("master", 202), ("of-the-host", 401), ("", 401)])
async def test_the_webhook_wants_the_system_key(host: HostUnderTest, code: str, status: int) -> None:
    answer = await _post(host, "Notification", [], code=code)
    assert answer.status_code == status


async def test_an_unknown_function_is_named(host: HostUnderTest) -> None:
    answer = await _post(host, "Notification", [], function="nobody")
    assert (answer.status_code, answer.text) == (404, "cannot find function: 'nobody'")


async def test_the_events_of_a_batch_run_in_parallel(host: HostUnderTest) -> None:
    answer = await _post(host, "Notification", [_event(f"p{n}", together=5) for n in range(5)])
    assert answer.status_code == 202
    seen = [entry["id"] for entry in host.seen("event") if entry["id"].startswith("p")]
    assert sorted(seen) == ["p0", "p1", "p2", "p3", "p4"]


async def test_one_failed_event_fails_the_batch_after_all_have_run(host: HostUnderTest) -> None:
    answer = await _post(host, "Notification", [_event("f1", fails=True), _event("f2")])
    assert answer.status_code == 500
    assert "no f1" in answer.text
    assert {"f1", "f2"} <= {entry["id"] for entry in host.seen("event")}


async def test_a_cloud_event_arrives_as_one(host: HostUnderTest) -> None:
    event = {"specversion": "1.0", "id": "c1", "source": "/v", "type": "Microsoft.KeyVault.KeyExpired", "data": {}}
    answer = await _post(host, "Notification", event, function="cloud_events")
    assert answer.status_code == 202
    assert host.seen("cloudEvent")[0]["type"] == "Microsoft.KeyVault.KeyExpired"


@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [("Unsubscribe", [], 202), ("Whatever", [], 400), ("SubscriptionValidation", [], 400), ("", [], 400)],
)
async def test_other_kinds_of_delivery(host: HostUnderTest, kind: str, content: Any, status: int) -> None:
    assert (await _post(host, kind, content)).status_code == status
