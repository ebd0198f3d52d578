"""The notification topic and Entra's signing keys on the local Azure."""

from datetime import UTC, datetime

import jwt
import pytest

from local import names
from shared.bundle import Bundle
from shared.errors import Refused, Throttled, Unavailable
from shared.ports import Announcement
from tests.running_world import RunningWorld


def announcement(number: int) -> Announcement:
    return Announcement(
        event_id=f"key:primary/{number}",
        type="CrossKey.KeyVerified",
        source="https://crosskey.azurewebsites.net/api/customers/contoso",
        subject="keys/primary",
        time=datetime(2026, 11, 22, 12, tzinfo=UTC),
        data={"number": number, "text": "ü"},
    )


async def test_announcements_arrive_in_order(bundle: Bundle, local_azure: RunningWorld) -> None:
    await bundle.notifications.publish([announcement(1), announcement(2)])
    await bundle.notifications.publish([announcement(3)])
    await bundle.notifications.publish([])
    events = local_azure.control.topic_events()
    assert [event["id"] for event in events] == ["key:primary/1", "key:primary/2", "key:primary/3"]
    assert (events[0]["type"], events[0]["subject"]) == ("CrossKey.KeyVerified", "keys/primary")
    assert events[0]["data"] == {"number": 1, "text": "ü"}


async def test_a_topic_that_does_not_answer_is_unavailable(bundle: Bundle, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("status", service="eventgrid", status=503)
    with pytest.raises(Unavailable):
        await bundle.notifications.publish([announcement(1)])
    assert len(local_azure.control.calls(service="eventgrid")) == 1


async def test_a_throttled_publication_is_not_waited_out_here(bundle: Bundle, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("status", service="eventgrid", status=429, headers={"Retry-After": "60"})
    with pytest.raises(Throttled) as throttled:
        await bundle.notifications.publish([announcement(1)])
    assert throttled.value.retry_after is not None


async def test_a_refused_publication_says_so(bundle: Bundle, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("status", service="eventgrid", status=403)
    with pytest.raises(Refused):
        await bundle.notifications.publish([announcement(1)])


async def test_a_published_key_verifies_a_token(bundle: Bundle, local_azure: RunningWorld) -> None:
    token = local_azure.control.token("provider", "CrossKey.Reader")
    key = await bundle.signing_keys.find(jwt.get_unverified_header(token)["kid"])
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=names.API_CLIENT_ID)
    assert claims["tid"] == names.PROVIDER_TENANT_ID


async def test_an_unknown_key_is_none_and_asked_for_once(bundle: Bundle, local_azure: RunningWorld) -> None:
    for number in range(5):
        assert await bundle.signing_keys.find(f"forged-{number}") is None
    assert len(local_azure.control.calls(service="entra")) == 1


async def test_known_keys_stay_good_while_entra_is_down(bundle: Bundle, local_azure: RunningWorld) -> None:
    token = local_azure.control.token("provider", "CrossKey.Reader")
    identifier = jwt.get_unverified_header(token)["kid"]
    assert await bundle.signing_keys.find(identifier) is not None
    local_azure.control.add_fault("drop", service="entra")
    assert await bundle.signing_keys.find(identifier) is not None


async def test_without_any_key_an_outage_is_could_not_tell(bundle: Bundle, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("malformed", service="entra", when="after")
    with pytest.raises(Unavailable):
        await bundle.signing_keys.find("any")
