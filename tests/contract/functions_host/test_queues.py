"""Queue triggers and outputs over the real Azurite: success, retries, poison, and messages nobody can read."""

from datetime import timedelta
from time import monotonic

import pytest

from tests.contract.functions_host.harness import HostUnderTest, StorageWorld, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _until_empty(world: StorageWorld, queue: str) -> None:
    deadline = monotonic() + 10
    while await world.length(queue):
        assert monotonic() < deadline, f"{queue} is not empty"


async def test_a_message_that_succeeds_is_gone(world: StorageWorld, host: HostUnderTest) -> None:
    await world.send("work", {"id": "fine"})
    await until(lambda: any(one["body"]["id"] == "fine" for one in host.seen("worked")), "fine")
    await _until_empty(world, "work")


async def test_a_message_that_fails_is_run_again(world: StorageWorld, host: HostUnderTest) -> None:
    await world.send("work", {"id": "twice", "failures": 1})
    await until(lambda: any(one["body"]["id"] == "twice" for one in host.seen("worked")), "twice")
    assert [one["count"] for one in host.seen("work") if one["body"]["id"] == "twice"] == [1, 2]
    await _until_empty(world, "work")


async def test_a_message_that_keeps_failing_goes_to_poison(world: StorageWorld, host: HostUnderTest) -> None:
    await world.send("work", {"id": "hopeless", "failures": 9})
    await until(lambda: any("hopeless" in one["body"] for one in host.seen("poison")), "hopeless in poison")
    assert [one["count"] for one in host.seen("work") if one["body"]["id"] == "hopeless"] == [1, 2, 3]
    await _until_empty(world, "work")


async def test_a_message_that_is_not_base64_goes_to_poison_unrun(world: StorageWorld, host: HostUnderTest) -> None:
    runs = len(host.seen("made"))
    await world.send_raw("made", "not base64!")
    deadline = monotonic() + 10
    while await world.length("made"):
        assert monotonic() < deadline, "the message stays"
    assert await world.peek("made-poison") == ["not base64!"]
    assert len(host.seen("made")) == runs


async def test_an_output_makes_its_queue_and_wakes_its_trigger(host: HostUnderTest) -> None:
    async with host.client() as client:
        assert (await client.post("/api/put", content=b"through the queue")).text == "put"
    await until(lambda: any(one["body"] == "through the queue" for one in host.seen("made")), "the output")


async def test_messages_run_beside_each_other(world: StorageWorld, host: HostUnderTest) -> None:
    started = monotonic()
    for number in range(10):
        await world.send("work", {"id": f"slow-{number}", "seconds": 1})
    await until(lambda: sum("slow" in one["body"]["id"] for one in host.seen("worked")) == 10, "ten slow messages")
    assert monotonic() - started < 5


async def test_a_jump_of_the_clock_does_not_run_a_running_message_twice(
    world: StorageWorld, host: HostUnderTest
) -> None:
    await world.send("work", {"id": "long", "seconds": 1})
    await until(lambda: any(one["body"]["id"] == "long" for one in host.seen("work")), "the start")
    await host.move_clock(timedelta(minutes=30))
    await until(lambda: any(one["body"]["id"] == "long" for one in host.seen("worked")), "the end")
    await _until_empty(world, "work")
    assert len([one for one in host.seen("work") if one["body"]["id"] == "long"]) == 1
