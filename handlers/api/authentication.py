"""Callers: bearer tokens for CrossKey's own API application, signed by Microsoft Entra.

The provider's roles (`CrossKey.Reader`, `.Operator`, `.Admin`) count only in tokens of the provider's tenant, since
a customer's administrator could grant them to himself in his own. `CrossKey.KeyAdministrator` counts for customers
of the token's tenant; `access` compares them. Token versions and claims:
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

import jwt

from shared.bundle import Bundle
from shared.domain.identifiers import MalformedIdentifier, guid
from shared.errors import NotAuthenticated

ALGORITHMS = ["RS256"]
CLOCK_SKEW = timedelta(minutes=1)
LONGEST_TOKEN = 16_384
KEY_ADMINISTRATOR = "CrossKey.KeyAdministrator"


class Level(IntEnum):
    """What a caller of the provider's tenant may do; each includes those before it."""

    READ = 1
    OPERATE = 2
    ADMINISTER = 3


LEVELS = {"CrossKey.Reader": Level.READ, "CrossKey.Operator": Level.OPERATE, "CrossKey.Admin": Level.ADMINISTER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. `level` None: no role of the provider's that counts."""

    tenant_id: str
    object_id: str
    level: Level | None
    is_key_administrator: bool

    @property
    def actor(self) -> str:
        """The caller as timeline entries name it."""
        return f"{self.object_id}@{self.tenant_id}"

    def may(self, level: Level) -> bool:
        """Whether the provider gave this caller at least this level."""
        return self.level is not None and self.level >= level


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token for this API that holds: signed by Microsoft Entra, of this tenant, and valid now."""

    tenant_id: str
    claims: dict[str, Any]

    @property
    def roles(self) -> set[str]:
        """The API's roles that the token names."""
        roles = self.claims.get("roles", [])
        return {role for role in roles if isinstance(role, str)} if isinstance(roles, list) else set()


async def authenticate(authorization: str | None, bundle: Bundle) -> Caller:
    """Check the `Authorization` header. Raises `NotAuthenticated`; `Unavailable` when Entra's keys cannot be had."""
    return _caller(await read_token(authorization, bundle), bundle)


async def read_token(authorization: str | None, bundle: Bundle) -> Token:
    """Check the token itself, whoever it is of. Raises as `authenticate` does."""
    token = _bearer(authorization)
    key = await bundle.signing_keys.find(_key_id(token))
    if key is None:
        raise NotAuthenticated("Checking the bearer token: its signing key is not one that Microsoft Entra publishes.")
    api = bundle.settings.api_client_id
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=[api, f"api://{api}"],
            # Times are compared below: PyJWT reads the machine's clock, and time is passed in here.
            options={
                "require": ["exp", "iss", "aud", "tid"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.PyJWTError as error:
        # The library's words name the failed rule and nothing of the token.
        raise NotAuthenticated(f"Checking the bearer token: {error}.") from error
    _check_times(claims, bundle.clock.now())
    return Token(tenant_id=_tenant(claims, bundle), claims=claims)


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("Send a bearer token of Microsoft Entra for this API in the Authorization header.")
    if len(token) > LONGEST_TOKEN:
        raise NotAuthenticated("Checking the bearer token: it is too long.")
    return token.strip()


def _key_id(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise NotAuthenticated("Checking the bearer token: it is not a JSON Web Token.") from error
    key_id = header.get("kid")
    if header.get("alg") not in ALGORITHMS or not isinstance(key_id, str) or not key_id:
        raise NotAuthenticated("Checking the bearer token: it must be signed with RS256 by a key that it names.")
    return key_id


def _check_times(claims: dict[str, Any], now: datetime) -> None:
    moment, skew = now.timestamp(), CLOCK_SKEW.total_seconds()
    expires, not_before = claims["exp"], claims.get("nbf", 0)
    if not isinstance(expires, int | float) or not isinstance(not_before, int | float):
        raise NotAuthenticated("Checking the bearer token: its times are not numbers.")
    if expires + skew <= moment:
        raise NotAuthenticated("Checking the bearer token: it has expired; obtain a new one.")
    if not_before - skew > moment:
        raise NotAuthenticated("Checking the bearer token: it is not valid yet.")


def _tenant(claims: dict[str, Any], bundle: Bundle) -> str:
    try:
        tenant = guid(str(claims["tid"]))
    except MalformedIdentifier as error:
        raise NotAuthenticated("Checking the bearer token: its tenant is not a GUID.") from error
    if claims["iss"] != f"{bundle.settings.cloud.authority}/{tenant}/v2.0":
        raise NotAuthenticated("Checking the bearer token: its issuer is not its own tenant.")
    return tenant


def _caller(token: Token, bundle: Bundle) -> Caller:
    who = token.claims.get("oid") or token.claims.get("sub")
    if not isinstance(who, str) or not who:
        raise NotAuthenticated("Checking the bearer token: it names nobody (claims oid and sub).")
    levels = [level for role, level in LEVELS.items() if role in token.roles]
    return Caller(
        tenant_id=token.tenant_id,
        object_id=who,
        level=max(levels, default=None) if token.tenant_id == bundle.settings.provider_tenant_id else None,
        is_key_administrator=KEY_ADMINISTRATOR in token.roles,
    )
