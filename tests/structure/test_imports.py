"""Who may import whom. import-linter holds the layers; the rest is what it cannot tell apart."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure.project import ROOT, files, imports, production_code, relative

WEB = ("fastapi", "starlette", "pydantic")


def is_within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def offenders(paths: list[Path], *packages: str, but: tuple[str, ...] = ()) -> list[str]:
    """Imports of the packages in those files, except the packages in `but`."""
    return [
        f"{relative(path)}:{line} imports {module}"
        for path in paths
        for line, module in imports(path)
        if is_within(module, *packages) and not is_within(module, *but)
    ]


def outside(*prefixes: str) -> list[Path]:
    return [path for path in production_code() if not relative(path).startswith(prefixes)]


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_only_the_adapters_import_azure_sdks() -> None:
    assert offenders(outside("shared/adapters/"), "azure", "msal", but=("azure.functions",)) == []


def test_only_the_edges_know_azure_functions() -> None:
    assert offenders(outside("handlers/", "function_app.py"), "azure.functions") == []


def test_only_the_http_edge_knows_the_web_framework() -> None:
    assert offenders(outside("handlers/api/", "handlers/console/", "handlers/http.py"), *WEB) == []


def test_nothing_deployed_imports_the_local_azure_or_the_tests() -> None:
    assert offenders(production_code(), "local", "tests") == []


def test_the_local_azure_imports_neither_the_app_nor_the_tests() -> None:
    assert offenders(files(".py", under=("local",)), "handlers", "shared", "function_app", "tests") == []


@pytest.mark.parametrize("path", files(".py", under=("shared/domain",)), ids=relative)
def test_the_domain_imports_only_the_standard_library_and_itself(path: Path) -> None:
    foreign = {
        module
        for _, module in imports(path)
        if not is_within(module, "shared.domain") and module.split(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


def test_the_process_environment_is_read_in_one_place_of_the_app() -> None:
    readers = [relative(path) for path in production_code() if "os.environ" in path.read_text(encoding="utf-8")]
    assert readers in ([], ["shared/bootstrap.py"])
