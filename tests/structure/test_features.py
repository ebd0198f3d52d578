"""The page of features holds against the code: what it names exists, and what the code has is on it.

A row about a code (a reason, a notification, a health state) must name a test in whose file that code occurs.
"""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import NoReturn

import pytest

from handlers.api.app import create_app
from shared.domain.entries import Notification
from shared.domain.model import HealthState
from shared.domain.reasons import Reason
from shared.errors import SettingsInvalid
from tests.structure.project import ROOT, relative

PAGE = ROOT / "docs" / "features.md"
CODE = re.compile(r"`([^`]+)`")
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
SHOWN_AS: dict[type[StrEnum], str] = {Reason: "", Notification: "CrossKey.", HealthState: ""}
CODES = [each for kind in SHOWN_AS for each in kind]


@dataclass(frozen=True)
class Row:
    """A line of a table: its heading, the codes of what it says, and the tests that show it."""

    heading: str
    says: tuple[str, ...]
    shown_by: tuple[str, ...]


@cache
def rows() -> tuple[Row, ...]:
    found: list[Row] = []
    heading = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith("| ---") and not line.endswith("| shown by |"):
            _, says, shown_by, _ = line.split("|")
            found.append(Row(heading, tuple(CODE.findall(says)), tuple(CODE.findall(shown_by))))
    return tuple(found)


def says(code: str) -> list[Row]:
    """The rows that begin with a code."""
    return [row for row in rows() if row.says[:1] == (code,)]


@cache
def functions_of(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return frozenset(each.name for each in body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def routes() -> set[str]:
    def no_bundle() -> NoReturn:
        raise SettingsInvalid(())

    paths = create_app(no_bundle).openapi()["paths"]
    return {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}


def occurs(code: StrEnum, tests: Iterable[str]) -> bool:
    """Whether a code is in a file that one of the tests is in, by its member's name or as text."""
    named = re.compile(rf"\b{type(code).__name__}\.{code.name}\b|[\"'](?:CrossKey\.)?{code.value}[\"']")
    return any(named.search((ROOT / test.partition("::")[0]).read_text(encoding="utf-8")) for test in tests)


def test_every_row_names_a_test_and_every_named_test_exists() -> None:
    assert len(rows()) > 100
    assert [row for row in rows() if not row.shown_by] == []
    named = {test for row in rows() for test in row.shown_by}
    missing = set()
    for test in named:
        match = TEST.fullmatch(test)
        if match is None or match[2] not in functions_of(match[1]):
            missing.add(test)
    assert missing == set(), f"{relative(PAGE)} names tests that do not exist"


def test_the_api_has_the_routes_on_the_page_and_no_others() -> None:
    named = {row.says[0] for row in rows() if row.says and re.match(r"[A-Z]+ /api/", row.says[0])}
    assert named == routes()


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{type(code).__name__}-{code}")
def test_every_reason_notification_and_health_state_is_shown_by_a_test_that_knows_it(code: StrEnum) -> None:
    named = says(f"{SHOWN_AS[type(code)]}{code}")
    assert named, f"{code} is not on {relative(PAGE)}"
    assert any(occurs(code, row.shown_by) for row in named), f"no test named for {code} knows it"


def test_a_code_that_the_app_no_longer_has_is_found_out() -> None:
    for heading, kind in (("Findings", Reason), ("Notifications", Notification), ("Health of a key", HealthState)):
        named = {row.says[0] for row in rows() if row.heading == heading and row.says}
        assert named == {f"{SHOWN_AS[kind]}{each}" for each in kind}
