"""The host's keys: master, host-wide and per-function keys, and system keys of extensions such as Event Grid's.

Kept in a JSON file that is made with random keys when it is not there:
`{"masterKey": ..., "functionKeys": {name: key}, "systemKeys": {name: key}, "functions": {function: {name: key}}}`.
"""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.functions_host.errors import AppRefused

EVENT_GRID_KEY = "eventgrid_extension"
LEVELS = ("anonymous", "function", "admin")


@dataclass(frozen=True)
class Keys:
    """Which secrets open what. The master key opens everything."""

    master: str
    host: Mapping[str, str] = field(default_factory=dict)
    system: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def opens_function(self, presented: str, *, function: str, level: str) -> bool:
        """Whether a key is good for an HTTP function of the given authentication level."""
        if level == "anonymous":
            return True
        accepted = [self.master]
        if level == "function":
            own = {name.lower(): keys for name, keys in self.functions.items()}.get(function.lower(), {})
            accepted += [*self.host.values(), *own.values()]
        return _matches(presented, accepted)

    def opens_extension(self, presented: str, *, system_key: str) -> bool:
        """Whether a key is good for an extension's webhook."""
        return _matches(presented, [self.master, self.system.get(system_key, "")])

    def opens_admin(self, presented: str) -> bool:
        """Whether a key is good for the /admin routes."""
        return _matches(presented, [self.master])

    def as_json(self) -> dict[str, Any]:
        """Give the keys file's content."""
        return {
            "masterKey": self.master,
            "functionKeys": dict(self.host),
            "systemKeys": dict(self.system),
            "functions": {name: dict(keys) for name, keys in self.functions.items()},
        }


def load_keys(path: Path) -> Keys:
    """Read the keys file, making it with random keys when it is not there."""
    if not path.exists():
        fresh = Keys(
            master=secrets.token_urlsafe(32),
            host={"default": secrets.token_urlsafe(32)},
            system={EVENT_GRID_KEY: secrets.token_urlsafe(32)},
        )
        path.touch(mode=0o600)
        path.write_text(json.dumps(fresh.as_json(), indent=2), encoding="utf-8")
        return fresh
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Keys(
            master=content["masterKey"],
            host=content.get("functionKeys", {}),
            system=content.get("systemKeys", {}),
            functions=content.get("functions", {}),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as malformed:
        raise AppRefused(f"reading the keys file {path}: it needs a JSON object with a masterKey") from malformed


def presented_key(headers: Mapping[str, str], query: Mapping[str, str]) -> str:
    """Find the key a caller presents; the header goes before the query, as in Azure."""
    return headers.get("x-functions-key") or query.get("code") or ""


def _matches(presented: str, accepted: Iterable[str]) -> bool:
    given = presented.encode()
    return any(key and secrets.compare_digest(given, key.encode()) for key in accepted)
