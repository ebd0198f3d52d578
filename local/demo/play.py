"""Plays the demo: starts the world, runs the steps with a progress display, narrates, sums up, writes the report.

Called by `./dev demo`. Exits with 0 when every observation was what it must be, with 1 otherwise.
"""

import asyncio
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from local import names
from local.actors import Administrator, NotReached, Portal
from local.child import ChildFailed
from local.client import ControlClient, ControlRefused
from local.demo.script import STEPS
from local.demo.stage import CONTOSO_TENANT, VAULT, Facts, NotAsExpected, Stage
from local.run import LocalWorld

FAILURES = (NotAsExpected, NotReached, ControlRefused, httpx.HTTPError, KeyError)


@dataclass(slots=True)
class StepReport:
    """One step of the report file."""

    name: str
    ok: bool
    seconds: float
    observed: Facts = field(default_factory=dict)


def run(report: Path | None) -> int:
    """Play the demo; answers the process's exit code."""
    console = Console()
    try:
        steps = asyncio.run(_play(console))
    except ChildFailed as failed:
        console.print(f"[red]The world did not start:[/] {failed}")
        steps = []
    ok = len(steps) == len(STEPS) and all(step.ok for step in steps)
    console.print(_summary(steps))
    if report is not None:
        document = {"ok": ok, "steps": [asdict(step) for step in steps]}
        report.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if ok else 1


async def _play(console: Console) -> list[StepReport]:
    console.print("Starting Azure on loopback (with the real Azurite) and CrossKey in the Functions worker library ...")
    began = time.monotonic()
    async with LocalWorld() as world:
        console.print(f"Ready after {time.monotonic() - began:.1f} s.")
        steps = await asyncio.to_thread(_play_steps, console, world)
        if not all(step.ok for step in steps):
            log = (world.folder / "functions-host.log").read_text(encoding="utf-8").splitlines()
            console.print("[dim]The app's last log lines:[/]")
            for line in log[-15:]:
                console.print(line, markup=False, highlight=False, style="dim")
        return steps


def _play_steps(console: Console, world: LocalWorld) -> list[StepReport]:
    environment = world.app_environment()
    with (
        ControlClient(world.control.url) as control,
        Portal(f"{world.ready()['api']}", lambda: control.token("provider", "CrossKey.Operator")) as portal,
        Administrator(
            control, tenant_id=CONTOSO_TENANT, vault=VAULT, proxy=world.proxy.url, ca_file=world.authority.file
        ) as administrator,
    ):
        stage = Stage(
            control=control,
            portal=portal,
            administrator=administrator,
            folder=world.folder,
            identity_endpoint=environment["IDENTITY_ENDPOINT"],
            identity_header=environment["IDENTITY_HEADER"],
        )
        return _narrate(console, stage)


def _narrate(console: Console, stage: Stage) -> list[StepReport]:
    reports: list[StepReport] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(STEPS))
        for number, step in enumerate(STEPS, start=1):
            name = step.name
            progress.update(bar, description=f"{number}. {name}")
            began = time.monotonic()
            try:
                observed, ok = step.play(stage), True
                line = step.line.format_map({fact: _short(value) for fact, value in observed.items()})
            except FAILURES as failure:
                line = f"{type(failure).__name__}: {failure}"
                observed, ok = {"failed": line}, False
            reports.append(StepReport(name, ok, round(time.monotonic() - began, 2), observed))
            colour, mark = ("green", "ok") if ok else ("red", "FAILED")
            progress.console.print(
                f"[{colour}]{number}. {name}: {mark}[/]  {escape(line)}", soft_wrap=True, highlight=False
            )
            progress.advance(bar)
            if not ok:
                break
    return reports


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(str(name) for name in value)
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return str(value)


def _summary(steps: list[StepReport]) -> Table:
    table = Table(title=f"CrossKey on {names.PUBLIC_URL} (loopback)")
    for heading in ("step", "result", "seconds"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for number, step in enumerate(STEPS, start=1):
        done = steps[number - 1] if number <= len(steps) else None
        result = "not played" if done is None else "ok" if done.ok else "FAILED"
        table.add_row(f"{number}. {step.name}", result, "" if done is None else f"{done.seconds:.2f}")
    return table
