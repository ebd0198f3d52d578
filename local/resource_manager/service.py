"""Resource Manager behind the edge: bearer tokens, tenants, throttling, api-versions, headers, dispatch.

`start` sets off what Storage does by itself: once a day by the world's clock it looks for newer key versions.
"""

import json
import uuid
from typing import Any, Final

from aiohttp import web

from local.background import Background
from local.entra.tokens import Claims, TokenExpired, TokenIssuer, TokenRejected
from local.event_grid.deliveries import Send
from local.event_grid.sender import ProxySender
from local.names import LOCATION, MANAGEMENT_HOST, MANAGEMENT_RESOURCE
from local.resource_manager.calls import Answer, ArmCall
from local.resource_manager.encryption import pick_up_newest_version
from local.resource_manager.encryption_scopes import pick_up_newest_versions
from local.resource_manager.errors import ArmError, authentication_failed
from local.resource_manager.routes import ROUTES, Route
from local.resource_manager.scopes import find_tenant_id
from local.resource_manager.throttling import Throttle
from local.world import World

_AUDIENCES: Final = {MANAGEMENT_RESOURCE, "https://management.core.windows.net"}
_TICK_SECONDS: Final = 0.25


class ResourceManagerService:
    """The control plane of every subscription in the world."""

    name = "arm"

    def __init__(self, world: World, send: Send | None = None) -> None:
        self._world = world
        self._tokens = TokenIssuer(world)
        self._throttle = Throttle(world)
        self._own_sender = ProxySender(world)
        self._send = send or self._own_sender
        self._operations: dict[str, Any] = {}
        self._background = Background(self.tick, seconds=_TICK_SECONDS)

    def serves(self, host: str) -> bool:
        return host == MANAGEMENT_HOST

    def operation(self, request: web.Request) -> str:
        found = _find_route(request)
        return found[0].operation if found else "Unknown"

    async def start(self) -> None:
        """Set off the daily look for newer key versions."""
        self._background.start()

    async def stop(self) -> None:
        await self._background.stop()
        await self._own_sender.close()

    def reset(self) -> None:
        """Forget operations and fill the throttling buckets."""
        self._operations.clear()
        self._throttle.reset()

    async def tick(self) -> None:
        """Do what is due by the world's clock."""
        for account in list(self._world.storage_accounts.values()):
            pick_up_newest_version(self._world, account)
            pick_up_newest_versions(self._world, account)

    async def handle(self, request: web.Request) -> web.Response:
        headers: dict[str, str] = {}
        try:
            answer = await self._dispatch(request, headers)
        except ArmError as error:
            headers |= error.headers
            if error.gateway:
                headers["x-ms-failure-cause"] = "gateway"
            answer = Answer(error.status, error.document())
        return _respond(answer, headers)

    async def _dispatch(self, request: web.Request, headers: dict[str, str]) -> Answer:
        claims = self._authenticate(request)
        found = _find_route(request)
        if found is None:
            message = f"The local Resource Manager does not imitate {request.method} {request.path}."
            raise ArmError(501, "NotImplementedLocally", message)
        route, parts = found
        version = _api_version(request, route)
        tenant_id = find_tenant_id(self._world, parts["subscription"])
        _check_tenant(claims, tenant_id)
        headers |= self._throttle.take(request.method, parts["subscription"], claims.object_id)
        if request.method != "GET":
            headers["x-ms-operation-identifier"] = (
                f"tenantId={claims.tenant_id},objectId={claims.object_id}/{LOCATION}/{uuid.uuid4()}"
            )
        call = ArmCall(
            world=self._world,
            claims=claims,
            tenant_id=tenant_id or claims.tenant_id,
            api_version=version,
            host=MANAGEMENT_HOST,
            path=request.path,
            parts=parts,
            query=dict(request.query),
            content=await request.read(),
            send=self._send,
            operations=self._operations,
        )
        return await route.handler(call)

    def _authenticate(self, request: web.Request) -> Claims:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise authentication_failed(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        try:
            claims = self._tokens.decode(token.strip())
        except TokenExpired as error:
            raise authentication_failed(
                "ExpiredAuthenticationToken", f"The access token expiry UTC time is in the past: {error}."
            ) from error
        except TokenRejected as error:
            raise authentication_failed("InvalidAuthenticationToken", "The access token is invalid.") from error
        if claims.audience.rstrip("/") not in _AUDIENCES:
            raise authentication_failed(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{claims.audience}'. It should exactly match with one of the allowed audiences "
                "'https://management.core.windows.net/','https://management.azure.com/'.",
            )
        return claims


def _check_tenant(claims: Claims, tenant_id: str | None) -> None:
    if tenant_id is None or claims.tenant_id.lower() == tenant_id.lower():
        return
    raise authentication_failed(
        "InvalidAuthenticationTokenTenant",
        f"The access token is from the wrong issuer '{claims.issuer}'. It must match the tenant "
        f"'https://sts.windows.net/{tenant_id}/' associated with this subscription. Please use the authority (URL) "
        f"'https://login.windows.net/{tenant_id}' to get the token.",
    )


def _find_route(request: web.Request) -> tuple[Route, dict[str, str]] | None:
    path = request.path.rstrip("/")
    for route in ROUTES:
        if route.method == request.method and (found := route.path.fullmatch(path)):
            return route, found.groupdict()
    return None


def _api_version(request: web.Request, route: Route) -> str:
    version = request.query.get("api-version")
    if version is None:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
            gateway=True,
        )
    if version not in route.versions:
        raise ArmError(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{LOCATION}' and API version '{version}' for type "
            f"'{route.kind}'. The supported api-versions are '{', '.join(route.versions)}'.",
            gateway=True,
        )
    return version


def _respond(answer: Answer, headers: dict[str, str]) -> web.Response:
    request_id = str(uuid.uuid4())
    headers = {
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"WESTEUROPE:{request_id}",
        **headers,
        **answer.headers,
    }
    if answer.document is None:
        return web.Response(status=answer.status, headers=headers)
    headers.setdefault("Content-Type", "application/json")
    return web.Response(status=answer.status, body=json.dumps(answer.document).encode(), headers=headers)
