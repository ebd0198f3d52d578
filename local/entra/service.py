"""Entra as the edge sees it: routes a request to tokens, discovery documents or the consent page.

Answers carry the headers that Entra's carry; errors are the JSON documents of `errors`. What is not imitated is
answered 501 in the same shape.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from local.entra import discovery
from local.entra.consent import answer_consent
from local.entra.errors import EntraError, parameter_missing
from local.entra.federation import find_tenant
from local.entra.token_endpoint import answer_token_request
from local.entra.tokens import TokenIssuer
from local.names import ENTRA_HOST
from local.world import World

_HOSTS: Final = frozenset({ENTRA_HOST, "login.windows.net", "login.microsoft.com"})
_SERVER: Final = "2.1.22000.1 - LOCAL ProdSlices"

ROUTES: Final = tuple(
    (method, re.compile(pattern), operation)
    for method, pattern, operation in (
        ("POST", r"/(?P<tenant>[^/]+)/oauth2/v2\.0/token", "Token"),
        ("GET", r"/(?P<tenant>[^/]+)/discovery/v2\.0/keys", "Keys"),
        ("GET", r"/(?P<tenant>[^/]+)/v2\.0/\.well-known/openid-configuration", "OpenIdConfiguration"),
        ("GET", r"/(?P<tenant>common)/discovery/instance", "InstanceDiscovery"),
        ("GET", r"/(?P<tenant>[^/]+)/(?:v2\.0/)?adminconsent", "AdminConsent.Page"),
        ("POST", r"/(?P<tenant>[^/]+)/(?:v2\.0/)?adminconsent", "AdminConsent.Decide"),
    )
)


def _route(request: web.Request) -> tuple[str, str]:
    """Answer operation and tenant; the operation `NotImplementedLocally` belongs to no tenant."""
    for method, pattern, operation in ROUTES:
        if method == request.method and (match := pattern.fullmatch(request.path)):
            return operation, match["tenant"]
    return "NotImplementedLocally", ""


class EntraService:
    """The `entra` service of the local Azure."""

    name = "entra"

    def __init__(self, world: World) -> None:
        self._world = world

    def serves(self, host: str) -> bool:
        return host in _HOSTS

    def operation(self, request: web.Request) -> str:
        return _route(request)[0]

    async def handle(self, request: web.Request) -> web.Response:
        operation, tenant = _route(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        correlation_id = request.headers.get("client-request-id") or form.get("client-request-id")
        try:
            if operation.startswith("AdminConsent"):
                return answer_consent(
                    self._world,
                    tenant,
                    version_2="/v2.0/" in request.path,
                    query=request.query,
                    form=form if request.method == "POST" else None,
                )
            document = self._document(operation, tenant, request.query, form)
        except EntraError as error:
            return self._refusal(error, correlation_id)
        if document is None:
            return _not_imitated(request)
        return _answer(200, document, "1,0,0,,")

    def _document(
        self, operation: str, tenant: str, query: Mapping[str, str], form: Mapping[str, str]
    ) -> dict[str, Any] | None:
        if operation == "Token":
            return answer_token_request(self._world, tenant, form)
        if operation == "InstanceDiscovery":
            for name in ("api-version", "authorization_endpoint"):
                if not query.get(name):
                    raise parameter_missing(name)
            return discovery.instance_discovery(query["authorization_endpoint"])
        if operation not in {"Keys", "OpenIdConfiguration"}:
            return None
        is_named = tenant not in discovery.NAMELESS_TENANTS
        if is_named:
            find_tenant(self._world, tenant)
        if operation == "Keys":
            return TokenIssuer(self._world).jwks(tenant if is_named else None)
        return discovery.openid_configuration(tenant)

    def _refusal(self, error: EntraError, correlation_id: str | None) -> web.Response:
        trace_id = str(uuid.uuid4())
        document = error.document(self._world.clock.now(), trace_id=trace_id, correlation_id=correlation_id)
        return _answer(error.status, document, f"1,{error.code},0,,", trace_id)


def _answer(status: int, document: dict[str, Any], telemetry: str, request_id: str | None = None) -> web.Response:
    headers = {
        "Cache-Control": "no-store, no-cache",
        "Pragma": "no-cache",
        "x-ms-request-id": request_id or str(uuid.uuid4()),
        "x-ms-ests-server": _SERVER,
        "x-ms-clitelem": telemetry,
    }
    return web.json_response(document, status=status, headers=headers)


def _not_imitated(request: web.Request) -> web.Response:
    description = f"The local Entra does not imitate {request.method} {request.path}."
    document = {"error": "NotImplementedLocally", "error_description": description, "error_codes": []}
    return _answer(501, document, "1,0,0,,")
