"""Importing the app: what the Functions worker does first, on every cold start."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.structure.project import ROOT

PROBE = """
import json, socket, sys

def refuse(*arguments, **named):
    raise AssertionError(f"importing function_app used the network: {arguments}")

socket.socket.__init__ = socket.getaddrinfo = refuse
import function_app
print(json.dumps({
    "functions": sorted(one.get_function_name() for one in function_app.app.get_functions()),
    "modules": sorted(sys.modules),
}))
"""


@pytest.fixture(scope="module")
def imported() -> Any:
    """What a fresh process sees that has no environment and no sockets."""
    answer = subprocess.run(  # noqa: S603 - our own code in our own interpreter
        [sys.executable, "-c", PROBE], cwd=ROOT, env={}, capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_it_needs_neither_settings_nor_network_and_registers_every_function(imported: Any) -> None:
    assert imported["functions"] == ["http", "key_vault_events", "sweep", "work_items", "work_items_poison"]


@pytest.mark.parametrize("package", ["fastapi", "pydantic", "azure.mgmt.compute", "azure.mgmt.storage", "local"])
def test_it_does_not_load(imported: Any, package: str) -> None:
    assert [name for name in imported["modules"] if name == package or name.startswith(f"{package}.")] == []
