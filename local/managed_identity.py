"""The managed identity endpoint of App Service (api-version 2019-08-01), on plain HTTP at a loopback port.

The Functions host's environment names it (`IDENTITY_ENDPOINT`, `IDENTITY_HEADER`). It gives tokens for
user-assigned identities, by client id, object id or resource id; the local app has no system-assigned one.
"""

import hmac
import secrets
import uuid
from datetime import timedelta
from typing import Final

from aiohttp import web

from local.edge.server import Edge
from local.entra.federation import AZURE_RESOURCES, find_identity
from local.entra.tokens import TokenIssuer
from local.names import TOKEN_EXCHANGE_AUDIENCE
from local.world import ManagedIdentity, World

_API_VERSION: Final = "2019-08-01"
_LIFETIME: Final = timedelta(hours=24)


class ManagedIdentityService:
    """Answers token requests of the app; recorded and struck by faults as the service `identity`."""

    name = "identity"

    def __init__(self, world: World) -> None:
        self._world = world
        self.header = secrets.token_hex(16).upper()
        """What the caller must send as `X-IDENTITY-HEADER`."""

    def serves(self, host: str) -> bool:
        """Nothing behind the proxy: the endpoint has a port of its own."""
        del host
        return False

    def operation(self, request: web.Request) -> str:
        return "GetToken" if request.method == "GET" and request.path == "/msi/token" else "NotImplementedLocally"

    async def handle(self, request: web.Request) -> web.Response:
        if self.operation(request) != "GetToken":
            return _refusal(501, f"NotImplementedLocally: {request.method} {request.path}")
        if not hmac.compare_digest(request.headers.get("X-IDENTITY-HEADER", "").encode(), self.header.encode()):
            return _refusal(401, "The X-IDENTITY-HEADER header is missing or wrong.")
        if request.query.get("api-version") != _API_VERSION:
            return _refusal(400, f"The api-version must be {_API_VERSION}.")
        resource = request.query.get("resource", "").rstrip("/").removesuffix("/.default")
        if resource not in AZURE_RESOURCES | {TOKEN_EXCHANGE_AUDIENCE}:
            return _refusal(400, f"AADSTS500011: The resource principal named {resource} was not found in the tenant.")
        identity = self._find(request)
        if identity is None:
            return _refusal(
                400,
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.",
            )
        token = TokenIssuer(self._world).issue_to_identity(identity, audience=resource, lifetime=_LIFETIME)
        # App Service answers the time as a string of Unix seconds.
        expires_on = str(int(self._world.clock.time() + _LIFETIME.total_seconds()))
        return web.json_response(
            {
                "access_token": token,
                "expires_on": expires_on,
                "resource": request.query["resource"],
                "token_type": "Bearer",
                "client_id": identity.client_id,
            }
        )

    def _find(self, request: web.Request) -> ManagedIdentity | None:
        query = request.query
        identities = self._world.managed_identities.values()
        if "client_id" in query:
            return next((each for each in identities if each.client_id == query["client_id"]), None)
        for name in ("principal_id", "object_id"):
            if name in query:
                return next((each for each in identities if each.principal_id == query[name]), None)
        if "mi_res_id" in query:
            return find_identity(self._world, query["mi_res_id"])
        return None


class ManagedIdentityEndpoint:
    """Listens for the service on a free loopback port."""

    def __init__(self, edge: Edge, service: ManagedIdentityService) -> None:
        self._edge = edge
        self._service = service
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/msi/token"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await self._edge.dispatch(self._service, request)


def _refusal(status: int, message: str) -> web.Response:
    document = {"statusCode": status, "message": message, "correlationId": str(uuid.uuid4())}
    return web.json_response(document, status=status)
