"""The local Azure on which recordings are replayed: seeded for one exchange at a time, then asked as recorded.

Everything goes through the proxy and TLS as for any client; only the state is set from inside.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from local import names
from local.entra.tokens import TokenIssuer
from local.run import LocalWorld
from local.world import RoleAssignment, World
from tests.replay.recordings import TENANT, Exchange
from tests.running_world import RunningWorld

ADMINISTRATOR: Final = "20000000-0000-4000-8000-0000000000aa"
"""Who asks in the replay: a principal of the recorded tenant."""


_FRAMING: Final = frozenset({"content-length", "content-encoding", "transfer-encoding", "connection"})


@dataclass(frozen=True)
class LocalAnswer:
    """What the local Azure answered."""

    status: int
    headers: dict[str, str]
    body: Any


class Stage:
    """A running local Azure; a context manager."""

    def __init__(self) -> None:
        self._running = RunningWorld(lambda: LocalWorld(app_folder=None, with_azurite=False))

    def __enter__(self) -> Self:
        self.azure = self._running.__enter__()
        self._http = httpx.Client(proxy=self.azure.proxy_url, verify=self.azure.tls, timeout=30, trust_env=False)
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()
        self._running.__exit__(None, None, None)

    def clear(self) -> None:
        """The first state, with the recorded tenant and its subscription."""
        self.azure.control.reset()
        self.azure.control.put_tenant(TENANT, "Recorded")

        def own(world: World) -> None:
            world.subscriptions[TENANT] = TENANT

        self.change(own)

    def change[T](self, change: Callable[[World], T]) -> T:
        """Change the world, or ask it."""
        return self.azure.look(change)

    def grant(self, role: str, scope: str) -> None:
        """Give the administrator a role."""
        self.change(lambda world: world.role_assignments.append(RoleAssignment(ADMINISTRATOR, role, scope)))

    def token(self, audience: str, *, tenant: str = TENANT, lifetime: int = 3600) -> str:
        """A token of the administrator."""
        claims = {"oid": ADMINISTRATOR, "sub": ADMINISTRATOR, "appid": str(uuid.UUID(int=1)), "idtyp": "app"}

        def issue(world: World) -> str:
            lasting = timedelta(seconds=lifetime)
            return TokenIssuer(world).issue(tenant_id=tenant, audience=audience, claims=claims, lifetime=lasting)

        return self.change(issue)

    def fault(self, service: str, exchange: Exchange) -> None:
        """Let the edge answer once as was recorded: what Azure's front doors do cannot be seeded otherwise."""
        headers = {name: value for name, value in exchange.headers.items() if name not in _FRAMING}
        body = exchange.body if exchange.body is not None else ""
        self.azure.control.add_fault(
            "status", service=service, status=exchange.status, headers=headers, body=body, times=1
        )

    def ask(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> LocalAnswer:
        """Send one request to the local Azure."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        content = body if isinstance(body, str) else None if body is None else json.dumps(body)
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        answer = self._http.request(method, url, content=content, headers=sent)
        try:
            document = answer.json() if answer.content else None
        except ValueError:
            document = answer.text
        return LocalAnswer(
            answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, document
        )


def with_version(url: str, version: str) -> str:
    """The same address under another api-version."""
    parts = urlsplit(url)
    pairs = [each for each in parts.query.split("&") if each and not each.lower().startswith("api-version=")]
    return parts._replace(query="&".join([f"api-version={version}", *pairs])).geturl()


def nearest(version: str, known: tuple[str, ...]) -> str:
    """The api-version itself or, where it is not imitated, the next one that is."""
    plain = version.partition("-preview")[0]
    if plain in known:
        return plain
    return next((each for each in sorted(known) if each >= plain), max(known))


PROVIDER: Final = names.PROVIDER_TENANT_ID
