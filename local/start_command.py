"""`./dev start`: a world that runs until Ctrl-C or SIGTERM, with its addresses in ready files.

The first ready file is the checkout's own, where `./dev token` looks. Files are put in place whole and only when
everything answers, and are removed before anything stops.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from local.child import ChildFailed
from local.run import LocalWorld


def run(ready_files: Sequence[Path]) -> int:
    """Run a world until a signal; returns the process's exit code."""
    try:
        asyncio.run(_serve([file.resolve() for file in ready_files]))
    except asyncio.CancelledError:
        return 0
    except ChildFailed as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    return 0


async def _serve(ready_files: Sequence[Path]) -> None:
    _cancel_on_signal()
    _say("Starting Azure on loopback and CrossKey ...")
    async with LocalWorld() as world:
        text = json.dumps(world.ready(), indent=2) + "\n"
        with _announced(ready_files, text):
            _say(text.rstrip())
            _say("Get a token in another terminal: ./dev token --tenant provider --role Operator")
            _say("Ctrl-C stops everything.")
            await asyncio.Event().wait()


def _cancel_on_signal() -> None:
    """End this task at the first signal, also while the world is still starting; a second one changes nothing."""
    task, loop, stopping = asyncio.current_task(), asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        if task is not None and not stopping.is_set():
            stopping.set()
            _say("Stopping ...")
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


@contextmanager
def _announced(files: Sequence[Path], text: str) -> Iterator[None]:
    try:
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(file)  # a reader sees all of it or nothing
        yield
    finally:
        for file in files:
            # A world that was started later may have put its own file in this place.
            with suppress(FileNotFoundError):
                if file.read_text(encoding="utf-8") == text:
                    file.unlink()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
