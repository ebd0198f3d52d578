"""What `func azure functionapp publish` would upload, computed from .funcignore."""

from pathlib import Path

import pathspec

from tests.structure.project import ROOT, production_code, relative

ALLOWED_FILES = {"function_app.py", "host.json", "requirements.txt"}
ALLOWED_FOLDERS = ("handlers/", "shared/")


def deployed(root: Path) -> set[str]:
    """Every file below `root` that .funcignore lets through; ignored folders are not entered."""
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text(encoding="utf-8").splitlines())
    found: set[str] = set()
    waiting = [root]
    while waiting:
        for path in waiting.pop().iterdir():
            name = path.relative_to(root).as_posix()
            if path.is_dir():
                if not ignored.match_file(f"{name}/"):
                    waiting.append(path)
            elif not ignored.match_file(name):
                found.add(name)
    return found


def test_the_package_holds_all_production_code_and_what_the_host_reads() -> None:
    needed = {relative(path) for path in production_code()} | ALLOWED_FILES
    assert needed - deployed(ROOT) == set()


def test_the_package_holds_nothing_else() -> None:
    extra = {name for name in deployed(ROOT) if name not in ALLOWED_FILES and not name.startswith(ALLOWED_FOLDERS)}
    assert extra == set(), "decide about these files in .funcignore"


def test_a_new_folder_of_tests_or_documentation_or_secrets_stays_out(tmp_path: Path) -> None:
    for name in (
        "local/world.py",
        "tests/unit/test_a.py",
        "docs/glossary.md",
        "local.settings.json",
        "handlers/__pycache__/http.cpython-313.pyc",
        ".venv/lib/site.py",
        ".env",
        "shared/adapters/notes.md",
        "handlers/http.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert deployed(tmp_path) == {"handlers/http.py"}
