"""A vault's events come to CrossKey's webhook from the customer's own event subscription, and count for it alone."""

import time
from datetime import timedelta
from typing import Any

import httpx
import pytest

from local import names
from local.actors import NotReached, wait_until
from tests.scenario.scene import Customer, Scene

CLOUD_EVENTS = "CloudEventSchemaV1_0"
HEADER = "x-crosskey-webhook-key"
WEBHOOK = "POST /api/webhooks/keyVault"
EVENT_GRID = "4962773b-9cdb-44cf-a8bf-237846a00ab7"
SUBSCRIBER = "AzureEventGridSecureWebhookSubscriber"


def webhook_of(customer: Customer) -> dict[str, str]:
    """What the customer's own administrator is told by the API."""
    with customer.scene.portal_of(customer.tenant_id, "CrossKey.KeyAdministrator") as administrator:
        return dict(administrator.call("GET", f"{customer.path}/webhook"))


def subscribe(customer: Customer, webhook: dict[str, str], *, schema: str = "EventGridSchema") -> None:
    customer.administrator.subscribe(webhook["url"], schema=schema, **{webhook["headerName"]: webhook["headerValue"]})


def subscription_of(customer: Customer) -> Any:
    path = f"{customer.administrator.vault_id}/providers/Microsoft.EventGrid/eventSubscriptions/crosskey"
    return customer.administrator.arm("GET", path, "2022-06-15")["properties"]


def deliveries(customer: Customer, *, after: int) -> list[dict[str, Any]]:
    """The deliveries to the customer's webhook that were answered."""
    calls = customer.scene.control.calls(after=after, operation=f"{WEBHOOK}/{customer.id}")
    return [call for call in calls if call["status"]]


def post(customer: Customer, headers: dict[str, str]) -> int:
    """Deliver nothing to the customer's webhook; answers the status."""
    url = f"{customer.scene.app_url}/api/webhooks/keyVault/{customer.id}"
    return httpx.post(url, json=[], headers=headers, timeout=60, trust_env=False).status_code


@pytest.mark.parametrize("schema", ["EventGridSchema", CLOUD_EVENTS])
@pytest.mark.parametrize("bare", [False, True], ids=["headers at the handshake", "headers with events only"])
def test_a_rotation_is_followed_within_five_seconds_through_the_webhook(
    scene: Scene, schema: str, *, bare: bool
) -> None:
    customer = scene.ready_customer()
    customer.protect()
    scene.control.change_event_grid(handshakesCarryHeaders=not bare)
    subscribe(customer, webhook_of(customer), schema=schema)
    assert subscription_of(customer)["eventDeliverySchema"] == schema
    before = scene.last_call()
    began = time.monotonic()
    version = customer.rotate()
    customer.wait_for_version(version)
    assert time.monotonic() - began <= 5.0
    [delivery] = deliveries(customer, after=before)
    assert delivery["status"] == 200
    assert isinstance(delivery["requestBody"], dict) == (schema == CLOUD_EVENTS)


def test_a_subscription_with_a_wrong_secret_is_not_made_and_one_without_any_delivers_nothing(scene: Scene) -> None:
    customer = scene.ready_customer()
    customer.protect()
    webhook = webhook_of(customer)
    subscribe(customer, webhook | {"headerValue": "wrong"})
    with pytest.raises(NotReached, match="NotFound"):
        subscription_of(customer)
    customer.administrator.subscribe(webhook["url"])
    before = scene.last_call()
    customer.rotate()
    wait_until(lambda: deliveries(customer, after=before), "the delivery without a secret")
    scene.settle()
    assert [one["status"] for one in deliveries(customer, after=before)] == [401]
    assert customer.resource()["observed"]["versionInUse"] == customer.versions[0]


def test_another_customers_secret_and_webhook_move_nothing(scene: Scene) -> None:
    customer, stranger = scene.ready_customer(), scene.ready_customer()
    customer.protect()
    strangers = webhook_of(stranger)
    # The stranger's webhook takes the event, and the key is not the stranger's.
    subscribe(customer, strangers)
    before = scene.last_call()
    customer.rotate()
    wait_until(lambda: deliveries(stranger, after=before), "the delivery to the stranger's webhook")
    scene.settle()
    assert [one["status"] for one in deliveries(stranger, after=before)] == [200]
    assert customer.resource()["observed"]["versionInUse"] == customer.versions[0]
    assert post(customer, {strangers["headerName"]: strangers["headerValue"]}) == 401


def test_a_token_of_event_grids_application_opens_the_webhook_of_its_tenants_customer(scene: Scene) -> None:
    customer, stranger = scene.customer(), scene.customer()
    scene.control.put_application(EVENT_GRID, tenantId=names.PROVIDER_TENANT_ID, displayName="Microsoft.EventGrid")
    for tenant in (customer.tenant_id, names.PROVIDER_TENANT_ID):
        scene.control.put_service_principal(tenant, EVENT_GRID)
        token = scene.control.token(tenant, SUBSCRIBER, clientId=EVENT_GRID)
        assert post(customer, {"Authorization": f"Bearer {token}"}) == 200
    own = scene.control.token(customer.tenant_id, SUBSCRIBER, clientId=EVENT_GRID)
    assert post(stranger, {"Authorization": f"Bearer {own}"}) == 401
    administrators = scene.control.token(customer.tenant_id, SUBSCRIBER, "CrossKey.KeyAdministrator")
    assert post(customer, {"Authorization": f"Bearer {administrators}"}) == 401


def test_an_outage_of_the_app_delays_an_event_and_loses_none(scene: Scene) -> None:
    customer = scene.ready_customer()
    customer.protect()
    subscribe(customer, webhook_of(customer))
    scene.kill_host()
    before = scene.last_call()
    version = customer.rotate()
    wait_until(lambda: deliveries(customer, after=before), "the delivery that found nobody")
    scene.control.start_host()
    scene.control.advance(timedelta(seconds=31))
    customer.wait_for_version(version)
    assert [one["status"] for one in deliveries(customer, after=before)] == [503, 200]


def test_the_secret_shows_in_no_log_and_no_record(scene: Scene) -> None:
    customer = scene.ready_customer()
    customer.protect()
    before = scene.last_call()
    webhook = webhook_of(customer)
    assert webhook["url"] == f"{names.PUBLIC_URL}/api/webhooks/keyVault/{customer.id}"
    subscribe(customer, webhook)
    customer.wait_for_version(customer.rotate())
    [delivery] = deliveries(customer, after=before)[-1:]
    assert delivery["requestHeaders"][HEADER] == "REDACTED"
    log = (scene.azure.local.folder / "functions-host.log").read_text(encoding="utf-8")
    assert f"/api/webhooks/keyVault/{customer.id}" in log
    assert webhook["headerValue"] not in log
    assert webhook["headerValue"] not in str(scene.control.calls(after=before))
