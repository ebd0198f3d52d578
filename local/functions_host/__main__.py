"""The command `python -m local.functions_host`: runs the host until SIGTERM or SIGINT.

Exits with 0 after an orderly stop and with 2 when it refuses the app; the reason is on standard error.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from local.functions_host.errors import AppRefused
from local.functions_host.host import Arguments, Host


def _parse(argv: list[str]) -> Arguments:
    parser = argparse.ArgumentParser(prog="python -m local.functions_host", description="Run an app's functions.")
    parser.add_argument("--app-dir", type=Path, required=True, help="folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071, help="loopback port; 0 takes any free one")
    parser.add_argument("--clock-file", type=Path, required=True, help="file with the clock's offset in seconds")
    parser.add_argument("--ready-file", type=Path, required=True, help="written when every trigger works")
    parser.add_argument("--keys-file", type=Path, help="keys; made when not there (default: beside the ready file)")
    parser.add_argument("--lease-seconds", type=int, default=600, help="how long a taken message stays hidden")
    parser.add_argument("--drain-seconds", type=float, default=5.0, help="how long a stop waits for what runs")
    parser.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input closes")
    given = parser.parse_args(argv)
    ready_file = given.ready_file.resolve()
    return Arguments(
        app_directory=given.app_dir.resolve(),
        port=given.port,
        clock_file=given.clock_file.resolve(),
        ready_file=ready_file,
        keys_file=given.keys_file.resolve() if given.keys_file else ready_file.with_suffix(".keys.json"),
        lease_seconds=given.lease_seconds,
        drain_seconds=given.drain_seconds,
        stop_with_stdin=given.stop_with_stdin,
    )


async def _serve(arguments: Arguments) -> int:
    host = Host(arguments, os.environ)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if arguments.stop_with_stdin:
        # A parent that dies without a word closes its end of the pipe: no host outlives its world.
        loop.add_reader(sys.stdin.fileno(), stop.set)
    return await host.run(stop)


def main(argv: list[str]) -> None:
    """Run the host, and end the process."""
    try:
        left_running = asyncio.run(_serve(_parse(argv)))
    except AppRefused as refused:
        print(f"functions host: {refused}", file=sys.stderr)
        code = 2
    else:
        code = 0
        if left_running:
            logging.getLogger("host").warning("ending with %d invocations still running", left_running)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # A plain function cannot be stopped, and its thread would keep the interpreter from ending.
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
