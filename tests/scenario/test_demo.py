"""The demo as somebody runs it: quick, with a report, and honest when something is not as it must be."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import pytest

from local.client import ControlClient
from local.demo import play
from local.demo.script import STEPS
from local.run import LocalWorld

ROOT = Path(__file__).parents[2]


def test_the_demo_ends_well_within_its_time_and_reports_what_it_saw(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    began = time.monotonic()
    command = [sys.executable, "-m", "local", "demo", "--report", str(report)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)  # noqa: S603  our own command
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert time.monotonic() - began < 150
    document = json.loads(report.read_text(encoding="utf-8"))
    assert document["ok"] is True
    assert [step["name"] for step in document["steps"]] == [step.name for step in STEPS]
    assert all(step["ok"] and step["observed"] for step in document["steps"])
    rotation = next(step for step in document["steps"] if step["name"] == "A rotation is followed")
    assert rotation["observed"]["secondsUntilConfirmed"] <= 5.0


class WorldWithFault(LocalWorld):
    """A world in which Resource Manager refuses updates."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()

        def refuse() -> None:
            with ControlClient(self.control.url) as control:
                control.add_fault("status", service="arm", operation="StorageAccounts.Update", status=403, code="Nope")

        await asyncio.to_thread(refuse)
        return self


def test_the_demo_ends_with_an_error_when_an_observation_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "LocalWorld", WorldWithFault)
    report = tmp_path / "report.json"
    assert play.run(report) == 1
    document: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    assert document["ok"] is False
    failed = document["steps"][-1]
    assert (failed["name"], failed["ok"]) == ("A storage account is protected", False)
    assert "failed" in failed["observed"]
