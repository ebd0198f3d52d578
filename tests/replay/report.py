"""Replays every recording of a folder and tells, exchange by exchange, what came of it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.replay.alike import replay_locally
from tests.replay.places import service_of, template
from tests.replay.reading import read_answer
from tests.replay.recordings import Exchange, Unreadable, load, recordings
from tests.replay.sending import compare_request
from tests.replay.stage import Stage
from tests.replay.verdicts import Said, Verdict


@dataclass(frozen=True)
class Line:
    """What came of one exchange."""

    title: str
    reading: Said
    sending: Said
    likeness: Said

    @property
    def unexplained(self) -> bool:
        """Whether something is wrong that nobody has explained."""
        return Verdict.UNREAD in self._verdicts or Verdict.DIFFERS in self._verdicts

    @property
    def differs(self) -> bool:
        """Whether the local Azure or the app's request differs, explained or not."""
        return Verdict.DIFFERS in self._verdicts or self.likeness.verdict is Verdict.EXPLAINED

    @property
    def _verdicts(self) -> set[Verdict]:
        return {self.reading.verdict, self.sending.verdict, self.likeness.verdict}

    def __str__(self) -> str:
        lines = [self.title]
        for name, said in (("read", self.reading), ("sent", self.sending), ("alike", self.likeness)):
            lines.append(f"    {name:<6} {said.verdict}{': ' if said.text else ''}{said.text}")
        return "\n".join(lines)


class Report:
    """All lines, counted."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines

    @property
    def unexplained(self) -> list[Line]:
        return [each for each in self.lines if each.unexplained]

    def summary(self) -> str:
        """The last line. Every exchange is alike, differs or is not covered; what the app reads is counted apart."""
        read = sum(each.reading.verdict is Verdict.READ for each in self.lines)
        differ = sum(each.differs for each in self.lines)
        alike = sum(each.likeness.verdict is Verdict.ALIKE and not each.differs for each in self.lines)
        rest = len(self.lines) - alike - differ
        return f"{len(self.lines)} exchanges: {read} read, {alike} alike, {differ} differ, {rest} not covered"


def replay(folder: Path) -> Iterator[Line]:
    """Replay every recording below a folder."""
    with Stage() as stage:
        for path in recordings(folder):
            try:
                exchanges = load(path, folder)
            except Unreadable as error:
                unread = Said(Verdict.UNREAD, str(error))
                yield Line(path.relative_to(folder).as_posix(), unread, unread, unread)
                continue
            for exchange in exchanges:
                yield _replay(stage, exchange)


def _replay(stage: Stage, exchange: Exchange) -> Line:
    service = service_of(exchange)
    place = template(service, exchange.url) or "/"
    asked = f"{service}, {exchange.method} {place}, {exchange.status or 'no status'}"
    title = f"{exchange.file} #{exchange.number}: {asked}"
    try:
        reading = asyncio.run(read_answer(exchange))
        sending = compare_request(exchange, reading.sent)
    except Exception as error:  # noqa: BLE001 - see below
        # The boundary of one recording: one that surprises everything is told, and does not hide the others.
        reading = sending = Said(Verdict.UNREAD, _told(error))
    try:
        likeness = replay_locally(stage, exchange)
    except Exception as error:  # noqa: BLE001 - see above
        likeness = Said(Verdict.DIFFERS, _told(error))
    return Line(title, reading, sending, likeness)


def _told(error: Exception) -> str:
    return f"the replay does not understand it: {type(error).__name__}: {error}"
