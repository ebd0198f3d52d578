"""The HTTP triggers: finds the function of a request, checks its key, and translates both ways.

Every path of the server that is not the host's own ends here. What the host answers by itself (404, 401, 500) has an
empty body, as in Azure.
"""

from http.cookies import SimpleCookie
from typing import Any

from aiohttp import web
from multidict import CIMultiDictProxy, MultiMapping

from local.functions_host.functions import HTTP_OUTPUT, Function
from local.functions_host.invocations import Invocation, Invoker, json_datum
from local.functions_host.keys import Keys, presented_key
from local.functions_host.routes import RouteTable
from local.functions_host.worker import Datum, Outcome, datum

_HOP_BY_HOP = frozenset({"content-length", "transfer-encoding", "connection"})


class HttpFront:
    """Serves the HTTP-triggered functions."""

    def __init__(self, routes: RouteTable, keys: Keys, invoker: Invoker) -> None:
        self._routes = routes
        self._keys = keys
        self._invoker = invoker

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        found = self._routes.find(request.method, request.rel_url.raw_path)
        if found is None:
            return web.Response(status=404)
        function, parameters = found
        level = str(function.trigger.settings.get("authLevel") or "function").lower()
        key = presented_key(request.headers, request.query)
        if not self._keys.opens_function(key, function=function.name, level=level):
            return web.Response(status=401)
        outcome = await self._invoker.run(
            Invocation(
                function,
                await _request_datum(request, parameters),
                reason="This function was programmatically called via the host APIs.",
                metadata={name: datum(value, "string") for name, value in parameters.items()}
                | {"Headers": json_datum(_joined(request.headers)), "Query": json_datum(_joined(request.query))},
                trace_parent=request.headers.get("traceparent", ""),
            )
        )
        return _response(function, outcome)


async def _request_datum(request: web.Request, parameters: dict[str, str]) -> Datum:
    # Behind the TLS edge the public scheme arrives as a header, as it does behind Azure's front ends.
    scheme = request.headers.get("x-forwarded-proto", request.scheme)
    return datum(
        {
            "method": datum(request.method, "string"),
            "url": datum(f"{scheme}://{request.host}{request.path_qs}", "string"),
            "headers": _strings({name.lower(): value for name, value in _joined(request.headers).items()}),
            "query": _strings({name: value for name, value in _joined(request.query).items() if value}),
            "params": _strings(parameters),
            "body": datum(await request.read(), "bytes"),
        },
        "http",
    )


def _strings(values: dict[str, str]) -> dict[str, Datum]:
    return {name: datum(value, "string") for name, value in values.items()}


def _joined(values: MultiMapping[str]) -> dict[str, str]:
    """Join repeated names by commas, as the host does before it hands a request over."""
    joined: dict[str, str] = {}
    for name in values:
        key = name.lower() if isinstance(values, CIMultiDictProxy) else name
        joined.setdefault(key, ",".join(values.getall(name)))
    return joined


def _response(function: Function, outcome: Outcome) -> web.Response:
    if not outcome.succeeded:
        return web.Response(status=500)
    values = dict(outcome.outputs) | {"$return": outcome.returned}
    value = next(
        (
            values[binding.name]
            for binding in function.outputs
            if binding.type == HTTP_OUTPUT and values.get(binding.name) is not None
        ),
        None,
    )
    if value is None:
        return web.Response(status=204)
    if value.type != "http":
        return web.Response(text=str(value.value), content_type="text/plain")
    content: dict[str, Any] = value.value
    response = web.Response(status=int(content["status_code"].value), body=content["body"].value)
    for name, header in content["headers"].items():
        if name.lower() not in _HOP_BY_HOP:
            response.headers[name] = header.value
    cookies: list[SimpleCookie] = content.get("cookies") or []
    for cookie in cookies:
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response
