"""The local Azure's answers against the official contracts and against recorded answers."""

from typing import Any

import httpx
import pytest

from local import names
from tests.contract.local import contoso, wire
from tests.contract.local.contoso import Contoso
from tests.running_world import RunningWorld

pytestmark = pytest.mark.wire

STORAGE = "storage-2023-05-01.json"
KEYS = "keyvault-data-7.5-keys.json"
VAULTS = "keyvault-mgmt-2023-07-01-keyvault.json"
# Recorded answers have members that the contract of that version does not know.
AHEAD_OF_CONTRACT = {"$.properties.networkAcls.ipv6Rules: not in the contract"}
BODY = {
    "identity": {"type": "UserAssigned", "userAssignedIdentities": {names.KEYS_IDENTITY_RESOURCE_ID: {}}},
    "properties": {
        "encryption": {
            "keySource": "Microsoft.Keyvault",
            "keyvaultproperties": {"keyvaulturi": contoso.VAULT_URL, "keyname": "cmk", "keyversion": ""},
            "identity": {
                "userAssignedIdentity": names.KEYS_IDENTITY_RESOURCE_ID,
                "federatedIdentityClientId": names.POOL_CLIENT_ID,
            },
        }
    },
}


@pytest.fixture
def customer(local_azure: RunningWorld) -> Contoso:
    joined = contoso.join(local_azure)
    joined.create_key(tags={"a": "b"}, attributes={"exp": 4102444800, "nbf": 1})
    joined.allow_crosskey()
    local_azure.control.put_storage_account(contoso.ACCOUNT_ID)
    return joined


def arm(customer: Contoso, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {contoso.app_token(customer.azure)}"}
    with httpx.Client(proxy=customer.azure.proxy_url, verify=customer.azure.tls, headers=headers) as client:
        url = f"https://management.azure.com{path}"
        return client.request(method, url, params={"api-version": "2023-05-01"}, json=body)


def test_storage_accounts_agree_with_their_contract(customer: Contoso) -> None:
    updated = arm(customer, "PATCH", contoso.ACCOUNT_ID, BODY)
    assert updated.status_code == 200, updated.text
    assert set(wire.disagreements(updated.json(), STORAGE, "StorageAccount")) <= AHEAD_OF_CONTRACT
    path = f"/subscriptions/{names.PROVIDER_SUBSCRIPTION_ID}/providers/Microsoft.Storage/storageAccounts"
    listed = arm(customer, "GET", path).json()
    found = {
        each.replace("$.value[].", "$.") for each in wire.disagreements(listed, STORAGE, "StorageAccountListResult")
    }
    assert found <= AHEAD_OF_CONTRACT


def test_what_a_customers_key_adds_to_an_account_is_what_was_recorded(customer: Contoso) -> None:
    ours = arm(customer, "PATCH", contoso.ACCOUNT_ID, BODY).json()
    recorded = wire.recording("storage/04_unpin_key_version_empty_string.json")["exchanges"][1]["response"]["body"]
    block, theirs = (each["properties"]["encryption"] for each in (ours, recorded))
    assert list(block["keyvaultproperties"]) == list(theirs["keyvaultproperties"])
    assert set(theirs["services"]) == set(block["services"])
    assert set(recorded) <= set(ours)
    assert set(recorded["properties"]) <= set(ours["properties"])


def test_keys_agree_with_their_contract(customer: Contoso) -> None:
    wrap = {"alg": "RSA-OAEP", "value": "c2VjcmV0"}
    for document, definition in (
        (customer.vault("GET", "/keys/cmk"), "KeyBundle"),
        (customer.vault("GET", "/keys"), "KeyListResult"),
        (customer.vault("GET", "/keys/cmk/versions"), "KeyListResult"),
        (customer.vault("POST", "/keys/cmk/wrapkey", wrap), "KeyOperationResult"),
        (customer.vault("GET", "/keys/cmk/rotationpolicy"), "KeyRotationPolicy"),
        (customer.vault("POST", "/keys/cmk/rotate"), "KeyBundle"),
        (customer.vault("DELETE", "/keys/cmk"), "DeletedKeyBundle"),
        (customer.vault("GET", "/deletedkeys"), "DeletedKeyListResult"),
    ):
        assert wire.disagreements(document, KEYS, definition) == [], definition


def test_a_key_has_the_members_that_were_recorded_in_their_order(customer: Contoso) -> None:
    ours = customer.vault("GET", "/keys/cmk")
    recorded = wire.recording("keyvault/02_get_update_key.json")["exchanges"][0]["response"]["body"]
    assert list(ours) == list(recorded)
    assert list(ours["key"]) == list(recorded["key"])
    assert [name for name in ours["attributes"] if name != "hsmPlatform"] == list(recorded["attributes"])


def test_vaults_agree_with_their_contract(customer: Contoso) -> None:
    grant = {"role": "Owner", "scope": contoso.VAULT_ID}
    token = customer.azure.control.token(contoso.TENANT, audience=names.MANAGEMENT_RESOURCE, grants=[grant])
    with customer.http(token) as client:
        answer = client.get(f"https://management.azure.com{contoso.VAULT_ID}?api-version=2023-07-01")
    assert wire.disagreements(answer.json(), VAULTS, "Vault") == []
