"""`./dev token`: asks the running world for a bearer token and prints it, for `-H "Authorization: Bearer ..."`.

The world is found through the ready file that `./dev start` keeps while it runs.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx


def run(ready_file: Path, *, tenant: str, roles: Sequence[str]) -> int:
    """Print a token for CrossKey's API; returns the process's exit code."""
    try:
        ready = json.loads(ready_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _refuse(f"No world is running ({ready_file} is missing). Start one: ./dev start")
    request = {"tenant": tenant, "roles": [f"CrossKey.{role}" for role in roles]}
    try:
        # The control API is on loopback: a proxy of the environment must not come between.
        answer = httpx.post(f"{ready['control']}/tokens", json=request, timeout=10, trust_env=False)
    except httpx.TransportError as error:
        return _refuse(f"The world of {ready_file} does not answer ({error}). Start one: ./dev start")
    if answer.is_error:
        return _refuse(f"The world gave no token: {answer.text}")
    sys.stdout.write(f"{answer.json()['accessToken']}\n")
    return 0


def _refuse(reason: str) -> int:
    sys.stderr.write(f"{reason}\n")
    return 1
