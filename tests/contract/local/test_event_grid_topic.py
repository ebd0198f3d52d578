"""The notification topic of the local Azure, through the real SDK publisher and by its refusals."""

from typing import Any

import httpx
import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent
from azure.eventgrid.aio import EventGridPublisherClient

from local import names
from tests.contract.local.contoso import BearerCredential, app_token
from tests.running_world import RunningWorld

EVENT = {"id": "1", "source": "/customers/contoso", "type": "CrossKey.KeyVerified", "specversion": "1.0"}


def publisher(azure: RunningWorld, audience: str = names.EVENT_GRID_RESOURCE) -> EventGridPublisherClient:
    return EventGridPublisherClient(names.TOPIC_ENDPOINT, BearerCredential(app_token(azure, audience)))


async def test_cloud_events_arrive_in_order_and_unchanged(inside_local_azure: RunningWorld) -> None:
    sent = [CloudEvent(source="/customers/contoso", type="CrossKey.KeyVerified", data={"n": n}) for n in range(3)]
    async with publisher(inside_local_azure) as client:
        await client.send(sent[:2])
        await client.send(sent[2])
    received = inside_local_azure.control.topic_events()
    assert [each["id"] for each in received] == [each.id for each in sent]
    assert received[0]["data"] == {"n": 0}
    assert received[0]["type"] == "CrossKey.KeyVerified"


async def test_events_in_the_event_grid_schema_are_taken_as_well(inside_local_azure: RunningWorld) -> None:
    event = EventGridEvent(subject="contoso", event_type="CrossKey.KeyVerified", data={}, data_version="1")
    async with publisher(inside_local_azure) as client:
        await client.send(event)
    assert inside_local_azure.control.topic_events()[0]["eventType"] == "CrossKey.KeyVerified"


async def test_a_token_for_another_audience_is_refused(inside_local_azure: RunningWorld) -> None:
    async with publisher(inside_local_azure, names.MANAGEMENT_RESOURCE) as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.send(CloudEvent(source="/a", type="b"))
    assert refused.value.status_code == 401


async def test_the_senders_role_can_be_required(inside_local_azure: RunningWorld) -> None:
    inside_local_azure.look(lambda world: setattr(world, "topic_sender_role_required", True))
    async with publisher(inside_local_azure) as client:
        await client.send(CloudEvent(source="/a", type="b"))
        inside_local_azure.look(lambda world: world.role_assignments.clear())
        with pytest.raises(HttpResponseError) as refused:
            await client.send(CloudEvent(source="/a", type="b"))
    assert refused.value.status_code == 403
    assert len(inside_local_azure.control.topic_events()) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "query", "status"),
    [
        ([{**EVENT, "source": ""}], "application/cloudevents-batch+json", "2018-01-01", 400),
        ([{**EVENT, "specversion": "0.3"}], "application/cloudevents-batch+json", "2018-01-01", 400),
        ([EVENT, {}], "application/cloudevents-batch+json", "2018-01-01", 400),
        ({}, "application/cloudevents-batch+json", "2018-01-01", 400),
        ([EVENT], "text/plain", "2018-01-01", 400),
        ([EVENT], "application/cloudevents-batch+json", "2020-01-01", 400),
        ([{**EVENT, "data": "x" * 1_100_000}], "application/cloudevents-batch+json", "2018-01-01", 413),
    ],
)
def test_a_malformed_publication_is_refused_as_a_whole(
    local_azure: RunningWorld, body: Any, content_type: str, query: str, status: int
) -> None:
    token = app_token(local_azure, names.EVENT_GRID_RESOURCE)
    with httpx.Client(proxy=local_azure.proxy_url, verify=local_azure.tls) as client:
        answer = client.post(
            f"{names.TOPIC_ENDPOINT}?api-version={query}",
            headers={"Authorization": f"Bearer {token}", "Content-Type": content_type},
            content=httpx.Request("POST", "http://x", json=body).content,
        )
    assert answer.status_code == status, answer.text
    assert local_azure.control.topic_events() == []
