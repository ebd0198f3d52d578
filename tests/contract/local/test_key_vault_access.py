"""Who is let into the local Key Vault, and what the refusals say."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError

from local import names
from tests.contract.local import contoso
from tests.running_world import RunningWorld

KEY = "/keys/cmk"
WRAP = {"alg": "RSA-OAEP-256", "value": "c2VjcmV0"}


def inner(document: dict[str, Any]) -> str:
    assert document["error"]["code"] == "Forbidden"
    return str(document["error"]["innererror"]["code"])


def test_an_anonymous_call_is_told_the_vaults_tenant(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    with customer.http() as client:
        answer = client.get(f"{contoso.VAULT_URL}{KEY}?api-version=7.5", headers={"x-ms-client-request-id": "one"})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer authorization="https://login.microsoftonline.com/{contoso.TENANT}", resource="https://vault.azure.net"'
    )
    assert answer.headers["x-ms-keyvault-region"] == "westeurope"
    assert answer.headers["x-ms-client-request-id"] == "one"
    assert answer.headers["x-ms-request-id"]
    assert answer.headers["x-ms-keyvault-network-info"].startswith("conn_type=Ipv4;addr=")
    assert answer.json() == {
        "error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer or PoP token."}
    }


def test_a_token_of_another_tenant_is_refused(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    token = local_azure.control.token("provider", audience=names.VAULT_RESOURCE)
    error = customer.vault("GET", KEY, token=token, status=401)["error"]
    assert error["message"].startswith("AKV10032: Invalid issuer. Expected one of https://sts.windows.net/2000")


def test_a_token_for_another_audience_is_refused(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    token = customer.crosskey_token(audience=names.MANAGEMENT_RESOURCE)
    assert "AKV10022" in customer.vault("GET", KEY, token=token, status=401)["error"]["message"]


def test_a_token_expires_by_world_time(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    local_azure.control.advance(timedelta(hours=2))
    assert "TokenExpired" in customer.vault("GET", KEY, status=401)["error"]["message"]


def test_a_caller_without_a_role_is_refused_and_let_in_once_it_has_one(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    token = customer.crosskey_token()
    refusal = customer.vault("GET", KEY, token=token, status=403)
    assert inner(refusal) == "ForbiddenByRbac"
    assert "Action: 'Microsoft.KeyVault/vaults/keys/read'" in refusal["error"]["message"]
    customer.allow_crosskey(f"{contoso.VAULT_ID}/keys/cmk")
    customer.vault("GET", KEY, token=token)
    customer.vault("POST", f"{KEY}/wrapkey", WRAP, token=token)
    assert inner(customer.vault("GET", "/keys", token=token, status=403)) == "ForbiddenByRbac"
    assert inner(customer.vault("POST", f"{KEY}/rotate", token=token, status=403)) == "ForbiddenByRbac"


def test_the_assignment_that_allowed_a_call_is_in_its_headers(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    with customer.http(customer.administrator) as client:
        answer = client.get(f"{contoso.VAULT_URL}{KEY}/?api-version=7.5")
    names_of_assignments = local_azure.look(lambda world: {each.name for each in world.role_assignments})
    assert answer.headers["x-ms-keyvault-rbac-assignment-id"] in names_of_assignments


@pytest.mark.parametrize("code", ["ForbiddenByPolicy", "AccessDenied"])
def test_an_access_policy_must_name_the_permission(local_azure: RunningWorld, code: str) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    local_azure.look(lambda world: setattr(world, "access_policy_refusal", code))
    policy = {"objectId": customer.principal_id, "permissions": ["get", "wrapKey"]}
    local_azure.control.put_vault(contoso.VAULT, rbac=False, accessPolicies=[policy])
    token = customer.crosskey_token()
    customer.vault("GET", KEY, token=token)
    wrapped = customer.vault("POST", f"{KEY}/wrapkey", WRAP, token=token)["value"]
    refusal = customer.vault("POST", f"{KEY}/unwrapkey", {**WRAP, "value": wrapped}, token=token, status=403)
    assert inner(refusal) == code
    assert "does not have keys unwrapKey permission" in refusal["error"]["message"]


@pytest.mark.parametrize(
    ("bypass", "text"), [("AzureServices", "caller is not a trusted service"), ("None", "bypass is set to None")]
)
def test_the_firewall_refuses_and_tells_whether_trusted_services_may_pass(
    local_azure: RunningWorld, bypass: str, text: str
) -> None:
    firewall = {"defaultAction": "Deny", "bypass": bypass, "allowedAddresses": ["198.51.100.0/24"]}
    customer = contoso.join(local_azure, firewall=firewall)
    refusal = customer.vault("GET", KEY, status=403)
    assert inner(refusal) == "ForbiddenByFirewall"
    assert text in refusal["error"]["message"]
    local_azure.look(lambda world: setattr(world, "client_address", "198.51.100.7"))
    customer.vault("GET", KEY, status=404)


def test_a_disabled_key_is_read_and_wraps_but_does_not_unwrap(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    version = customer.create_key()["key"]["kid"].rpartition("/")[2]
    wrapped = customer.vault("POST", f"{KEY}/wrapkey", WRAP)["value"]
    customer.vault("PATCH", f"{KEY}/{version}", {"attributes": {"enabled": False}})
    assert customer.vault("GET", KEY)["attributes"]["enabled"] is False
    customer.vault("POST", f"{KEY}/wrapkey", WRAP)
    refusal = customer.vault("POST", f"{KEY}/{version}/unwrapkey", {**WRAP, "value": wrapped}, status=403)
    assert inner(refusal) == "KeyDisabled"


def test_an_expired_key_unwraps_but_does_not_wrap(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    now = int(local_azure.control.now().timestamp())
    customer.create_key(attributes={"exp": now + 600})
    wrapped = customer.vault("POST", f"{KEY}/wrapkey", WRAP)["value"]
    local_azure.control.advance(timedelta(minutes=11))
    assert inner(customer.vault("POST", f"{KEY}/wrapkey", WRAP, status=403)) == "KeyExpired"
    assert customer.vault("POST", f"{KEY}/unwrapkey", {**WRAP, "value": wrapped})["value"] == WRAP["value"]


def test_a_key_that_is_not_yet_valid_does_not_wrap(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    now = int(local_azure.control.now().timestamp())
    customer.create_key(attributes={"nbf": now + 600})
    assert inner(customer.vault("POST", f"{KEY}/wrapkey", WRAP, status=403)) == "KeyNotYetValid"
    local_azure.control.advance(timedelta(minutes=11))
    customer.vault("POST", f"{KEY}/wrapkey", WRAP)


def test_an_operation_that_the_key_does_not_permit_is_refused(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key(key_ops=["wrapKey"])
    wrapped = customer.vault("POST", f"{KEY}/wrapkey", WRAP)["value"]
    refusal = customer.vault("POST", f"{KEY}/unwrapkey", {**WRAP, "value": wrapped}, status=403)
    assert inner(refusal) == "KeyOperationForbidden"


def test_too_many_calls_are_throttled_until_the_window_has_passed(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    local_azure.look(lambda world: setattr(world.vaults[contoso.VAULT], "transactions_per_10_seconds", 3))
    customer.vault("GET", KEY)
    customer.vault("GET", KEY)
    assert customer.vault("GET", KEY, status=429)["error"]["code"] == "Throttled"
    local_azure.control.advance(timedelta(seconds=11))
    customer.vault("GET", KEY)


def test_an_unknown_api_version_is_refused(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    with customer.http(customer.administrator) as client:
        assert client.get(f"{contoso.VAULT_URL}{KEY}?api-version=2016-10-01").status_code == 400
        assert client.get(f"{contoso.VAULT_URL}{KEY}").status_code == 400


async def test_a_vault_that_does_not_exist_cannot_be_connected_to(inside_local_azure: RunningWorld) -> None:
    customer = contoso.join(inside_local_azure)
    inside_local_azure.look(lambda world: world.vaults.clear())
    async with customer.key_client() as client:
        # Behind a proxy, aiohttp tells a refused tunnel as a broken answer.
        with pytest.raises((ServiceRequestError, ServiceResponseError)):
            await client.get_key("cmk", retry_total=0)
    with customer.http() as http, pytest.raises(httpx.ProxyError):
        http.get(contoso.VAULT_URL)
