"""What the replay says about one exchange, and whether an error of ours tells of an answer what it should."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from shared.errors import CrossKeyError, Refused, Throttled, Unavailable
from tests.replay.answering import Sent
from tests.replay.recordings import Exchange

_DELAY: Final = re.compile(r"(?:after|in) '?(\d+)'? seconds")


class Verdict(StrEnum):
    """What can come of one comparison."""

    READ = "read"
    UNREAD = "unread"
    YES = "yes"
    ALIKE = "alike"
    EXPLAINED = "differs, explained"
    DIFFERS = "differs"
    NOT_OURS = "not ours"
    NOT_COVERED = "not covered"


@dataclass(frozen=True)
class Said:
    """A verdict with its words, and, of a reading, the requests that the adapter sent."""

    verdict: Verdict
    text: str
    sent: tuple[Sent, ...] = ()


def read(text: str, sent: list[Sent], wrong: list[str]) -> Said:
    """What was read, unless it contradicts the recording."""
    if wrong:
        return Said(Verdict.UNREAD, f"{text}; but {'; '.join(wrong)}", tuple(sent))
    return Said(Verdict.READ, text, tuple(sent))


def not_ours(text: str) -> Said:
    """Nothing of the app reads or sends this."""
    return Said(Verdict.NOT_OURS, text)


def describe(error: CrossKeyError) -> str:
    """An error in a line."""
    if isinstance(error, Refused):
        codes = " ".join(each for each in (error.azure_code, error.inner_code) if each)
        return f"Refused {error.http_status} {codes}"
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return type(error).__name__ + (f", wait {wait.total_seconds():.0f} s" if wait else "")


def wrong_with(error: CrossKeyError, exchange: Exchange) -> list[str]:
    """Where an error of ours does not say what the recorded refusal says."""
    status = exchange.status
    if status in {408, 429, 500, 502, 503, 504}:
        return _wrong_with_outage(error, exchange)
    if status == 409 and isinstance(error, Unavailable) and "InProgress" in exchange.code:
        # Somebody else is changing it: that passes.
        return []
    if not 400 <= status < 500:
        return ["the answer is no refusal"]
    if not isinstance(error, Refused):
        return ["it should be Refused"]
    found = (error.http_status, error.azure_code, error.inner_code)
    wanted_codes = (status, exchange.code or exchange.headers.get("x-ms-error-code", ""), exchange.inner_code)
    return [] if found == wanted_codes else [f"it should say {wanted_codes}"]


def _wrong_with_outage(error: CrossKeyError, exchange: Exchange) -> list[str]:
    if exchange.status != 429:
        return [] if type(error) is Unavailable else ["it should be Unavailable"]
    wanted = _delay(exchange)
    if not isinstance(error, Throttled):
        return ["it should be Throttled"]
    return [] if error.retry_after == wanted else [f"it should wait {wanted}"]


def _delay(exchange: Exchange) -> timedelta | None:
    """The delay of the header or, where that says none, of the text."""
    seconds = exchange.headers.get("retry-after", "")
    if seconds.isdecimal() and int(seconds):
        return timedelta(seconds=int(seconds))
    texts = [exchange.error.get("message"), *(each.get("message") for each in exchange.error.get("details") or [])]
    found = _DELAY.search(" ".join(str(text) for text in texts))
    return timedelta(seconds=int(found[1])) if found else None
