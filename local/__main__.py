"""The command `python -m local`, which `./dev demo`, `./dev start` and `./dev token` run.

Only parses arguments; each sub-command's module is imported when it is used, so that a token costs no world.
"""

import argparse
import sys
from pathlib import Path

from local import names

DEFAULT_READY_FILE = Path(__file__).resolve().parents[1] / ".local" / "ready.json"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse a command line; ends the process with the usage when it is wrong."""
    parser = argparse.ArgumentParser(prog="./dev", description="CrossKey and Azure on loopback.")
    commands = parser.add_subparsers(dest="command", required=True)

    demo = commands.add_parser("demo", help="play the main scenario and show what was observed")
    demo.add_argument("--report", type=Path, metavar="FILE", help="write what was observed as JSON")

    start = commands.add_parser("start", help="keep a world running until Ctrl-C")
    start.add_argument("--ready-file", type=Path, metavar="FILE", help="write the world's addresses as JSON")

    token = commands.add_parser("token", help="print a bearer token of the running world")
    token.add_argument("--tenant", required=True, help="`provider`, or a tenant's name or id")
    token.add_argument(
        "--role",
        required=True,
        action="append",
        choices=[role.removeprefix("CrossKey.") for role in names.API_ROLES],
        type=lambda text: text.removeprefix("CrossKey."),
        help="may be given more than once",
    )
    token.add_argument("--ready-file", type=Path, metavar="FILE", help="of another world than this checkout's")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run one sub-command and return the process's exit code."""
    given = parse(arguments)
    if given.command == "demo":
        from local.demo import play  # noqa: PLC0415 - see the module's docstring

        return play.run(given.report)
    if given.command == "start":
        from local import start_command  # noqa: PLC0415 - see the module's docstring

        return start_command.run(tuple(file for file in (DEFAULT_READY_FILE, given.ready_file) if file is not None))
    from local import token_command  # noqa: PLC0415 - see the module's docstring

    return token_command.run(given.ready_file or DEFAULT_READY_FILE, tenant=given.tenant, roles=given.role)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
