"""Keys: what each kind opens, and the file they live in."""

from pathlib import Path

import pytest

from local.functions_host.errors import AppRefused
from local.functions_host.keys import EVENT_GRID_KEY, Keys, load_keys, presented_key

KEYS = Keys("master", {"default": "host"}, {EVENT_GRID_KEY: "system"}, {"Items": {"default": "own"}})


@pytest.mark.parametrize(
    ("level", "opening"),
    [
        ("anonymous", {"", "wrong", "own", "host", "system", "master"}),
        ("function", {"own", "host", "master"}),
        ("admin", {"master"}),
    ],
)
def test_each_level_has_its_keys(level: str, opening: set[str]) -> None:
    presented = {"", "wrong", "own", "host", "system", "master"}
    assert {key for key in presented if KEYS.opens_function(key, function="items", level=level)} == opening


def test_another_functions_key_opens_nothing() -> None:
    assert not KEYS.opens_function("own", function="other", level="function")


def test_an_extension_takes_its_system_key_and_the_master_key() -> None:
    opening = {key for key in ("", "host", "system", "master") if KEYS.opens_extension(key, system_key=EVENT_GRID_KEY)}
    assert opening == {"system", "master"}


def test_an_extension_without_a_key_is_not_opened_by_nothing() -> None:
    assert not Keys("master").opens_extension("", system_key=EVENT_GRID_KEY)


def test_admin_takes_only_the_master_key() -> None:
    assert {key for key in ("", "host", "system", "master") if KEYS.opens_admin(key)} == {"master"}


def test_the_header_goes_before_the_query() -> None:
    assert presented_key({"x-functions-key": "a"}, {"code": "b"}) == "a"
    assert presented_key({}, {"code": "b"}) == "b"
    assert not presented_key({}, {})


def test_a_missing_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = load_keys(path)
    assert load_keys(path) == made
    assert made.master != load_keys(tmp_path / "other.json").master
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "[]", "{}", "7"])
def test_a_malformed_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(AppRefused, match="masterKey"):
        load_keys(tmp_path / "keys.json")
