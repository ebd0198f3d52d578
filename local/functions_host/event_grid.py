"""Event Grid triggers: the webhook that Azure's Event Grid delivers to, handshakes included.

`POST /runtime/webhooks/eventgrid?functionName=F&code=KEY`, imitating the Event Grid extension: one invocation per
event, in parallel, 202 when all succeeded, else 500, upon which Event Grid sends the whole batch again.
"""

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from local.functions_host.functions import Function
from local.functions_host.invocations import Invocation, Invoker, json_datum
from local.functions_host.keys import EVENT_GRID_KEY, Keys, presented_key
from local.functions_host.worker import Outcome

logger = logging.getLogger("host.eventgrid")

WEBHOOK_PATH = "/runtime/webhooks/eventgrid"


class EventGridWebhook:
    """Serves the Event Grid functions."""

    def __init__(self, functions: Iterable[Function], keys: Keys, invoker: Invoker) -> None:
        self._functions = {function.name: function for function in functions}
        self._keys = keys
        self._invoker = invoker

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a delivery or a handshake."""
        if not self._keys.opens_extension(presented_key(request.headers, request.query), system_key=EVENT_GRID_KEY):
            return web.Response(status=401)
        name = request.query.get("functionName", "")
        function = self._functions.get(name)
        if function is None:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return _allow_origin(request)
        try:
            return await self._answer(function, request)
        except (ValueError, KeyError, IndexError, TypeError):
            return web.Response(status=400, text="the body is not what aeg-event-type says")

    async def run_by_hand(self, function: Function, text: str) -> Outcome:
        """Run a function for one event, given as JSON text."""
        try:
            return await self._run(function, json.loads(text))
        except ValueError as malformed:
            return Outcome(succeeded=False, error=f"the input is not an event as JSON: {malformed}")

    async def _run(self, function: Function, event: Any) -> Outcome:
        metadata = {"data": json_datum(event["data"])} if isinstance(event, dict) and "data" in event else {}
        return await self._invoker.run(
            Invocation(function, json_datum(event), reason="EventGrid trigger fired", metadata=metadata)
        )

    async def _answer(self, function: Function, request: web.Request) -> web.Response:
        match request.headers.get("aeg-event-type", "").lower():
            case "subscriptionvalidation":
                logger.info("perform handshake with eventGrid for function: %s", function.name)
                return web.json_response({"validationResponse": _validation_code(json.loads(await request.read()))})
            case "notification":
                content = json.loads(await request.read())
                return await self._deliver(function, content if isinstance(content, list) else [content])
            case "unsubscribe":
                return web.Response(status=202)
            case _:
                return web.Response(status=400)

    async def _deliver(self, function: Function, events: list[Any]) -> web.Response:
        outcomes = await asyncio.gather(*(self._run(function, event) for event in events))
        failed = next((outcome for outcome in outcomes if not outcome.succeeded), None)
        return web.Response(status=202) if failed is None else web.Response(status=500, text=failed.error)


def _validation_code(content: Any) -> str:
    if isinstance(content, list):
        return str(content[0]["data"]["validationCode"])
    data = content["data"]
    # In CloudEvents the data of a validation event arrives encoded a second time.
    return str((json.loads(data) if isinstance(data, str) else data)["validationCode"])


def _allow_origin(request: web.Request) -> web.Response:
    """Answer the CloudEvents handshake: the sender may deliver, at any rate."""
    origin = request.headers.get("WebHook-Request-Origin")
    if origin is None:
        return web.Response(status=400)
    return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})
