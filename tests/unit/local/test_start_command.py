"""`./dev start`: announced when everything answers, withdrawn and stopped at a signal."""

import asyncio
import json
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from local import start_command


class FakeWorld:
    """A world that starts at once; `state` says how far its life went."""

    state = "new"

    async def __aenter__(self) -> Self:
        FakeWorld.state = "started"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        FakeWorld.state = "stopped"

    def ready(self) -> dict[str, Any]:
        return {"control": "http://127.0.0.1:1"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_withdraws_the_ready_files_and_stops_the_world(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_command, "LocalWorld", FakeWorld)
    files = [tmp_path / "run" / "ready.json", tmp_path / "mine.json"]
    announced = asyncio.Event()
    monkeypatch.setattr(start_command, "_say", lambda line: announced.set() if "Ctrl-C" in line else None)
    serving = asyncio.create_task(start_command._serve(files))
    async with asyncio.timeout(5):
        await announced.wait()
        assert json.loads(files[0].read_text(encoding="utf-8")) == {"control": "http://127.0.0.1:1"}
        assert FakeWorld.state == "started"
        os.kill(os.getpid(), number)
        with pytest.raises(asyncio.CancelledError):
            await serving
    assert FakeWorld.state == "stopped"
    assert [file for file in files if file.exists()] == []


def test_a_file_that_a_later_world_put_in_place_is_left_to_it(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with start_command._announced([file], "first"):
        file.write_text("second", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == "second"
