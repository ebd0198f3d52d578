"""Vault events of the local Azure on their way to a webhook: handshake, headers, retries, disorder."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from local.event_grid.service import EventGridService
from local.world import EventGridBehaviour, EventSubscription
from tests.contract.local import contoso, hook
from tests.contract.local.contoso import Contoso
from tests.contract.local.hook import Hook
from tests.running_world import RunningWorld

CLOUD_EVENTS = "CloudEventSchemaV1_0"


@pytest.fixture
def customer(local_azure: RunningWorld) -> Contoso:
    return contoso.join(local_azure)


@pytest.fixture
def endpoint(local_azure: RunningWorld) -> Iterator[Hook]:
    with hook.listening(local_azure) as listening:
        yield listening


def service(azure: RunningWorld) -> EventGridService:
    return contoso.service(azure, EventGridService)


def subscribe(azure: RunningWorld, **members: Any) -> None:
    subscription = EventSubscription("crosskey-events", contoso.VAULT_ID, hook.URL, **members)
    azure.run(service(azure).subscribe(subscription))


def deliver(azure: RunningWorld, *, after: timedelta = timedelta(0)) -> None:
    """Move the clock and deliver what is due; the world's own deliveries may have been quicker."""
    azure.control.advance(after)
    azure.run(service(azure).tick())
    while azure.look(lambda world: any(each.due_at <= world.clock.now() for each in world.pending_deliveries)):
        azure.run(service(azure).tick())


def behave(azure: RunningWorld, **members: Any) -> None:
    azure.look(lambda world: setattr(world, "event_grid", EventGridBehaviour(**members)))


def test_a_new_version_is_delivered_in_the_event_grid_schema(
    local_azure: RunningWorld, customer: Contoso, endpoint: Hook
) -> None:
    subscribe(local_azure, delivery_headers={"x-secret": "open"})
    assert endpoint.handshakes[0]["aeg-event-type"] == "SubscriptionValidation"
    kid = customer.create_key()["key"]["kid"]
    wait_for(local_azure, endpoint, 1)
    headers, document = endpoint.deliveries[0]
    assert headers["aeg-event-type"] == "Notification"
    assert headers["aeg-subscription-name"] == "CROSSKEY-EVENTS"
    assert headers["aeg-delivery-count"] == "0"
    assert headers["x-secret"] == "open"
    (event,) = document
    assert (event["topic"], event["subject"]) == (contoso.VAULT_ID, "cmk")
    assert event["eventType"] == "Microsoft.KeyVault.KeyNewVersionCreated"
    assert event["data"] == {
        "Id": kid,
        "VaultName": contoso.VAULT,
        "ObjectType": "Key",
        "ObjectName": "cmk",
        "Version": kid.rpartition("/")[2],
        "NBF": None,
        "EXP": None,
    }


def test_a_new_version_is_delivered_as_a_cloud_event(
    local_azure: RunningWorld, customer: Contoso, endpoint: Hook
) -> None:
    subscribe(local_azure, schema=CLOUD_EVENTS)
    assert endpoint.handshakes[0]["webhook-request-origin"] == "eventgrid.azure.net"
    customer.create_key()
    wait_for(local_azure, endpoint, 1)
    headers, event = endpoint.deliveries[0]
    assert headers["content-type"].startswith("application/cloudevents+json")
    assert (event["specversion"], event["source"]) == ("1.0", contoso.VAULT_ID)
    assert event["type"] == "Microsoft.KeyVault.KeyNewVersionCreated"


def test_only_the_types_asked_for_are_delivered(local_azure: RunningWorld, customer: Contoso, endpoint: Hook) -> None:
    subscribe(local_azure, included_event_types=["Microsoft.KeyVault.KeyExpired"])
    customer.create_key()
    deliver(local_azure)
    assert endpoint.deliveries == []


def test_a_delivery_that_fails_is_tried_again_by_the_schedule(
    local_azure: RunningWorld, customer: Contoso, endpoint: Hook
) -> None:
    subscribe(local_azure)
    endpoint.statuses = [503, 500]
    customer.create_key()
    wait_for(local_azure, endpoint, 1)
    deliver(local_azure, after=timedelta(seconds=20))
    assert len(endpoint.deliveries) == 1, "a 503 waits half a minute at least"
    deliver(local_azure, after=timedelta(seconds=11))
    assert len(endpoint.deliveries) == 2
    deliver(local_azure, after=timedelta(seconds=31))
    assert [headers["aeg-delivery-count"] for headers, _ in endpoint.deliveries] == ["0", "1", "2"]
    assert endpoint.events[0] == endpoint.events[1] == endpoint.events[2]
    deliver(local_azure, after=timedelta(hours=3))
    assert len(endpoint.deliveries) == 3


@pytest.mark.parametrize("status", [400, 401, 413])
def test_some_answers_drop_the_event(local_azure: RunningWorld, customer: Contoso, endpoint: Hook, status: int) -> None:
    subscribe(local_azure)
    endpoint.statuses = [status]
    customer.create_key()
    wait_for(local_azure, endpoint, 1)
    deliver(local_azure, after=timedelta(hours=3))
    assert len(endpoint.deliveries) == 1


def test_held_events_come_later_in_copies_and_out_of_order(
    local_azure: RunningWorld, customer: Contoso, endpoint: Hook
) -> None:
    subscribe(local_azure)
    behave(local_azure, held=True)
    created = [customer.create_key()["key"]["kid"] for _ in range(4)]
    deliver_nothing(local_azure)
    assert endpoint.deliveries == []
    behave(local_azure, copies=25, shuffled=True)
    wait_for(local_azure, endpoint, 100)
    order = [event["data"]["Id"] for (event,) in endpoint.events]
    assert sorted(order) == sorted(created * 25)
    assert order != sorted(order, key=created.index)


def test_an_endpoint_that_refuses_the_handshake_gets_no_subscription(
    local_azure: RunningWorld, customer: Contoso, endpoint: Hook
) -> None:
    endpoint.accepts_handshakes = False
    for schema in ("EventGridSchema", CLOUD_EVENTS):
        with pytest.raises(Exception, match="handshake failed"):
            subscribe(local_azure, schema=schema)
    customer.create_key()
    deliver(local_azure)
    assert endpoint.deliveries == []


@pytest.mark.parametrize("schema", ["EventGridSchema", CLOUD_EVENTS])
def test_a_handshake_may_come_without_the_headers_of_deliveries(
    local_azure: RunningWorld, customer: Contoso, endpoint: Hook, schema: str
) -> None:
    behave(local_azure, handshakes_carry_headers=False)
    subscribe(local_azure, schema=schema, delivery_headers={"x-secret": "open"})
    assert "x-secret" not in endpoint.handshakes[0]
    customer.create_key()
    wait_for(local_azure, endpoint, 1)
    assert endpoint.deliveries[0][0]["x-secret"] == "open"


def deliver_nothing(azure: RunningWorld) -> None:
    azure.run(service(azure).tick())


def wait_for(azure: RunningWorld, endpoint: Hook, count: int) -> None:
    """Return when so many deliveries have arrived; the world delivers in the background as well."""
    for _ in range(2000):
        azure.run(service(azure).tick())
        if len(endpoint.deliveries) >= count:
            break
    assert len(endpoint.deliveries) == count
