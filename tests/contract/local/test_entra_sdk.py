"""The real SDK credentials against the local Entra: the whole chain from managed identity to a customer's tenant."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import ClientAssertionCredential, ClientSecretCredential, ManagedIdentityCredential

from local import names
from tests.running_world import RunningWorld

CONTOSO = "20000000-0000-4000-8000-000000000001"
VAULT_SCOPE = "https://vault.azure.net/.default"

CHAIN = """
import asyncio, json, os
from azure.identity.aio import ClientAssertionCredential, ManagedIdentityCredential
async def main():
    async with ManagedIdentityCredential(client_id=os.environ["IDENTITY"]) as identity:
        assertion = (await identity.get_token("api://AzureADTokenExchange/.default")).token
    async with ClientAssertionCredential(os.environ["TENANT"], os.environ["CLIENT"], lambda: assertion) as credential:
        print((await credential.get_token("https://vault.azure.net/.default")).token)
asyncio.run(main())
"""


@asynccontextmanager
async def customer_credential(tenant_id: str = CONTOSO) -> AsyncIterator[ClientAssertionCredential]:
    async with ManagedIdentityCredential(client_id=names.KEYS_IDENTITY_CLIENT_ID) as identity:
        assertion = (await identity.get_token(f"{names.TOKEN_EXCHANGE_AUDIENCE}/.default")).token
    async with ClientAssertionCredential(tenant_id, names.POOL_CLIENT_ID, lambda: assertion) as credential:
        yield credential


async def refusal_of(credential: ClientAssertionCredential) -> str:
    with pytest.raises(ClientAuthenticationError) as refused:
        await credential.get_token(VAULT_SCOPE)
    return str(refused.value.message)


def test_an_unchanged_sdk_in_its_own_process_reaches_a_customers_tenant(local_azure: RunningWorld) -> None:
    local_azure.control.put_tenant(CONTOSO, "Contoso")
    principal = local_azure.control.put_service_principal(CONTOSO)
    environment = {
        **local_azure.local.app_environment(),
        "TENANT": CONTOSO,
        "CLIENT": names.POOL_CLIENT_ID,
        "IDENTITY": names.KEYS_IDENTITY_CLIENT_ID,
    }
    ran = subprocess.run(  # noqa: S603  our own text, in our own interpreter
        [sys.executable, "-c", CHAIN], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    claims = jwt.decode(ran.stdout.strip(), options={"verify_signature": False})
    assert claims["tid"] == CONTOSO
    assert claims["oid"] == principal["objectId"]
    assert claims["appid"] == names.POOL_CLIENT_ID
    assert claims["aud"] == names.VAULT_RESOURCE
    assert claims["iss"] == f"https://sts.windows.net/{CONTOSO}/"


async def test_an_application_without_consent_is_refused_as_not_found(inside_local_azure: RunningWorld) -> None:
    inside_local_azure.control.put_tenant(CONTOSO, "Contoso")
    async with customer_credential() as credential:
        assert "AADSTS700016" in await refusal_of(credential)


async def test_a_removed_service_principal_is_refused_as_missing(inside_local_azure: RunningWorld) -> None:
    inside_local_azure.control.put_tenant(CONTOSO, "Contoso")
    inside_local_azure.control.put_service_principal(CONTOSO)
    inside_local_azure.control.remove_service_principal(CONTOSO)
    async with customer_credential() as credential:
        assert "AADSTS7000229" in await refusal_of(credential)


async def test_a_disabled_service_principal_is_refused(inside_local_azure: RunningWorld) -> None:
    inside_local_azure.control.put_tenant(CONTOSO, "Contoso")
    inside_local_azure.control.put_service_principal(CONTOSO, enabled=False)
    async with customer_credential() as credential:
        assert "AADSTS7000112" in await refusal_of(credential)


async def test_a_service_principal_blocked_by_policy_is_refused(inside_local_azure: RunningWorld) -> None:
    inside_local_azure.control.put_tenant(CONTOSO, "Contoso")
    inside_local_azure.control.put_service_principal(CONTOSO, blockedByPolicy=True)
    async with customer_credential() as credential:
        assert "AADSTS53003" in await refusal_of(credential)


async def test_an_unknown_tenant_is_refused(inside_local_azure: RunningWorld) -> None:
    async with customer_credential("99999999-0000-4000-8000-000000000001") as credential:
        assert "AADSTS90002" in await refusal_of(credential)
    assert inside_local_azure.control.calls(service="entra")[0]["status"] == 400


async def test_an_assertion_expires_by_world_time(inside_local_azure: RunningWorld) -> None:
    inside_local_azure.control.put_tenant(CONTOSO, "Contoso")
    inside_local_azure.control.put_service_principal(CONTOSO)
    async with customer_credential() as credential:
        inside_local_azure.control.advance(timedelta(hours=25))
        assert "AADSTS700024" in await refusal_of(credential)


async def test_an_application_with_a_secret_gets_its_roles_for_the_api(inside_local_azure: RunningWorld) -> None:
    portal = "20000000-0000-4000-8000-0000000000aa"
    inside_local_azure.control.put_application(
        portal, tenantId=names.PROVIDER_TENANT_ID, displayName="Portal", secrets=["open sesame"]
    )
    inside_local_azure.control.put_service_principal(names.PROVIDER_TENANT_ID, portal, appRoles=["CrossKey.Operator"])
    async with ClientSecretCredential(names.PROVIDER_TENANT_ID, portal, "open sesame") as credential:
        token = (await credential.get_token(f"api://{names.API_CLIENT_ID}/.default")).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["roles"] == ["CrossKey.Operator"]
    assert claims["aud"] == names.API_CLIENT_ID
    assert claims["iss"] == f"https://login.microsoftonline.com/{names.PROVIDER_TENANT_ID}/v2.0"


async def test_a_wrong_secret_is_refused(inside_local_azure: RunningWorld) -> None:
    del inside_local_azure
    async with ClientSecretCredential(names.PROVIDER_TENANT_ID, names.POOL_CLIENT_ID, "guess") as credential:
        with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
            await credential.get_token(VAULT_SCOPE)


async def test_no_secret_or_token_stands_in_the_record(inside_local_azure: RunningWorld) -> None:
    inside_local_azure.control.put_tenant(CONTOSO, "Contoso")
    inside_local_azure.control.put_service_principal(CONTOSO)
    async with customer_credential() as credential:
        token = (await credential.get_token(VAULT_SCOPE)).token
    recorded = json.dumps(inside_local_azure.control.calls())
    assert token not in recorded
    assert inside_local_azure.local.identity_service.header not in recorded
    assert "eyJ" not in recorded
