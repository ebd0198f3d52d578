"""A webhook inside the local Azure: what Event Grid delivers to, at https://hook.example/events."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.running_world import RunningWorld

HOST = "hook.example"
URL = f"https://{HOST}/events?code=secret"


class Hook:
    """Accepts both handshakes and keeps what is delivered. `statuses` are answered first, one after another."""

    name = "hook"

    def __init__(self) -> None:
        self.deliveries: list[tuple[dict[str, str], Any]] = []
        self.handshakes: list[dict[str, str]] = []
        self.statuses: list[int] = []
        self.accepts_handshakes = True

    @property
    def events(self) -> list[Any]:
        return [document for _, document in self.deliveries]

    def serves(self, host: str) -> bool:
        return host == HOST

    def operation(self, request: web.Request) -> str:
        return request.method

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if request.method == "OPTIONS":
            self.handshakes.append(headers)
            allowed = {"WebHook-Allowed-Origin": "eventgrid.azure.net", "WebHook-Allowed-Rate": "*"}
            return web.Response(status=200, headers=allowed if self.accepts_handshakes else {})
        document = json.loads(await request.read())
        if headers.get("aeg-event-type") == "SubscriptionValidation":
            self.handshakes.append(headers)
            code = document[0]["data"]["validationCode"] if self.accepts_handshakes else "wrong"
            return web.json_response({"validationResponse": code})
        self.deliveries.append((headers, document))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@contextmanager
def listening(azure: RunningWorld) -> Iterator[Hook]:
    """Put a webhook into the world for as long as the block runs."""
    hook = Hook()
    services = azure.local.edge.services
    azure.look(lambda _: services.append(hook))
    try:
        yield hook
    finally:
        azure.look(lambda _: services.remove(hook))
