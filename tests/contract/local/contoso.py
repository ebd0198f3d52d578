"""A customer in the local Azure: Contoso's tenant and vault, its administrator, and clients that act for somebody."""

import time
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import httpx
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.keyvault.keys.aio import KeyClient
from azure.mgmt.storage.aio import StorageManagementClient

from local import names
from local.entra.tokens import TokenIssuer
from local.world import World
from tests.running_world import RunningWorld

TENANT = "20000000-0000-4000-8000-000000000001"
SUBSCRIPTION = "20000000-0000-4000-8000-000000000002"
VAULT = "contoso-keys"
GROUP_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-keys"
VAULT_ID = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/{VAULT}"
VAULT_URL = f"https://{VAULT}.vault.azure.net"
ACCOUNT = "vendordata"
ACCOUNT_ID = f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}"
KEY_USER = "Key Vault Crypto Service Encryption User"
KEY_OFFICER = "Key Vault Crypto Officer"


class BearerCredential:
    """An SDK credential that always answers one token, asynchronously."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        del scopes, options
        return AccessToken(self._token, int(time.time()) + 3600)

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        del scopes, options
        return AccessTokenInfo(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        return


@dataclass
class Contoso:
    """The customer's side, seeded. `principal_id` is CrossKey's application in Contoso's tenant."""

    azure: RunningWorld
    principal_id: str
    administrator: str

    def key_client(self, token: str | None = None) -> KeyClient:
        """The real Key Vault client, by default as Contoso's administrator."""
        return KeyClient(VAULT_URL, BearerCredential(token or self.administrator))

    def crosskey_token(self, audience: str = names.VAULT_RESOURCE) -> str:
        """A token of CrossKey's application in Contoso's tenant."""
        return self.azure.control.token(TENANT, audience=audience, clientId=names.POOL_CLIENT_ID)

    def allow_crosskey(self, scope: str = VAULT_ID) -> None:
        self.azure.control.grant(self.principal_id, KEY_USER, scope)

    def http(self, token: str | None = None) -> httpx.Client:
        """A plain client inside the world."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(proxy=self.azure.proxy_url, verify=self.azure.tls, headers=headers, timeout=30)

    def create_key(self, name: str = "cmk", **body: Any) -> dict[str, Any]:
        """Create a key, or a version, as the administrator; answers the bundle."""
        return self.vault("POST", f"/keys/{name}/create", {"kty": "RSA", **body})

    def vault(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, status: int = 200
    ) -> dict[str, Any]:
        """One call to the vault, by default as the administrator; checks the status and answers the document."""
        with self.http(token or self.administrator) as client:
            answer = client.request(method, f"{VAULT_URL}{path}", params={"api-version": "7.5"}, json=body)
        assert answer.status_code == status, answer.text
        return dict(answer.json()) if answer.content else {}


def join(azure: RunningWorld, **vault: Any) -> Contoso:
    """Seed Contoso: tenant, CrossKey's service principal, a purge-protected vault, an administrator of its keys."""
    azure.control.put_tenant(TENANT, "Contoso")
    principal = azure.control.put_service_principal(TENANT)
    settings = {"purgeProtection": True, **vault}
    azure.control.put_vault(VAULT, tenantId=TENANT, resourceId=VAULT_ID, **settings)
    token = azure.control.token(
        TENANT, audience=names.VAULT_RESOURCE, grants=[{"role": KEY_OFFICER, "scope": VAULT_ID}]
    )
    return Contoso(azure, principal["objectId"], token)


def service[T](azure: RunningWorld, kind: type[T]) -> T:
    """The world's own service of a kind."""
    return next(each for each in azure.local.services if isinstance(each, kind))


def app_token(azure: RunningWorld, audience: str = names.MANAGEMENT_RESOURCE) -> str:
    """A token of the app's own managed identity, as the provider's Resource Manager sees it."""

    def issue(world: World) -> str:
        identity = world.managed_identities[names.APP_IDENTITY_RESOURCE_ID.casefold()]
        return TokenIssuer(world).issue_to_identity(identity, audience=audience, lifetime=timedelta(hours=24))

    return azure.look(issue)


def storage_client(azure: RunningWorld, token: str | None = None) -> StorageManagementClient:
    """The real storage management client, by default as the app."""
    return StorageManagementClient(BearerCredential(token or app_token(azure)), names.PROVIDER_SUBSCRIPTION_ID)
