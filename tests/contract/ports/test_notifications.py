"""What every topic does: announcements in order, under the ids they were given, each as often as it was published."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import Refused, Throttled, Unavailable
from shared.ports import Announcement
from tests.contract.ports.stage import Stage


def announcement(number: int) -> Announcement:
    return Announcement(
        event_id=f"key:primary/{number}",
        type="CrossKey.KeyVerified",
        source="https://crosskey.azurewebsites.net/api/customers/contoso",
        subject="keys/primary",
        time=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC),
        data={"number": number, "text": "ü", "inner": {"list": [1, None, True]}},
    )


async def test_announcements_arrive_whole_and_in_order(stage: Stage) -> None:
    many = [announcement(number) for number in range(9, 0, -1)]
    await stage.bundle.notifications.publish(many[:4])
    await stage.bundle.notifications.publish(many[4:])
    assert stage.announced() == many


async def test_an_announcement_that_is_repeated_keeps_its_id(stage: Stage) -> None:
    await stage.bundle.notifications.publish([announcement(1)])
    await stage.bundle.notifications.publish([announcement(1), announcement(2)])
    assert stage.announced() == [announcement(1), announcement(1), announcement(2)]


async def test_nothing_to_announce_is_nothing_announced(stage: Stage) -> None:
    stage.silence("publish")
    with pytest.raises(Unavailable):
        await stage.bundle.notifications.publish([announcement(1)])
    await stage.bundle.notifications.publish([])
    assert stage.announced() == []


async def test_a_lost_answer_is_could_not_tell_though_the_announcements_arrived(stage: Stage) -> None:
    stage.lose_answer("publish")
    with pytest.raises(Unavailable):
        await stage.bundle.notifications.publish([announcement(1), announcement(2)])
    assert stage.announced() == [announcement(1), announcement(2)]


async def test_a_topic_that_gives_no_answer_has_announced_nothing(stage: Stage) -> None:
    stage.silence("publish")
    with pytest.raises(Unavailable) as unavailable:
        await stage.bundle.notifications.publish([announcement(1)])
    assert type(unavailable.value) is Unavailable
    assert stage.announced() == []


@pytest.mark.parametrize("wait", [timedelta(seconds=60), None])
async def test_throttling_is_passed_on_with_the_delay_if_one_was_named(stage: Stage, wait: timedelta | None) -> None:
    stage.throttle("publish", wait)
    with pytest.raises(Throttled) as throttled:
        await stage.bundle.notifications.publish([announcement(1)])
    assert throttled.value.retry_after == wait
    assert stage.announced() == []


async def test_a_refused_publication_says_so(stage: Stage) -> None:
    stage.refuse("publish", status=403, code="Forbidden")
    with pytest.raises(Refused) as refused:
        await stage.bundle.notifications.publish([announcement(1)])
    assert (refused.value.http_status, refused.value.azure_code) == (403, "Forbidden")
    assert stage.announced() == []
