"""Where the project's files are, for the tests of its structure.

Files are found on disk, not asked of git, so that the tests also hold in an unpacked archive.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_SOURCE = frozenset({"node_modules", "__pycache__"})
"""Folders that tools make; hidden ones (.venv, .git, caches) are left out as well."""
PRODUCTION = ("function_app.py", "handlers", "shared")


def files(*suffixes: str, under: tuple[str, ...] = (".",)) -> list[Path]:
    """Every source file with one of the suffixes below the named folders (or being the named file)."""
    found = (path for name in under for path in _walk(ROOT / name))
    return sorted(path for path in found if path.suffix in suffixes)


def production_code() -> list[Path]:
    """The Python files that are deployed."""
    return files(".py", under=PRODUCTION)


def relative(path: Path) -> str:
    """The path as it reads from the project's root."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every imported module of a file, wherever in it, with its line; relative imports are resolved."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parent = path.relative_to(ROOT).parts[: -node.level]
                module = ".".join((*parent, module)).strip(".")
            # `from azure import functions` imports azure.functions.
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every string constant of a Python file with its line; docstrings included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def _walk(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for entry in path.iterdir():
            if entry.name not in NOT_SOURCE and not (entry.is_dir() and entry.name.startswith(".")):
                yield from _walk(entry)
