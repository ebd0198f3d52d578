"""Customers' vaults, read and used as the provider's application in the customer's tenant.

Wrapping and unwrapping go to the server through `send_request`: the SDK's crypto client would wrap locally, which
proves nothing. No client is built and no request leaves for a host that is not a vault of the configured cloud.
"""

import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from azure.core import AsyncPipelineClient
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.keyvault.keys import KeyVaultKey
from azure.keyvault.keys.aio import KeyClient

from shared.adapters.azure_errors import translate, translate_status
from shared.adapters.credentials import Credentials, PinnedCredential
from shared.adapters.transport import BriefRetryPolicy, SharedTransport, client_arguments
from shared.domain.clouds import Cloud
from shared.domain.identifiers import GUID, HostNotAllowed, KeyIdentifier, MalformedIdentifier
from shared.domain.key_observation import ObservedKey
from shared.errors import Refused, UnexpectedAnswer
from shared.ports import Challenge

ALGORITHM: Final = "RSA-OAEP-256"
CACHED_VAULTS: Final = 256
CHALLENGE_API_VERSION: Final = "7.4"
AUTHORITY: Final = re.compile(r'authorization(?:_uri)?="?([^",\s]+)', re.IGNORECASE)
OLDER_AUTHORITY: Final = "login.windows.net"


class AzureKeyVault:
    """Implements `KeyVault`."""

    def __init__(self, credentials: Credentials, transport: SharedTransport, cloud: Cloud) -> None:
        self._credentials = credentials
        self._transport = transport
        self._cloud = cloud
        self._clients: OrderedDict[tuple[str, str, str], tuple[PinnedCredential, KeyClient]] = OrderedDict()
        self._anonymous: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] | None = None

    async def read_challenge(self, key: KeyIdentifier) -> Challenge:
        """Ask anonymously whose vault it is."""
        self._check_host(key)
        doing = f"asking {key.vault_host} for its tenant"
        url = f"{key.vault_uri}/keys/{key.key_name}?api-version={CHALLENGE_API_VERSION}"
        try:
            response = await self._without_token().send_request(HttpRequest("GET", url))
        except (AzureError, ValueError) as error:
            raise translate(error, doing) from error
        if response.status_code != 401:
            if response.status_code >= 300:
                raise translate_status(response.status_code, response.headers, response.text(), doing)
            raise UnexpectedAnswer(f"{doing}: it answered without asking for a token")
        found = AUTHORITY.search(response.headers.get("WWW-Authenticate", ""))
        authority = urlsplit(found[1] if found else "")
        tenant = authority.path.strip("/").partition("/")[0].lower()
        known = (urlsplit(self._cloud.authority).hostname, OLDER_AUTHORITY)
        if authority.hostname not in known or not GUID.fullmatch(tenant):
            raise UnexpectedAnswer(f"{doing}: its challenge names no tenant of {self._cloud.authority}")
        return Challenge(tenant, response.headers.get("x-ms-keyvault-region"))

    async def read_key(self, key: KeyIdentifier, *, tenant_id: str, application: str) -> ObservedKey | None:
        """Read one version, or the latest; None when there is no such key."""
        client = self._client(key, tenant_id, application)
        doing = f"reading key {key}"
        try:
            return _observe(await client.get_key(key.key_name, key.version), doing)
        except ResourceNotFoundError as error:
            refused = translate(error, doing)
            if isinstance(refused, Refused) and refused.azure_code == "KeyNotFound":
                return None
            raise refused from error
        except (AzureError, ValueError) as error:
            raise translate(error, doing) from error

    async def list_versions(
        self, key: KeyIdentifier, *, tenant_id: str, application: str
    ) -> Sequence[tuple[str, bool, datetime]]:
        """Every version as (version, enabled, created), newest first; none when there is no such key."""
        client = self._client(key, tenant_id, application)
        doing = f"listing versions of {key.versionless}"
        versions: list[tuple[str, bool, datetime]] = []
        try:
            async for one in client.list_properties_of_key_versions(key.key_name):
                if one.version is None or one.created_on is None:
                    raise UnexpectedAnswer(f"{doing}: a version without id or date")
                versions.append((one.version, bool(one.enabled), one.created_on))
        except ResourceNotFoundError as error:
            refused = translate(error, doing)
            if isinstance(refused, Refused) and refused.azure_code == "KeyNotFound":
                return []
            raise refused from error
        except (AzureError, ValueError) as error:
            raise translate(error, doing) from error
        # Key Vault lists by version id, which says nothing of age.
        return sorted(versions, key=lambda version: (version[2], version[0]), reverse=True)

    async def wrap(self, key: KeyIdentifier, plaintext: bytes, *, tenant_id: str, application: str) -> str:
        """Let the vault wrap bytes with one version; answers base64url text."""
        return await self._operate("wrapkey", key, _encode(plaintext), tenant_id, application)

    async def unwrap(self, key: KeyIdentifier, wrapped: str, *, tenant_id: str, application: str) -> bytes:
        """Let the vault unwrap what one version wrapped."""
        value = await self._operate("unwrapkey", key, wrapped, tenant_id, application)
        try:
            return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except (binascii.Error, ValueError) as error:
            raise UnexpectedAnswer(f"unwrapping with {key}: the answer is not base64url") from error

    async def _operate(self, operation: str, key: KeyIdentifier, value: str, tenant_id: str, application: str) -> str:
        if key.version is None:
            raise ValueError(f"{operation} needs a versioned key identifier, not {key}")
        client = self._client(key, tenant_id, application)
        doing = f"{operation} with {key}"
        request = HttpRequest("POST", f"{key}/{operation}", json={"alg": ALGORITHM, "value": value})
        try:
            response = await client.send_request(request)
        except (AzureError, ValueError) as error:
            raise translate(error, doing) from error
        if response.status_code != 200:
            raise translate_status(response.status_code, response.headers, response.text(), doing)
        try:
            match response.json():
                case {"kid": str(kid), "value": str(answer)} if _is_of(key, kid, self._cloud):
                    return answer
        except (ValueError, AzureError) as error:
            raise UnexpectedAnswer(f"{doing}: the answer could not be read") from error
        raise UnexpectedAnswer(f"{doing}: the answer is of another key version")

    def _client(self, key: KeyIdentifier, tenant_id: str, application: str) -> KeyClient:
        self._check_host(key)
        credential = self._credentials.pinned(tenant_id=tenant_id, application=application)
        place = (key.vault_host, tenant_id, application)
        found = self._clients.get(place)
        # A client keeps its token, so a credential that was replaced takes its clients along.
        if found is None or found[0] is not credential:
            found = (credential, self._build(key, credential))
            self._clients[place] = found
        self._clients.move_to_end(place)
        while len(self._clients) > CACHED_VAULTS:
            self._clients.popitem(last=False)
        return found[1]

    def _build(self, key: KeyIdentifier, credential: PinnedCredential) -> KeyClient:
        host = key.vault_host

        def stay(request: PipelineRequest[Any]) -> None:
            # Lists continue where the answer says; the token must not follow it to another host.
            if urlsplit(request.http_request.url).hostname != host:
                raise UnexpectedAnswer(f"reading {host}: the answer continues at another host")

        return KeyClient(key.vault_uri, credential, raw_request_hook=stay, **client_arguments(self._transport))

    def _without_token(self) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
        if self._anonymous is None:
            policies = [RequestIdPolicy(), UserAgentPolicy("crosskey"), BriefRetryPolicy()]
            self._anonymous = AsyncPipelineClient("", policies=policies, transport=self._transport)
        return self._anonymous

    def _check_host(self, key: KeyIdentifier) -> None:
        # Parsed once more: the last line before a token could leave for a host of somebody's choosing.
        try:
            KeyIdentifier.parse(str(key), cloud=self._cloud)
        except MalformedIdentifier as error:
            raise HostNotAllowed(f"refusing to contact {key.vault_host}: {error}") from error


def _observe(key: KeyVaultKey, doing: str) -> ObservedKey:
    properties = key.properties
    if properties.version is None or properties.created_on is None:
        raise UnexpectedAnswer(f"{doing}: the answer has no version or date")
    key_type = _text(key.key_type)
    modulus = getattr(key.key, "n", None) if key_type.startswith("RSA") else None
    return ObservedKey(
        version=properties.version,
        key_type=key_type,
        bits=int.from_bytes(modulus).bit_length() if modulus else 0,
        operations=frozenset(_text(one) for one in key.key_operations or ()),
        enabled=bool(properties.enabled),
        not_before=properties.not_before,
        expires=properties.expires_on,
        created=properties.created_on,
        recovery_level=_text(properties.recovery_level or ""),
        tags=dict(properties.tags or {}),
    )


def _text(value: Any) -> str:
    # The SDK answers an enum for the values it knows, and plain text for those it does not.
    return str(getattr(value, "value", value))


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _is_of(asked: KeyIdentifier, kid: str, cloud: Cloud) -> bool:
    """Whether an answer is of the version that was asked; key names compare case-folded."""
    answered = KeyIdentifier.parse(kid, cloud=cloud)
    return answered.names_same_key(asked) and answered.version == asked.version
