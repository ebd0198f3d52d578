"""The provider's identities: its managed identities, and its applications in customers' tenants.

An application proves itself in a customer's tenant with a token of a managed identity (a federated credential), so no
secret exists. A credential here is pinned to the customer's registered tenant: whatever tenant a vault's challenge
names, no token of another one is ever asked for or sent. `additionally_allowed_tenants` is never set.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import OrderedDict
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import AzureError
from azure.identity.aio import ClientAssertionCredential, ManagedIdentityCredential

from shared.adapters.credential_errors import translate_credential
from shared.adapters.transport import RETRIES, BriefRetryPolicy, SharedTransport
from shared.domain.clouds import Cloud
from shared.errors import CredentialRefused, Refused, Unavailable
from shared.settings import Settings
from shared.single_flight import SingleFlight

CACHED_TENANTS: Final = 256


class Credential(ABC):
    """What every credential here shares: the older `get_token`, and nothing to close."""

    @abstractmethod
    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Obtain a token. Raises `CredentialRefused` or `Unavailable`, which SDK pipelines pass through."""

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **_: Any,
    ) -> AccessToken:
        """Obtain a token in the form that older SDK clients ask for."""
        options: TokenRequestOptions = {"enable_cae": enable_cae}
        if claims:
            options["claims"] = claims
        if tenant_id:
            options["tenant_id"] = tenant_id
        found = await self.get_token_info(*scopes, options=options)
        return AccessToken(found.token, found.expires_on)

    async def close(self) -> None:  # noqa: B027 - true of every credential here, so nobody need say it again
        """Nothing to close: the transport is shared."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        return None


class IdentityCredential(Credential):
    """One user-assigned managed identity, asked by one request at a time."""

    def __init__(self, client_id: str, transport: SharedTransport) -> None:
        self._client_id = client_id
        self._inner = ManagedIdentityCredential(client_id=client_id, transport=transport, retry_total=RETRIES)
        self._lock = asyncio.Lock()

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Obtain a token of the identity's home tenant."""
        # A managed identity has one tenant and knows no claims challenges.
        del options
        async with self._lock:
            try:
                found: AccessTokenInfo = await self._inner.get_token_info(*scopes)
            except (AzureError, ValueError) as error:
                raise translate_credential(error, f"obtaining a token of identity {self._client_id}") from error
        return found


class PinnedCredential(Credential):
    """An application in one customer's tenant, and in no other."""

    def __init__(
        self, *, tenant_id: str, client_id: str, identity: IdentityCredential, cloud: Cloud, transport: SharedTransport
    ) -> None:
        self._tenant_id = tenant_id
        self._client_id = client_id
        self._identity = identity
        self._assertion_scope = assertion_scope(cloud)
        self._assertion = ""
        self._lock = asyncio.Lock()
        # The SDK calls the assertion function without await, so it hands out what was awaited before.
        self._inner = ClientAssertionCredential(
            tenant_id,
            client_id,
            lambda: self._assertion,
            authority=urlsplit(cloud.authority).hostname,
            transport=transport,
            retry_policy_class=BriefRetryPolicy,
        )

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Obtain a token of the pinned tenant. Raises `Refused` when the caller was led to another one."""
        asked: TokenRequestOptions = dict(options or {})  # type: ignore[assignment]  # a copy has the same members
        challenged = asked.pop("tenant_id", None)
        if challenged and challenged.lower() != self._tenant_id:
            raise Refused(
                f"obtaining a token for tenant {self._tenant_id}: the challenge named tenant {challenged}",
                http_status=401,
                azure_code="Unauthorized",
                inner_code="VaultInAnotherTenant",
            )
        async with self._lock:
            try:
                self._assertion = (await self._identity.get_token_info(self._assertion_scope)).token
                return await self._inner.get_token_info(*scopes, options=asked)
            except (AzureError, ValueError) as error:
                doing = f"obtaining a token of application {self._client_id} in tenant {self._tenant_id}"
                raise translate_credential(error, doing) from error
            finally:
                self._assertion = ""


class Credentials:
    """Implements `TenantCredentials`, and hands credentials to the other adapters."""

    def __init__(self, settings: Settings, transport: SharedTransport) -> None:
        self._settings = settings
        self._transport = transport
        self._scope = f"{settings.cloud.vault_audience}/.default"
        self._identities: dict[str, IdentityCredential] = {}
        self._fresh = SingleFlight()
        self._pinned: OrderedDict[tuple[str, str], PinnedCredential] = OrderedDict()

    def identity(self, client_id: str) -> IdentityCredential:
        """One of the provider's managed identities."""
        if client_id not in self._identities:
            self._identities[client_id] = IdentityCredential(client_id, self._transport)
        return self._identities[client_id]

    def pinned(self, *, tenant_id: str, application: str) -> PinnedCredential:
        """The cached credential of an application in a customer's tenant."""
        place = (tenant_id, application)
        if place not in self._pinned:
            self._keep(place, self._build(tenant_id, application))
        self._pinned.move_to_end(place)
        return self._pinned[place]

    async def obtain(self, *, tenant_id: str, application: str, fresh: bool = False) -> None:
        """Obtain a token for the vaults of a customer's tenant; `fresh` goes past the cache."""
        if not fresh:
            await self._ask(self.pinned(tenant_id=tenant_id, application=application))
            return
        await self._fresh.run(f"{tenant_id} {application}", lambda: self._renew(tenant_id, application))

    async def obtain_assertion(self, *, application: str) -> None:
        """Obtain the managed identity's token that the application trusts: our own half of the chain."""
        await self.identity(self._identity_of(application)).get_token_info(assertion_scope(self._settings.cloud))

    async def _renew(self, tenant_id: str, application: str) -> None:
        made = self._build(tenant_id, application)
        try:
            await self._ask(made)
        except CredentialRefused:
            # The cached token may still be alive, but what it stands for is gone.
            self._keep((tenant_id, application), made)
            raise
        self._keep((tenant_id, application), made)

    async def _ask(self, credential: PinnedCredential) -> None:
        # Key Vault's client asks with continuous access evaluation on; such tokens are cached apart.
        await credential.get_token_info(self._scope, options={"enable_cae": True})

    def _keep(self, place: tuple[str, str], credential: PinnedCredential) -> None:
        self._pinned[place] = credential
        self._pinned.move_to_end(place)
        while len(self._pinned) > CACHED_TENANTS:
            self._pinned.popitem(last=False)

    def _build(self, tenant_id: str, application: str) -> PinnedCredential:
        return PinnedCredential(
            tenant_id=tenant_id,
            client_id=application,
            identity=self.identity(self._identity_of(application)),
            cloud=self._settings.cloud,
            transport=self._transport,
        )

    def _identity_of(self, application: str) -> str:
        known = self._settings.application(application)
        if known is None:
            # Our own configuration is wrong, which says nothing about the customer.
            raise Unavailable(f"obtaining a token of application {application}: CROSSKEY_APPLICATIONS does not hold it")
        return known.identity_client_id


def assertion_scope(cloud: Cloud) -> str:
    """The scope of the managed identity's token that Entra takes as an assertion."""
    return f"{cloud.federation_audience}/.default"
