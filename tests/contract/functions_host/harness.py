"""A Functions host as a child process over an Azurite of its own, for the tests of this folder."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from azure.storage.queue.aio import QueueClient

from local.azurite import Azurite
from local.child import Child
from local.clock import Clock

ROOT = Path(__file__).resolve().parents[3]
SAMPLE_APP = Path(__file__).resolve().parent / "sample_app"
KEYS = {
    "masterKey": "master",
    "functionKeys": {"default": "of-the-host"},
    "systemKeys": {"eventgrid_extension": "of-event-grid"},
    "functions": {"guarded": {"default": "of-guarded"}, "item": {"default": "of-item"}},
}


class StorageWorld:
    """A clock and the storage that follows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock(folder / "clock")
        self.azurite = Azurite(self.clock, folder)
        self._made: set[str] = set()

    async def send(self, queue: str, body: object) -> None:
        """Put a message on a queue as an app would, in base64."""
        await self.send_raw(queue, base64.b64encode(json.dumps(body).encode()).decode())

    async def send_raw(self, queue: str, text: str) -> None:
        """Put text on a queue as it stands."""
        async with self._queue(queue) as client:
            if queue not in self._made:
                await client.create_queue()
                self._made.add(queue)
            await client.send_message(text)

    async def peek(self, queue: str) -> list[str]:
        """Show the visible messages of a queue."""
        async with self._queue(queue) as client:
            return [str(message.content) for message in await client.peek_messages(max_messages=32)]

    async def length(self, queue: str) -> int:
        """Count a queue's messages, hidden ones too."""
        async with self._queue(queue) as client:
            return (await client.get_queue_properties()).approximate_message_count or 0

    def _queue(self, name: str) -> QueueClient:
        return QueueClient.from_connection_string(self.azurite.connection_string, name)


class HostUnderTest:
    """One Functions host that can be killed and started again; what its app saw survives in a file."""

    def __init__(
        self,
        world: StorageWorld,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
        app: Path = SAMPLE_APP,
    ) -> None:
        self.world = world
        self.ready_file = folder / "host.ready"
        self.seen_file = folder / "seen"
        keys_file = folder / "keys.json"
        keys_file.write_text(json.dumps(KEYS))
        environment = {
            "PATH": os.environ["PATH"],
            "AzureWebJobsStorage": world.azurite.connection_string,
            "SEEN_FILE": str(self.seen_file),
            "SWEEP_SCHEDULE": "0 */5 * * * *",
            "AzureWebJobs.switched_off.Disabled": "true",
            **(settings or {}),
        }
        self.log_file = folder / "host.log"
        self.child = Child(
            "the Functions host",
            [
                *(sys.executable, "-m", "local.functions_host", "--app-dir", str(app), "--port", "0"),
                *("--clock-file", str(world.clock.path), "--ready-file", str(self.ready_file)),
                *("--keys-file", str(keys_file), "--stop-with-stdin", *arguments),
            ],
            environment=environment,
            folder=ROOT,
            log_file=self.log_file,
        )

    async def start(self) -> None:
        self.ready_file.unlink(missing_ok=True)
        await self.child.start(self._is_ready)

    def close_standard_input(self) -> None:
        """Do what the death of the parent does."""
        process = self.child._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()

    def client(self) -> httpx.AsyncClient:
        url = json.loads(self.ready_file.read_text())["baseUrl"]
        return httpx.AsyncClient(base_url=url, timeout=20)

    def seen(self, kind: str) -> list[dict[str, Any]]:
        """What the app's functions noted under a kind, in order."""
        lines = self.seen_file.read_text().splitlines() if self.seen_file.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]

    def log(self) -> list[dict[str, Any]]:
        """The host's structured lines."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{")]

    async def until_seen(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many notes of a kind."""
        await until(lambda: len(self.seen(kind)) >= count, f"{count} x {kind}")
        return self.seen(kind)

    async def move_clock(self, by: timedelta) -> None:
        """Move the world's clock and wait until the host follows."""
        self.world.clock.advance(by)
        async with self.client() as client:
            wanted = self.world.clock.offset.total_seconds()
            deadline = monotonic() + 5
            while (await client.get("/admin/host/status")).json()["clockOffsetSeconds"] != wanted:
                assert monotonic() < deadline, "the host's clock does not follow"

    async def _is_ready(self) -> bool:
        return self.ready_file.exists()


async def until(fact: Callable[[], bool], what: str, within_seconds: float = 10) -> None:
    """Wait for something that happens in another process."""
    deadline = monotonic() + within_seconds
    while not fact():
        assert monotonic() < deadline, f"did not happen within {within_seconds} s: {what}"
        await asyncio.sleep(0.02)
