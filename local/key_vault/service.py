"""Key Vault behind the edge: hosts, bearer tokens and the 401 challenge, throttling, headers, dispatch.

Serves `{name}.vault.azure.net` for vaults that exist; for any other name of that domain the edge refuses the
connection, as a failing name resolution would. `start` sets off what time alone does to keys.
"""

import json
import uuid
from collections import deque
from typing import Any, Final, cast

from aiohttp import web

from local.background import Background
from local.entra.tokens import Claims, TokenExpired, TokenIssuer, TokenRejected
from local.key_vault.errors import KeyVaultError, bad_parameter, throttled, unauthorized
from local.key_vault.handlers import ROUTES, Route
from local.key_vault.key_pool import KeyPool
from local.key_vault.lifecycle import apply_time
from local.key_vault.operations import HOST_SUFFIX, find_vault
from local.key_vault.requests import VaultCall
from local.names import ENTRA_HOST, VAULT_RESOURCE
from local.world import RoleAssignment, Vault, World

API_VERSIONS: Final = ("7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01")
_SERVICE_VERSION: Final = "1.9.2784.1"
_RBAC_CACHE: Final = "ra_age=0;da_age=0;rd_age=0;brd_age=0;ra_notif_age=0;dec_lev=0;"
_WINDOW_SECONDS: Final = 10
_TICK_SECONDS: Final = 0.1


class KeyVaultService:
    """The data plane of every vault in the world."""

    name = "keyvault"

    def __init__(self, world: World, pool: KeyPool | None = None) -> None:
        self._world = world
        self._tokens = TokenIssuer(world)
        self.pool = pool or KeyPool()
        self._recent: dict[str, deque[float]] = {}
        self._background = Background(self.tick, seconds=_TICK_SECONDS)

    def knows_host(self, host: str) -> bool:
        """Whether a host name is in Key Vault's domain, whether such a vault exists or not."""
        return host.endswith(HOST_SUFFIX)

    def serves(self, host: str) -> bool:
        return find_vault(self._world, host) is not None

    def operation(self, request: web.Request) -> str:
        found = _find_route(request)
        return found[0].operation if found else "Unknown"

    async def start(self) -> None:
        """Set off what time does to keys."""
        self._background.start()

    async def stop(self) -> None:
        await self._background.stop()
        await self.pool.close()

    def reset(self) -> None:
        """Forget what was counted for throttling."""
        self._recent.clear()

    async def tick(self) -> None:
        """Apply what is due by the world's clock: expiry events, rotation by policy, the end of soft delete."""
        await apply_time(self._world, self.pool)

    async def handle(self, request: web.Request) -> web.Response:
        vault = find_vault(self._world, request.host.partition(":")[0])
        if vault is None:
            return web.Response(status=421)
        call: VaultCall | None = None
        try:
            self._throttle(vault)
            claims = self._authenticate(request)
            found = _find_route(request)
            if found is None:
                return self._not_imitated(request, vault)
            route, parts = found
            call = VaultCall(
                world=self._world,
                vault=vault,
                claims=claims,
                pool=self.pool,
                api_version=_api_version(request),
                parts=parts,
                query=dict(request.query),
                content=await request.read(),
            )
            document = await route.handler(call)
        except KeyVaultError as error:
            return self._answer(request, vault, error.status, error.document(), call.grant if call else None)
        return self._answer(request, vault, 204 if document is None else 200, document, call.grant)

    def _throttle(self, vault: Vault) -> None:
        now = self._world.clock.time()
        recent = self._recent.setdefault(vault.name, deque())
        while recent and recent[0] <= now - _WINDOW_SECONDS:
            recent.popleft()
        if len(recent) >= vault.transactions_per_10_seconds:
            raise throttled()
        recent.append(now)

    def _authenticate(self, request: web.Request) -> Claims:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("AKV10000: Request is missing a Bearer or PoP token.")
        try:
            claims = self._tokens.decode(token.strip())
        except TokenExpired as error:
            raise unauthorized(f"[TokenExpired] Error validating token: '{error}'.") from error
        except TokenRejected as error:
            raise unauthorized(f"[BearerReadAccessTokenFailed] Error validating token: '{error}'.") from error
        if claims.audience.rstrip("/") != VAULT_RESOURCE:
            raise unauthorized(f"AKV10022: Invalid audience. Expected {VAULT_RESOURCE}, found: {claims.audience}.")
        return claims

    def _not_imitated(self, request: web.Request, vault: Vault) -> web.Response:
        message = f"The local Key Vault does not imitate {request.method} {request.path}."
        return self._answer(request, vault, 501, {"error": {"code": "NotImplementedLocally", "message": message}}, None)

    def _answer(
        self,
        request: web.Request,
        vault: Vault,
        status: int,
        document: dict[str, Any] | None,
        grant: RoleAssignment | None,
    ) -> web.Response:
        headers = {
            "x-ms-keyvault-region": vault.location,
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-keyvault-service-version": _SERVICE_VERSION,
            "x-ms-keyvault-network-info": (
                f"conn_type=Ipv4;addr={self._world.client_address};act_addr_fam=InterNetwork;"
            ),
        }
        if client_request_id := request.headers.get("x-ms-client-request-id"):
            headers["x-ms-client-request-id"] = client_request_id
        if grant is not None:
            headers["x-ms-keyvault-rbac-assignment-id"] = grant.name
            headers["x-ms-keyvault-rbac-cache"] = _RBAC_CACHE
        if status == 401:
            headers["WWW-Authenticate"] = (
                f'Bearer authorization="https://{ENTRA_HOST}/{vault.tenant_id}", resource="{VAULT_RESOURCE}"'
            )
        if document is None:
            return web.Response(status=status, headers=headers)
        headers["Content-Type"] = "application/json; charset=utf-8"
        return web.Response(status=status, body=json.dumps(document).encode(), headers=headers)


def _find_route(request: web.Request) -> tuple[Route, dict[str, str | None]] | None:
    for route in ROUTES:
        if route.method == request.method and (found := route.path.fullmatch(request.path)):
            return route, cast("dict[str, str | None]", found.groupdict())
    return None


def _api_version(request: web.Request) -> str:
    version = request.query.get("api-version")
    if version is None:
        raise bad_parameter("The api-version query parameter must be specified.")
    if version not in API_VERSIONS:
        raise bad_parameter(
            f"The specified version ({version}) is not recognized. Consider using the latest supported version "
            f"({API_VERSIONS[-1]})."
        )
    return version
