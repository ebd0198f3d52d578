"""What the code can say is documented, and what is documented exists."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from handlers.api import problems
from shared.domain import entries, reasons
from shared.settings import Settings
from tests.structure.project import ROOT, files, production_code, relative, texts
from tests.structure.reference_pages import PAGES, error_classes, narrower_codes, rendered

SETTING = re.compile(r"CROSSKEY_[A-Z_]+|AzureWebJobsStorage(__\w+)?|FUNCTIONS_[A-Z_]+")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
START_PAGES = [ROOT / "README.md", ROOT / "docs" / "README.md"]


def pages() -> list[Path]:
    """Every Markdown page for readers."""
    return [*ROOT.glob("*.md"), *files(".md", under=("docs",))]


def links(page: Path) -> set[Path]:
    """The files of the project that a page links to."""
    return {(page.parent / target).resolve() for target in LINK.findall(page.read_text(encoding="utf-8"))}


def sample_values() -> Mapping[str, str]:
    sample: Any = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    values: dict[str, str] = sample["Values"]
    return values


def settings_in_code() -> set[str]:
    """Names that the app reads, also as the `%NAME%` of a binding."""
    found = (text.strip("%") for path in production_code() for _, text in texts(path))
    return {name for name in found if SETTING.fullmatch(name)}


def settings_in_documentation() -> set[str]:
    rows = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    named = (re.match(r"\| `(\w+)` \|", row) for row in rows)
    return {match[1] for match in named if match and SETTING.fullmatch(match[1])}


def test_every_setting_that_is_read_is_documented() -> None:
    assert settings_in_code() - settings_in_documentation() == set()


def test_every_documented_setting_of_crosskey_is_read_and_has_a_sample_value() -> None:
    documented = {name for name in settings_in_documentation() if name.startswith("CROSSKEY_")}
    assert documented - settings_in_code() == set()
    assert documented ^ {name for name in sample_values() if name.startswith("CROSSKEY_")} == set()


def test_the_sample_settings_are_valid_and_use_azurite() -> None:
    assert Settings.from_mapping(sample_values()).storage.connection_string == "UseDevelopmentStorage=true"


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_the_reference_page_says_what_the_code_says(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == rendered(page), "run ./dev docs"


def test_error_codes_are_unique() -> None:
    codes = [*(one.code for one in error_classes()), *narrower_codes()]
    assert len(codes) == len(set(codes))


def test_every_reason_problem_and_entry_type_has_its_own_sentence() -> None:
    for sentences, every in (
        (reasons.SENTENCES, [*reasons.Reason]),
        (entries.MEANINGS, [*entries.Notification, *entries.Record]),
        (problems.MEANINGS, [*problems.Problem]),
    ):
        assert set(sentences) == set(every)
        assert len(set(sentences.values())) == len(every)
        assert all(sentence.endswith(".") for sentence in sentences.values())


def test_every_page_is_reached_from_the_readme_or_the_index() -> None:
    reached: set[Path] = set()
    waiting = [page for page in START_PAGES if page.exists()]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting.extend(target for target in links(page) if target.exists())
    unreached = {page for page in files(".md", under=("docs",)) if page not in reached}
    assert {relative(page) for page in unreached} == set(), "link them from docs/README.md"


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert {str(target) for target in links(page) if not target.exists()} == set()


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "decisions" / "dependencies.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([\w-]+)` \|", page, flags=re.MULTILINE))
    named = {
        re.split(r"[\[=<>~! ]", line)[0]
        for path in ROOT.glob("requirements*.in")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    }
    package: Any = json.loads((ROOT / "local" / "azurite_package" / "package.json").read_text(encoding="utf-8"))
    assert documented == named | set(package["dependencies"])
