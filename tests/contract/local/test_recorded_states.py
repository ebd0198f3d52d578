"""States of a storage account that were recorded of Azure and look odd; the local Azure takes them as Azure does."""

from typing import Any

import httpx
import pytest

from local import names
from tests.contract.local import contoso
from tests.contract.local.contoso import Contoso
from tests.running_world import RunningWorld

KEY = {"keyvaulturi": contoso.VAULT_URL, "keyname": "cmk"}
ASSIGNED = {"type": "UserAssigned", "userAssignedIdentities": {names.KEYS_IDENTITY_RESOURCE_ID: {}}}
CHOSEN = {
    "userAssignedIdentity": names.KEYS_IDENTITY_RESOURCE_ID,
    "federatedIdentityClientId": names.POOL_CLIENT_ID,
}


@pytest.fixture
def customer(local_azure: RunningWorld) -> Contoso:
    joined = contoso.join(local_azure)
    joined.create_key()
    joined.allow_crosskey()
    local_azure.control.put_storage_account(contoso.ACCOUNT_ID)
    return joined


def send(customer: Contoso, method: str = "GET", **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {contoso.app_token(customer.azure)}"}
    with httpx.Client(proxy=customer.azure.proxy_url, verify=customer.azure.tls, headers=headers) as client:
        url = f"https://management.azure.com{contoso.ACCOUNT_ID}"
        return client.request(method, url, params={"api-version": "2023-05-01"}, json=body or None)


def protect(customer: Contoso, **key: str) -> dict[str, Any]:
    block = {"keySource": "Microsoft.Keyvault", "keyvaultproperties": {**KEY, **key}, "identity": CHOSEN}
    answer = send(customer, "PATCH", identity=ASSIGNED, properties={"encryption": block})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_key_version_that_was_left_out_stays_out_and_an_empty_one_stays_empty(customer: Contoso) -> None:
    left_out = protect(customer)["properties"]["encryption"]["keyvaultproperties"]
    assert "keyversion" not in left_out
    assert left_out["currentVersionedKeyExpirationTimestamp"] == "1970-01-01T00:00:00.0000000Z"
    emptied = protect(customer, keyversion="")["properties"]["encryption"]["keyvaultproperties"]
    assert emptied["keyversion"] == ""


def test_identities_can_be_taken_off_although_the_key_needs_one(customer: Contoso) -> None:
    protect(customer)
    answer = send(customer, "PATCH", identity={"type": "None"})
    assert answer.status_code == 200
    assert answer.json()["identity"] == {"type": "None"}
    assert answer.json()["properties"]["encryption"]["identity"] == CHOSEN


def test_an_empty_encryption_identity_means_the_systems_identity(customer: Contoso) -> None:
    # The system's identity is not of Contoso's tenant, so the vault refuses it: it was tried.
    block = {"keySource": "Microsoft.Keyvault", "keyvaultproperties": KEY, "identity": {"userAssignedIdentity": ""}}
    answer = send(customer, "PATCH", identity={"type": "SystemAssigned"}, properties={"encryption": block})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "KeyVaultAuthenticationFailure")


def test_an_account_shows_the_addresses_of_its_kind_and_of_its_copy(customer: Contoso) -> None:
    path = contoso.ACCOUNT_ID
    body = {"kind": "Storage", "location": names.LOCATION, "sku": {"name": "Standard_RAGRS"}}
    customer.azure.look(lambda world: world.storage_accounts.clear())
    customer.azure.control.grant(names.APP_IDENTITY_PRINCIPAL_ID, "Owner", path)
    assert send(customer, "PUT", **body).status_code == 202
    properties = send(customer).json()["properties"]
    assert set(properties["primaryEndpoints"]) == {"blob", "queue", "table", "file"}
    assert "file" not in properties["secondaryEndpoints"]
    assert {"secondaryLocation", "statusOfSecondary"} <= set(properties)
    assert "accessTier" not in properties


def test_a_key_policy_below_zero_is_refused_by_name(customer: Contoso) -> None:
    answer = send(customer, "PATCH", properties={"keyPolicy": {"keyExpirationPeriodInDays": -260}})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "InvalidValuesForRequestParameters")
    assert "keyPolicy.keyExpirationPeriodInDays" in error["message"]
