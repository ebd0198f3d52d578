"""`python -m tests.replay FOLDER`: replays a folder of recordings; exits non-zero where something is unexplained."""

import logging
import sys
from pathlib import Path

from tests.replay.report import Line, Report, replay


def main(arguments: list[str]) -> int:
    """Replay, printing each exchange as it is done."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("Give one folder of recordings: ./dev replay FOLDER", file=sys.stderr)
        return 2
    lines: list[Line] = []
    # The SDKs log every refusal, and refusals are what is replayed here.
    logging.disable(logging.CRITICAL)
    try:
        for line in replay(Path(arguments[0])):
            print(line)
            lines.append(line)
    finally:
        logging.disable(logging.NOTSET)
    report = Report(lines)
    for line in report.unexplained:
        print(f"unexplained: {line.title}")
    print(report.summary())
    return 1 if report.unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
