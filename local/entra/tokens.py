"""Signs and checks the tokens of the local Entra.

Tokens for Azure's own services (the audience is an https address) look like Entra's version 1, all others like
version 2; both are RS256 under the one key that the JWKS document publishes. Validity is judged by world time.
Used by the token endpoint, the managed identity endpoint, the control API and every service that takes a bearer.
"""

import base64
import hashlib
import uuid
from datetime import timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.names import ENTRA_HOST
from local.world import ManagedIdentity, World

_HOUR: Final = timedelta(hours=1)
_CLOCK_SKEW: Final = timedelta(minutes=5)


class TokenRejected(Exception):
    """A token that is not ours, not valid now, or not for this audience. The text is for the log and the answer."""


class TokenExpired(TokenRejected):
    """A genuine token outside its valid time; `claims` holds what it said."""

    def __init__(self, message: str, claims: "Claims") -> None:
        super().__init__(message)
        self.claims = claims


class Claims(dict[str, Any]):
    """The claims of a genuine token, as a mapping with the usual ones by name."""

    @property
    def tenant_id(self) -> str:
        return str(self.get("tid", ""))

    @property
    def object_id(self) -> str:
        """Object id of the caller in `tenant_id`: what role assignments and access policies name."""
        return str(self.get("oid", ""))

    @property
    def application_id(self) -> str:
        """Client id of the application that the token was given to."""
        return str(self.get("appid") or self.get("azp") or "")

    @property
    def issuer(self) -> str:
        return str(self.get("iss", ""))

    @property
    def subject(self) -> str:
        return str(self.get("sub", ""))

    @property
    def audience(self) -> str:
        return str(self.get("aud", ""))

    @property
    def roles(self) -> list[str]:
        return list(self.get("roles", []))

    @property
    def is_managed_identity(self) -> bool:
        """Whether Azure gave the token to a managed identity: only those may serve as federated assertions."""
        return "xms_mirid" in self


def v2_issuer(tenant_id: str) -> str:
    """The issuer that federated credentials name."""
    return f"https://{ENTRA_HOST}/{tenant_id}/v2.0"


class TokenIssuer:
    """Issues and verifies tokens with the world's signing key."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._public_key = world.signing_key.public_key()
        der = self._public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._key_id = _base64url(hashlib.sha256(der).digest()[:20])

    def issue(self, *, tenant_id: str, audience: str, claims: dict[str, Any], lifetime: timedelta = _HOUR) -> str:
        """Sign a token. `claims` adds to, and wins over, the claims that every token carries."""
        now = int(self._world.clock.time())
        is_azure_service = audience.startswith("https://")
        document: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant_id}/" if is_azure_service else v2_issuer(tenant_id),
            "iat": now,
            "nbf": now,
            "exp": now + int(lifetime.total_seconds()),
            "tid": tenant_id,
            "uti": _base64url(uuid.uuid4().bytes),
            "ver": "1.0" if is_azure_service else "2.0",
            **claims,
        }
        return jwt.encode(document, self._world.signing_key, algorithm="RS256", headers={"kid": self._key_id})

    def issue_to_identity(self, identity: ManagedIdentity, *, audience: str, lifetime: timedelta) -> str:
        """Sign a managed identity's token; its subject is the identity's principal (object) id."""
        return self.issue(
            tenant_id=identity.tenant_id,
            audience=audience,
            claims=identity_claims(identity),
            lifetime=lifetime,
        )

    def verify(self, token: str, *, audience: str) -> Claims:
        """Check signature, issuer, audience and time; raises `TokenRejected`.

        Audiences are compared without a trailing slash: Azure's services take `https://vault.azure.net` and
        `https://vault.azure.net/` alike.
        """
        claims = self.decode(token)
        if claims.audience.rstrip("/") != audience.rstrip("/"):
            raise TokenRejected(f"audience is '{claims.audience}', not '{audience}'")
        return claims

    def decode(self, token: str) -> Claims:
        """Check everything but the audience; raises `TokenExpired` for a genuine token outside its time."""
        try:
            claims = Claims(
                jwt.decode(
                    token,
                    self._public_key,
                    algorithms=["RS256"],
                    # PyJWT would judge times by the real clock and the audience by its exact spelling.
                    options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
                )
            )
        except jwt.InvalidSignatureError as error:
            raise TokenRejected("the signature is not by this Entra") from error
        except jwt.PyJWTError as error:
            raise TokenRejected("malformed token") from error
        if claims.issuer not in {v2_issuer(claims.tenant_id), f"https://sts.windows.net/{claims.tenant_id}/"}:
            raise TokenRejected(f"issuer '{claims.issuer}' does not belong to tenant '{claims.tenant_id}'")
        now, skew = self._world.clock.time(), _CLOCK_SKEW.total_seconds()
        if not claims["nbf"] - skew <= now < claims["exp"]:
            raise TokenExpired(f"valid from {claims['nbf']} to {claims['exp']}, now is {now:.0f}", claims)
        return claims

    def jwks(self, tenant_id: str | None = None) -> dict[str, Any]:
        """Build the JWKS document, with the issuer member as Entra adds it."""
        numbers = self._public_key.public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "kid": self._key_id,
            "x5t": self._key_id,
            "n": _base64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)),
            "e": _base64url(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8)),
            "issuer": v2_issuer(tenant_id or "{tenantid}"),
        }
        return {"keys": [key]}


def identity_claims(identity: ManagedIdentity) -> dict[str, Any]:
    """The claims that make a token a managed identity's."""
    return {
        "appid": identity.client_id,
        "azp": identity.client_id,
        "oid": identity.principal_id,
        "sub": identity.principal_id,
        "idtyp": "app",
        "xms_mirid": identity.resource_id,
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
