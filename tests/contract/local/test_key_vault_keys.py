"""Keys in the local Key Vault, through the real SDK client and by their JSON."""

import base64
import secrets
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.keyvault.keys import KeyRotationLifetimeAction, KeyRotationPolicy, KeyRotationPolicyAction
from azure.keyvault.keys.aio import KeyClient

from tests.contract.local import contoso
from tests.running_world import RunningWorld


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def send(client: KeyClient, path: str, **body: Any) -> dict[str, Any]:
    request = HttpRequest("POST", f"{contoso.VAULT_URL}{path}?api-version=7.6", json=body)
    response = await client.send_request(request)
    response.raise_for_status()
    return dict(response.json())


async def test_the_sdk_creates_reads_updates_and_lists_a_key(inside_local_azure: RunningWorld) -> None:
    customer = contoso.join(inside_local_azure)
    async with customer.key_client() as client:
        created = await client.create_rsa_key("cmk", size=3072, tags={"team": "keys"})
        read = await client.get_key("cmk")
        assert read.id == created.id
        modulus = vars(read.key)["n"]
        assert len(modulus) * 8 == 3072
        assert read.properties.recovery_level == "Recoverable"
        updated = await client.update_key_properties("cmk", tags={"team": "storage"})
        assert updated.properties.tags == {"team": "storage"}
        assert [each.name async for each in client.list_properties_of_keys()] == ["cmk"]


@pytest.mark.parametrize("algorithm", ["RSA1_5", "RSA-OAEP", "RSA-OAEP-256"])
async def test_what_was_wrapped_unwraps_with_the_version_that_wrapped_it(
    inside_local_azure: RunningWorld, algorithm: str
) -> None:
    customer = contoso.join(inside_local_azure)
    plain = encode(secrets.token_bytes(32))
    async with customer.key_client() as client:
        first = await client.create_rsa_key("cmk")
        wrapped = await send(client, "/keys/cmk/wrapkey", alg=algorithm, value=plain)
        assert wrapped["kid"] == first.id
        await client.rotate_key("cmk")
        version = first.properties.version
        unwrapped = await send(client, f"/keys/cmk/{version}/unwrapkey", alg=algorithm, value=wrapped["value"])
        assert unwrapped == {"kid": first.id, "value": plain}
        with pytest.raises(HttpResponseError) as refused:
            await send(client, "/keys/cmk/unwrapkey", alg="RSA-OAEP", value=wrapped["value"][:-4])
        assert refused.value.status_code == 400


async def test_the_list_of_versions_is_paged_in_order_of_version_ids(inside_local_azure: RunningWorld) -> None:
    customer = contoso.join(inside_local_azure)
    async with customer.key_client() as client:
        created = [(await client.create_rsa_key("cmk")).properties.version for _ in range(3)]
        pages = client.list_properties_of_key_versions("cmk", max_page_size=1).by_page()
        listed = [each.version async for page in pages async for each in page]
    assert listed == sorted(str(each) for each in created)


def test_a_link_to_the_next_page_names_the_port_and_the_last_page_has_null(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    customer.create_key()
    with customer.http(customer.administrator) as client:
        first = client.get(f"{contoso.VAULT_URL}/keys/cmk/versions?api-version=7.5&maxresults=1").json()
        last = client.get(first["nextLink"]).json()
    assert first["nextLink"].startswith(f"{contoso.VAULT_URL}:443/keys/cmk/versions?api-version=7.5&$skiptoken=")
    assert len(last["value"]) == 1
    assert last["nextLink"] is None
    assert "key" not in last["value"][0]


async def test_rotation_adds_a_version_like_the_newest_with_the_policys_expiry(
    inside_local_azure: RunningWorld,
) -> None:
    customer = contoso.join(inside_local_azure)
    actions = [KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P30D")]
    async with customer.key_client() as client:
        first = await client.create_rsa_key("cmk", key_operations=["wrapKey", "unwrapKey"], tags={"a": "b"})
        policy = await client.update_key_rotation_policy(
            "cmk", KeyRotationPolicy(lifetime_actions=actions, expires_in="P90D")
        )
        assert [each.action for each in policy.lifetime_actions] == ["Rotate", "Notify"]
        second = await client.rotate_key("cmk")
        assert second.properties.version != first.properties.version
        assert second.key_operations == ["wrapKey", "unwrapKey"]
        assert second.properties.expires_on is not None
        assert second.properties.created_on is not None
        assert (second.properties.expires_on - second.properties.created_on).days == 90
        assert not second.properties.tags


async def test_a_deleted_key_is_not_found_until_it_is_recovered(inside_local_azure: RunningWorld) -> None:
    customer = contoso.join(inside_local_azure)
    async with customer.key_client() as client:
        created = await client.create_rsa_key("cmk")
        await client.delete_key("cmk")
        with pytest.raises(ResourceNotFoundError) as refused:
            await client.get_key("cmk")
        assert refused.value.error is not None
        assert refused.value.error.code == "KeyNotFound"
        assert [each.name async for each in client.list_deleted_keys()] == ["cmk"]
        recovered = await client.recover_deleted_key("cmk")
        assert recovered.id == created.id


def test_the_name_of_a_deleted_key_cannot_be_used_again(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    customer.vault("DELETE", "/keys/cmk")
    error = customer.vault("POST", "/keys/cmk/create", {"kty": "RSA"}, status=409)["error"]
    assert (error["code"], error["innererror"]["code"]) == ("Conflict", "ObjectIsDeletedButRecoverable")


def test_purge_is_refused_under_purge_protection_and_final_without(local_azure: RunningWorld) -> None:
    officer = {"role": "Key Vault Administrator", "scope": contoso.VAULT_ID}
    customer = contoso.join(local_azure)
    token = local_azure.control.token(contoso.TENANT, audience="https://vault.azure.net", grants=[officer])
    customer.create_key()
    customer.vault("DELETE", "/keys/cmk")
    customer.vault("DELETE", "/deletedkeys/cmk", token=token, status=403)
    local_azure.look(lambda world: setattr(world.vaults[contoso.VAULT], "purge_protection", False))
    customer.vault("DELETE", "/deletedkeys/cmk", token=token, status=204)
    customer.vault("GET", "/deletedkeys/cmk", status=404)
    customer.create_key()


@pytest.mark.parametrize(
    ("days", "protected", "level"),
    [
        (90, True, "Recoverable"),
        (90, False, "Recoverable+Purgeable"),
        (7, True, "CustomizedRecoverable"),
        (30, False, "CustomizedRecoverable+Purgeable"),
    ],
)
def test_the_recovery_level_tells_the_vaults_protection(
    local_azure: RunningWorld, days: int, protected: bool, level: str
) -> None:
    customer = contoso.join(local_azure, softDeleteDays=days, purgeProtection=protected)
    attributes = customer.create_key()["attributes"]
    assert (attributes["recoveryLevel"], attributes["recoverableDays"]) == (level, days)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"kty": "RSA", "key_size": 1024}, "key_size"),
        ({"kty": "oct"}, "kty"),
        ({"kty": "RSA", "colour": "red"}, "colour"),
        ({"kty": "RSA", "attributes": {"exp": "tomorrow"}}, "exp"),
        ({}, "kty"),
    ],
)
def test_a_malformed_request_is_refused_naming_the_member(
    local_azure: RunningWorld, body: dict[str, Any], member: str
) -> None:
    customer = contoso.join(local_azure)
    error = customer.vault("POST", "/keys/cmk/create", body, status=400)["error"]
    assert error["code"] == "BadParameter"
    assert member in error["message"]


def test_a_key_on_an_elliptic_curve_exists_and_wraps_nothing(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    key = customer.create_key(kty="EC", crv="P-384")["key"]
    assert (key["kty"], key["crv"]) == ("EC", "P-384")
    customer.vault("POST", "/keys/cmk/wrapkey", {"alg": "RSA-OAEP", "value": "AAAA"}, status=403)


def test_what_is_not_imitated_is_refused_by_name(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    error = customer.vault("GET", "/secrets/password", status=501)["error"]
    assert error["code"] == "NotImplementedLocally"
    assert "GET /secrets/password" in error["message"]
