"""How the project reads: small files, the field's words, nothing half done, nothing that ties it to one registry."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.structure.project import ROOT, files, production_code, relative, texts

LONGEST = 300
CODE = files(".py")
PAGES = [*ROOT.glob("*.md"), *files(".md", under=("docs",))]

# Words Microsoft gave up or that mean something else here. Azure's own error texts still use some of them, so the
# local Azure, which repeats those texts, and its tests are not searched.
RETIRED = {
    re.compile(r"\bAAD\b"): "Microsoft Entra",
    re.compile(r"\bAzure (AD|Active Directory)\b"): "Microsoft Entra",
    re.compile(r"\bMSI\b"): "managed identity",
    re.compile(r"\bManaged Service Identity\b"): "managed identity",
    re.compile(r"\bBYOK\b"): "customer-managed key",
    re.compile(r"\bservice principle\b", re.IGNORECASE): "service principal",
    re.compile(r"\benrol?lments?\b", re.IGNORECASE): "customer, key or resource",
}
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def found(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("path", CODE, ids=relative)
def test_a_file_is_short_and_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    assert not text or text.lstrip().startswith('"""'), "a module begins with its docstring"


@pytest.mark.parametrize("pattern", RETIRED, ids=lambda pattern: pattern.pattern)
def test_the_fields_present_words_are_used(pattern: re.Pattern[str]) -> None:
    assert found(pattern, [*production_code(), *PAGES]) == [], f"say {RETIRED[pattern]}"


def test_error_messages_name_what_was_being_done_instead_of_saying_failed_to() -> None:
    assert [
        f"{relative(path)}:{line}"
        for path in production_code()
        for line, text in texts(path)
        if re.search(r"\bfailed to\b", text, re.IGNORECASE)
    ] == []


def test_nothing_is_left_half_done() -> None:
    assert found(UNFINISHED, [*CODE, *PAGES, ROOT / "dev", ROOT / ".ci" / "run"]) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=relative)
def test_requirements_are_pinned_and_hashed_and_name_no_index(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"--(?:extra-)?index-url|--find-links|--trusted-host|https?://|file:", text) == []
    blocks = re.findall(r"^(\S+==\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", text, flags=re.MULTILINE)
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
    assert len(blocks) == len(lines) > 0


def test_the_lock_file_of_azurite_is_complete_and_names_no_registry() -> None:
    lock: Any = json.loads((ROOT / "local" / "azurite_package" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if not package.get("integrity")] == []
    assert packages["node_modules/azurite"]["version"] == "3.37.0"
