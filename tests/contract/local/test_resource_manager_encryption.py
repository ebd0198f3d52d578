"""Customer-managed keys on a storage account of the local Azure: the key is really used, across tenants."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys.aio import KeyClient
from azure.mgmt.storage.aio import StorageManagementClient

from local import names
from local.resource_manager.service import ResourceManagerService
from tests.contract.local import contoso
from tests.contract.local.contoso import Contoso
from tests.running_world import RunningWorld

IDENTITY = {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {names.KEYS_IDENTITY_RESOURCE_ID: {}}}


def encryption(key: str = "cmk", **key_properties: str) -> dict[str, Any]:
    return {
        "keySource": "Microsoft.Keyvault",
        "keyvaultproperties": {"keyvaulturi": contoso.VAULT_URL, "keyname": key, **key_properties},
        "identity": {
            "userAssignedIdentity": names.KEYS_IDENTITY_RESOURCE_ID,
            "federatedIdentityClientId": names.POOL_CLIENT_ID,
        },
    }


@pytest.fixture
def customer(inside_local_azure: RunningWorld) -> Contoso:
    """Contoso with a key that CrossKey may use, and the vendor's account without customer-managed keys."""
    joined = contoso.join(inside_local_azure)
    joined.create_key()
    joined.allow_crosskey()
    inside_local_azure.control.put_storage_account(
        contoso.ACCOUNT_ID, tags={"owner": "vendor"}, identity={"type": "SystemAssigned"}
    )
    return joined


@pytest.fixture
async def client(customer: Contoso) -> AsyncIterator[StorageManagementClient]:
    async with contoso.storage_client(customer.azure) as made:
        yield made


async def patch(client: StorageManagementClient, **body: Any) -> dict[str, Any]:
    content = BytesIO(json.dumps(body).encode())
    account = await client.storage_accounts.update(names.RESOURCE_GROUP, contoso.ACCOUNT, content, retry_total=0)
    return dict(account.as_dict())


async def protect(client: StorageManagementClient, **key_properties: str) -> dict[str, Any]:
    return await patch(client, identity=IDENTITY, properties={"encryption": encryption(**key_properties)})


async def refusal(client: StorageManagementClient, **body: Any) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as refused:
        await patch(client, **body)
    assert refused.value.error is not None
    return int(refused.value.status_code or 0), str(refused.value.error.code)


def key_of(account: dict[str, Any]) -> dict[str, Any]:
    return dict(account["properties"]["encryption"]["keyvaultproperties"])


def rotate(customer: Contoso, key: str = "cmk") -> str:
    return str(customer.vault("POST", f"/keys/{key}/rotate")["key"]["kid"])


async def test_an_account_is_encrypted_with_a_key_of_another_tenant(
    client: StorageManagementClient, customer: Contoso
) -> None:
    account = await protect(client)
    assert account["tags"] == {"owner": "vendor"}
    assert account["identity"]["type"] == "SystemAssigned,UserAssigned"
    assert account["identity"]["principalId"]
    assigned = account["identity"]["userAssignedIdentities"][names.KEYS_IDENTITY_RESOURCE_ID]
    assert assigned["clientId"] == names.KEYS_IDENTITY_CLIENT_ID
    block = account["properties"]["encryption"]
    assert block["identity"]["federatedIdentityClientId"] == names.POOL_CLIENT_ID
    properties = block["keyvaultproperties"]
    assert properties["currentVersionedKeyIdentifier"] == customer.vault("GET", "/keys/cmk")["key"]["kid"]
    assert properties["currentVersionedKeyExpirationTimestamp"] == "1970-01-01T00:00:00.0000000Z"
    assert len(properties["lastKeyRotationTimestamp"].partition(".")[2]) == len("1234567Z")
    assert "keyversion" not in properties
    stored = customer.azure.look(lambda world: world.storage_accounts[contoso.ACCOUNT_ID.casefold()].wrapped_key)
    assert stored is not None
    assert stored.key_identifier == properties["currentVersionedKeyIdentifier"]


async def test_an_empty_key_version_is_echoed(client: StorageManagementClient) -> None:
    assert key_of(await protect(client, keyversion=""))["keyversion"] == ""


async def test_pinning_and_unpinning_follow_a_rotation(client: StorageManagementClient, customer: Contoso) -> None:
    await protect(client)
    newest = rotate(customer)
    pinned = key_of(await protect(client, keyversion=newest.rpartition("/")[2]))
    assert pinned["currentVersionedKeyIdentifier"] == newest
    kept = key_of(await protect(client))
    assert kept["keyversion"] == newest.rpartition("/")[2], "leaving the member out keeps the pin"
    automatic = key_of(await protect(client, keyversion=""))
    assert automatic["currentVersionedKeyIdentifier"] == newest
    assert automatic["keyversion"] == ""


@pytest.mark.parametrize("looks_up", [False, True])
async def test_repeating_a_versionless_patch_looks_up_only_where_the_world_says_so(
    client: StorageManagementClient, customer: Contoso, looks_up: bool
) -> None:
    customer.azure.look(lambda world: setattr(world, "versionless_patch_looks_up", looks_up))
    first = key_of(await protect(client))["currentVersionedKeyIdentifier"]
    newest = rotate(customer)
    after = key_of(await protect(client))["currentVersionedKeyIdentifier"]
    assert after == (newest if looks_up else first)


async def test_the_newest_version_is_picked_up_once_a_day(client: StorageManagementClient, customer: Contoso) -> None:
    await protect(client)
    newest = rotate(customer)
    service = contoso.service(customer.azure, ResourceManagerService)

    def in_use() -> str:
        customer.azure.run(service.tick())
        document = customer.azure.look(lambda world: world.storage_accounts[contoso.ACCOUNT_ID.casefold()].document)
        return str(key_of(document)["currentVersionedKeyIdentifier"])

    customer.azure.control.advance(timedelta(hours=23))
    assert in_use() != newest
    customer.azure.control.advance(timedelta(hours=2))
    assert in_use() == newest


async def test_an_account_returns_to_microsoft_managed_keys(client: StorageManagementClient) -> None:
    await protect(client)
    account = await patch(client, properties={"encryption": {"keySource": "Microsoft.Storage"}})
    block = account["properties"]["encryption"]
    assert block["keySource"] == "Microsoft.Storage"
    assert "keyvaultproperties" not in block
    assert "identity" not in block
    assert account["identity"]["type"] == "SystemAssigned,UserAssigned"


async def test_a_key_that_is_gone_cannot_be_left(client: StorageManagementClient, customer: Contoso) -> None:
    await protect(client)
    customer.create_key("other")
    customer.vault("DELETE", "/keys/cmk")
    leave = {"encryption": {"keySource": "Microsoft.Storage"}}
    assert await refusal(client, properties=leave) == (404, "HttpResourceNotFound")
    change = {"encryption": encryption("other")}
    assert await refusal(client, properties=change) == (404, "HttpResourceNotFound")
    customer.vault("POST", "/deletedkeys/cmk/recover")
    account = await patch(client, properties=change)
    assert "/keys/other/" in key_of(account)["currentVersionedKeyIdentifier"]


async def test_a_disabled_key_in_use_cannot_be_left(client: StorageManagementClient, customer: Contoso) -> None:
    account = await protect(client)
    version = key_of(account)["currentVersionedKeyIdentifier"].rpartition("/")[2]
    customer.vault("PATCH", f"/keys/cmk/{version}", {"attributes": {"enabled": False}})
    leave = {"encryption": {"keySource": "Microsoft.Storage"}}
    assert await refusal(client, properties=leave) == (400, "KeyVaultAuthenticationFailure")


async def test_an_expired_key_can_be_left_but_not_taken(client: StorageManagementClient, customer: Contoso) -> None:
    now = int(customer.azure.control.now().timestamp())
    customer.create_key(attributes={"exp": now + 60})
    properties = key_of(await protect(client))
    assert not properties["currentVersionedKeyExpirationTimestamp"].startswith("1970")
    customer.azure.control.advance(timedelta(minutes=2))
    await patch(client, properties={"encryption": {"keySource": "Microsoft.Storage"}})
    again = await refusal(client, properties={"encryption": encryption()})
    assert again == (400, "KeyVaultAuthenticationFailure")


async def test_without_purge_protection_a_key_is_refused(client: StorageManagementClient, customer: Contoso) -> None:
    customer.azure.control.put_vault(contoso.VAULT, purgeProtection=False)
    block = {"encryption": encryption()}
    assert await refusal(client, identity=IDENTITY, properties=block) == (400, "KeyVaultPolicyError")


async def test_without_the_role_a_key_is_refused(client: StorageManagementClient, customer: Contoso) -> None:
    customer.azure.control.revoke(customer.principal_id, contoso.KEY_USER, contoso.VAULT_ID)
    block = {"encryption": encryption()}
    assert await refusal(client, identity=IDENTITY, properties=block) == (400, "KeyVaultAuthenticationFailure")


@pytest.mark.parametrize(
    ("bypass", "expected"), [("AzureServices", None), ("None", (400, "KeyVaultAuthenticationFailure"))]
)
async def test_storage_passes_a_firewall_only_as_a_trusted_service(
    client: StorageManagementClient, customer: Contoso, bypass: str, expected: tuple[int, str] | None
) -> None:
    customer.azure.control.put_vault(contoso.VAULT, firewall={"defaultAction": "Deny", "bypass": bypass})
    block = {"encryption": encryption()}
    if expected is None:
        await patch(client, identity=IDENTITY, properties=block)
    else:
        assert await refusal(client, identity=IDENTITY, properties=block) == expected


async def test_an_identity_that_is_not_on_the_account_cannot_be_used(
    client: StorageManagementClient,
) -> None:
    assert await refusal(client, properties={"encryption": encryption()}) == (400, "MissingMsiHeaders")


async def test_without_consent_the_account_gets_no_token(client: StorageManagementClient, customer: Contoso) -> None:
    customer.azure.control.remove_service_principal(contoso.TENANT)
    with pytest.raises(HttpResponseError) as refused:
        await protect(client)
    assert "AADSTS7000229" in str(refused.value)


async def test_a_key_of_a_vault_that_does_not_exist_is_refused(client: StorageManagementClient) -> None:
    block = encryption()
    block["keyvaultproperties"]["keyvaulturi"] = "https://nowhere-keys.vault.azure.net"
    assert await refusal(client, identity=IDENTITY, properties={"encryption": block}) == (400, "KeyVaultVaultNotFound")


async def test_a_key_of_the_same_tenant_is_reached_by_the_systems_identity(
    client: StorageManagementClient, customer: Contoso
) -> None:
    control = customer.azure.control
    vault_id = f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.KeyVault/vaults/vendor-keys"
    control.put_vault("vendor-keys", tenantId=names.PROVIDER_TENANT_ID, resourceId=vault_id, purgeProtection=True)
    grant = {"role": contoso.KEY_OFFICER, "scope": vault_id}
    token = control.token("provider", audience=names.VAULT_RESOURCE, grants=[grant])
    async with KeyClient("https://vendor-keys.vault.azure.net", contoso.BearerCredential(token)) as keys:
        created = await keys.create_rsa_key("cmk")
    account = await client.storage_accounts.get_properties(names.RESOURCE_GROUP, contoso.ACCOUNT)
    assert account.identity is not None
    control.grant(str(account.identity.principal_id), contoso.KEY_USER, vault_id)
    properties = {"keyvaulturi": "https://vendor-keys.vault.azure.net/", "keyname": "cmk"}
    block = {"keySource": "Microsoft.Keyvault", "keyvaultproperties": properties}
    answer = await patch(client, properties={"encryption": block})
    assert key_of(answer)["currentVersionedKeyIdentifier"] == created.id
