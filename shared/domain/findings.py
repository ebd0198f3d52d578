"""Findings: what is wrong, whose it is, and how it is mended.

A `CheckResult` is one line of a key's verification; a `Finding` stands on a resource. Both carry a stable
reason; the remedy is not stored but made when it is shown (`remedies`), from one source.
"""

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.reasons import SENTENCES, Owner, Reason, owner_of


class Result(StrEnum):
    """Outcome of one check."""

    PASS = "pass"  # noqa: S105 - the word, not a password
    FAIL = "fail"
    WARN = "warn"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's outcome. `detail` adds what was observed to the reason's sentence.

    `versions` are the key versions that it is about, where the remedy must name them.
    """

    check: str
    result: Result
    reason: Reason | None = None
    detail: str = ""
    versions: tuple[str, ...] = ()

    @property
    def owner(self) -> Owner | None:
        """Who can mend it; None when nothing is wrong."""
        return None if self.reason is None else owner_of(self.reason)

    @property
    def message(self) -> str:
        """The reason's sentence with what was observed."""
        return describe(self.reason, self.detail)


def passed(check: str) -> CheckResult:
    """A check that found nothing wrong."""
    return CheckResult(check, Result.PASS)


def failed(check: str, reason: Reason, detail: str = "", versions: tuple[str, ...] = ()) -> CheckResult:
    """A check that found something wrong."""
    return CheckResult(check, Result.FAIL, reason, detail, versions)


def skipped(check: str, detail: str) -> CheckResult:
    """A check that could not be made, and why."""
    return CheckResult(check, Result.SKIPPED, None, detail)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a resource."""

    reason: Reason
    detail: str = ""

    @property
    def message(self) -> str:
        """The reason's sentence with what was observed."""
        return describe(self.reason, self.detail)


def describe(reason: Reason | None, detail: str) -> str:
    """Put a reason's sentence and an observation together."""
    sentence = "" if reason is None else SENTENCES[reason]
    return " ".join(part for part in (sentence, detail) if part)
