"""The API over a fake world, a client for it, and tokens of a made-up Microsoft Entra."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI

from handlers.api.app import create_app
from tests.fakes import API_CLIENT_ID, CUSTOMER_TENANT, PROVIDER_TENANT, FakeWorld

KEY_ID = "entra-key-1"
SIGNING_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CALLER = "99999999-0000-4000-8000-000000000009"
CUSTOMER = {"displayName": "Contoso", "tenantId": CUSTOMER_TENANT}
KEY = {"keyIdentifier": "https://contoso.vault.azure.net/keys/cmk", "versionPolicy": "latest"}


def claims_of(world: FakeWorld, *roles: str, tenant: str = PROVIDER_TENANT, **changes: Any) -> dict[str, Any]:
    """The claims of a good token; a change to None leaves a claim out."""
    now = int(world.clock.now().timestamp())
    claims = {
        "aud": API_CLIENT_ID,
        "iss": f"https://login.microsoftonline.com/{tenant}/v2.0",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "tid": tenant,
        "oid": CALLER,
        "sub": "pairwise",
        "roles": list(roles),
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def sign(claims: dict[str, Any], *, key: Any = SIGNING_KEY, algorithm: str = "RS256", key_id: str = KEY_ID) -> str:
    """Sign a token, whatever it claims."""
    payload = json.dumps(claims).encode()
    return jwt.PyJWS().encode(payload, key, algorithm=algorithm, headers={"kid": key_id, "typ": "JWT"})


@dataclass(frozen=True)
class Api:
    """The application, and the world behind it."""

    world: FakeWorld
    app: FastAPI
    client: httpx.AsyncClient

    def headers(self, *roles: str, tenant: str = PROVIDER_TENANT, **changes: Any) -> dict[str, str]:
        """Headers with a good token of those roles, without `CrossKey.`."""
        claims = claims_of(self.world, *(f"CrossKey.{role}" for role in roles), tenant=tenant, **changes)
        return {"Authorization": f"Bearer {sign(claims)}"}

    async def call(self, method: str, path: str, *, role: str = "Operator", **options: Any) -> httpx.Response:
        """Call as somebody of the provider."""
        headers = {**self.headers(role), **options.pop("headers", {})}
        return await self.client.request(method, f"/api{path}", headers=headers, **options)

    async def call_as_customer(self, method: str, path: str, *, tenant: str, **options: Any) -> httpx.Response:
        """Call as a customer's key administrator."""
        headers = self.headers("KeyAdministrator", tenant=tenant)
        return await self.client.request(method, f"/api{path}", headers=headers, **options)


def make_api(world: FakeWorld, *, get_bundle: Callable[[], Any] | None = None) -> Api:
    """Build the API. The caller closes `client`."""
    world.signing_keys.keys[KEY_ID] = SIGNING_KEY.public_key()
    app = create_app(get_bundle or (lambda: world.bundle))
    transport = httpx.ASGITransport(app)
    return Api(world, app, httpx.AsyncClient(transport=transport, base_url="https://crosskey.azurewebsites.net"))
