"""What only the adapters of the topic and of Entra's signing keys do: how often they ask, and what they remember."""

from datetime import UTC, datetime

import jwt
import pytest

from shared.bundle import Bundle
from shared.errors import Unavailable
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


async def test_a_topic_that_does_not_answer_is_unavailable(bundle: Bundle, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("status", service="eventgrid", status=503)
    with pytest.raises(Unavailable):
        await bundle.notifications.publish([announcement(1)])
    assert len(local_azure.control.calls(service="eventgrid")) == 1


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
