"""Timers on a moved clock, and a host that is killed and started again."""

import json
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from local.child import ChildFailed
from tests.contract.functions_host.harness import HostUnderTest, StorageWorld, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_app_lives_in_the_worlds_time(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.move_clock(timedelta(days=400))
    async with own_host.client() as client:
        seen = (await client.get("/api/echo/now")).json()
    wanted = own_host.world.clock.time()
    assert seen["now"] == pytest.approx(wanted, abs=5)
    assert seen["time"] == pytest.approx(wanted, abs=5)


async def test_a_timer_fires_once_when_the_clock_jumps_past_it(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.move_clock(timedelta(minutes=21))
    (fired,) = await own_host.until_seen("sweep")
    assert fired["past_due"] is False
    # The clock moves on only now: had several missed occurrences queued up, they would be seen by then.
    await own_host.move_clock(timedelta(minutes=5))
    await own_host.until_seen("sweep", 2)
    assert len(own_host.seen("sweep")) == 2


async def test_a_disabled_timer_stays_silent(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.move_clock(timedelta(minutes=6))
    await own_host.until_seen("sweep")
    assert own_host.seen("switchedOff") == []


async def test_an_occurrence_missed_while_down_is_past_due(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.child.kill()
    own_host.world.clock.advance(timedelta(minutes=6))
    await own_host.start()
    (fired, *_) = await own_host.until_seen("sweep")
    assert fired["past_due"] is True


async def test_a_restart_without_a_missed_occurrence_fires_nothing(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.child.kill()
    await own_host.start()
    await own_host.child.stop()
    assert own_host.seen("sweep") == []


async def test_a_failed_timer_is_tried_again_by_its_policy(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.move_clock(timedelta(days=7))
    for attempt in range(1, 3):
        await own_host.until_seen("weekly", attempt)
        await own_host.move_clock(timedelta(seconds=11))
    assert [one["attempt"] for one in await own_host.until_seen("weekly", 3)] == [0, 1, 2]


async def test_a_killed_hosts_message_comes_back_when_its_lease_ends(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.world.send("work", {"id": "interrupted", "seconds": 1})
    await own_host.until_seen("work")
    await own_host.child.kill()
    await own_host.start()
    assert own_host.seen("worked") == []
    await own_host.move_clock(timedelta(minutes=11))
    await own_host.until_seen("worked")
    assert [one["count"] for one in own_host.seen("work")] == [1, 2]


async def test_a_message_killed_at_its_last_attempt_goes_to_poison_unrun(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.world.send("work", {"id": "deadly", "seconds": 30})
    for attempt in (1, 2, 3):
        await own_host.until_seen("work", attempt)
        await own_host.child.kill()
        own_host.world.clock.advance(timedelta(minutes=11))
        await own_host.start()
    await own_host.until_seen("poison")
    assert len(own_host.seen("work")) == 3


async def test_no_message_is_lost_over_kills(own_host: HostUnderTest) -> None:
    await own_host.start()
    wanted = {f"kept-{number}" for number in range(40)}
    for identifier in wanted:
        await own_host.world.send("work", {"id": identifier, "seconds": 0.1})
    for finished in (1, 20):
        await own_host.until_seen("worked", finished)
        await own_host.child.kill()
        own_host.world.clock.advance(timedelta(minutes=11))
        await own_host.start()
    await until(lambda: {one["body"]["id"] for one in own_host.seen("worked")} == wanted, "all messages")
    # A message whose function ended just before a kill was not deleted, and comes once more: at least once, never less.
    await own_host.move_clock(timedelta(minutes=11))
    deadline = monotonic() + 10
    while await own_host.world.length("work"):
        assert monotonic() < deadline, "messages stay on the queue"


async def test_a_running_message_keeps_its_lease(world: StorageWorld, tmp_path: Path) -> None:
    host = HostUnderTest(world, tmp_path, arguments=("--lease-seconds", "1"))
    await host.start()
    await world.send("work", {"id": "renewed", "seconds": 2.5})
    await host.until_seen("worked")
    await host.child.stop()
    assert [one["count"] for one in host.seen("work")] == [1]
    assert await world.length("work") == 0


async def test_a_stop_lets_what_runs_end(own_host: HostUnderTest) -> None:
    await own_host.start()
    await own_host.world.send("work", {"id": "last", "seconds": 1})
    await own_host.until_seen("work")
    await own_host.child.stop()
    assert [one["body"]["id"] for one in own_host.seen("worked")] == ["last"]
    assert await own_host.world.length("work") == 0


async def test_the_ready_file_tells_where_and_what(own_host: HostUnderTest) -> None:
    await own_host.start()
    ready = json.loads(own_host.ready_file.read_text())
    assert ready["pid"] == own_host.child.process_id
    assert "sweep" in ready["functions"]
    assert ready["keys"]["masterKey"] == "master"


async def test_a_host_does_not_outlive_its_parent(own_host: HostUnderTest) -> None:
    await own_host.start()
    own_host.close_standard_input()
    await until(lambda: not own_host.child.running, "the end of the host")


APP = "import azure.functions as func\napp = func.FunctionApp()\n"
BLOB_APP = f"""{APP}
@app.blob_trigger(arg_name="blob", path="a/b", connection="c")
def read(blob: func.InputStream): ...
"""
TIMER_APP = f"""{APP}
@app.timer_trigger(arg_name="timer", schedule="%NOT_THERE%")
def tick(timer: func.TimerRequest): ...
"""

STREAMING_APP = f"""{APP}
from azurefunctions.extensions.base import WebApp
class Streaming(WebApp): ...
@app.route(route="x")
def x(req: func.HttpRequest) -> str: ...
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "there is no function_app.py"),
        (APP, "defines no functions"),
        ("import no_such_module", "no_such_module"),
        (BLOB_APP, "blobTrigger is not imitated"),
        (STREAMING_APP, "HTTP streaming .* is not imitated"),
        (TIMER_APP, "there is no app setting NOT_THERE"),
    ],
)
async def test_an_app_that_cannot_be_hosted_is_refused_with_the_reason(
    world: StorageWorld, tmp_path: Path, code: str | None, reason: str
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "host.json").write_text('{"version": "2.0"}')
    if code is not None:
        (app / "function_app.py").write_text(code)
    host = HostUnderTest(world, tmp_path, app=app)
    with pytest.raises(ChildFailed, match=reason):
        await host.start()
    await host.child.stop()
