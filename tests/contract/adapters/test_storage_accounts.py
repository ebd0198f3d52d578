"""The storage account adapter on the local Resource Manager, which really uses the customer's key."""

from typing import Any

import pytest

from local import names
from shared.bundle import Bundle
from shared.domain.account_observation import (
    EncryptWithKey,
    ObservedAccount,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.identifiers import KeyIdentifier, StorageAccountId, same_arm_id
from shared.errors import Refused, Throttled, Unavailable, UnexpectedAnswer
from tests.contract.local.contoso import ACCOUNT_ID, VAULT, VAULT_ID, Contoso
from tests.running_world import RunningWorld

ACCOUNT = StorageAccountId.parse(ACCOUNT_ID)
KEY = KeyIdentifier(f"{VAULT}.vault.azure.net", "cmk")
OTHER_IDENTITY = f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other"
ENCRYPT = EncryptWithKey(
    key=KEY, version=None, identity=names.KEYS_IDENTITY_RESOURCE_ID, federated_client_id=names.POOL_CLIENT_ID
)


def put_account(azure: RunningWorld, *user_assigned: str, system: bool = True) -> None:
    kinds = (["SystemAssigned"] if system else []) + (["UserAssigned"] if user_assigned else [])
    identity = {"type": ",".join(kinds) or "None", "userAssignedIdentities": list(user_assigned)}
    azure.control.put_storage_account(ACCOUNT_ID, identity=identity, tags={"owner": "vendor"})


async def present(bundle: Bundle) -> ObservedAccount:
    found = await bundle.accounts.read(ACCOUNT)
    assert found is not None
    return found


def version_of(document: dict[str, Any]) -> str:
    return str(document["key"]["kid"]).rpartition("/")[2]


async def test_an_account_that_is_not_there_is_none(bundle: Bundle, contoso: Contoso) -> None:
    del contoso
    assert await bundle.accounts.read(ACCOUNT) is None


async def test_a_new_account_is_observed_with_microsofts_key(bundle: Bundle, contoso: Contoso) -> None:
    put_account(contoso.azure)
    found = await present(bundle)
    assert (found.key_source, found.system_assigned, found.user_assigned) == ("Microsoft.Storage", True, ())
    assert found.current_key is None
    assert found.covered_services == ("blob", "file")


async def test_encrypting_keeps_what_is_there_and_follows_new_versions(bundle: Bundle, contoso: Contoso) -> None:
    version = version_of(contoso.create_key())
    contoso.azure.control.put_identity(
        resourceId=OTHER_IDENTITY,
        clientId="10000000-0000-4000-8000-000000000041",
        principalId="10000000-0000-4000-8000-000000000042",
    )
    put_account(contoso.azure, OTHER_IDENTITY)
    after = await bundle.accounts.update(ACCOUNT, ENCRYPT, present=await present(bundle))
    assert after.current_key == KEY.with_version(version)
    assert after.follows_latest
    assert after.key_version == ""
    assert after.federated_client_id == names.POOL_CLIENT_ID
    assert after.encryption_identity is not None
    assert same_arm_id(after.encryption_identity, names.KEYS_IDENTITY_RESOURCE_ID)
    assert after.system_assigned
    assert {one.lower() for one in after.user_assigned} == {
        OTHER_IDENTITY.lower(),
        names.KEYS_IDENTITY_RESOURCE_ID.lower(),
    }
    assert after.rotated_at is not None
    assert await present(bundle) == after


async def test_the_plan_shows_exactly_what_is_sent(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    put_account(contoso.azure)
    before = await present(bundle)
    plan = bundle.accounts.describe(ACCOUNT, ENCRYPT, present=before)
    await bundle.accounts.update(ACCOUNT, ENCRYPT, present=before)
    (call,) = contoso.azure.control.calls(service="arm", operation="StorageAccounts.Update")
    assert call["requestBody"] == plan["body"]
    assert plan["url"] == f"https://management.azure.com{ACCOUNT}?api-version=2023-05-01"
    assert call["method"] == plan["method"]


async def test_a_version_is_pinned_and_let_go_again(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    put_account(contoso.azure)
    await bundle.accounts.update(ACCOUNT, ENCRYPT, present=await present(bundle))
    newer = version_of(contoso.create_key())

    def move(version: str | None) -> SetKeyVersion:
        return SetKeyVersion(
            key=KEY, version=version, identity=ENCRYPT.identity, federated_client_id=ENCRYPT.federated_client_id
        )

    pinned = await bundle.accounts.update(ACCOUNT, move(newer), present=await present(bundle))
    assert (pinned.current_version, pinned.key_version) == (newer, newer)
    following = await bundle.accounts.update(ACCOUNT, move(None), present=pinned)
    assert (following.current_version, following.key_version) == (newer, "")
    calls = contoso.azure.control.calls(service="arm", operation="StorageAccounts.Update")
    assert ["identity" in call["requestBody"] for call in calls] == [True, False, False]


async def test_an_account_returns_to_microsofts_key_and_loses_only_our_identity(
    bundle: Bundle, contoso: Contoso
) -> None:
    contoso.create_key()
    put_account(contoso.azure)
    encrypted = await bundle.accounts.update(ACCOUNT, ENCRYPT, present=await present(bundle))
    released = await bundle.accounts.update(ACCOUNT, ReturnToMicrosoftManagedKeys(), present=encrypted)
    assert (released.key_source, released.current_key) == ("Microsoft.Storage", None)
    ours = RemoveIdentity(identity=names.KEYS_IDENTITY_RESOURCE_ID.lower())
    alone = await bundle.accounts.update(ACCOUNT, ours, present=released)
    assert (alone.system_assigned, alone.user_assigned) == (True, ())


async def test_our_identity_is_taken_off_beside_another(bundle: Bundle, contoso: Contoso) -> None:
    contoso.azure.control.put_identity(
        resourceId=OTHER_IDENTITY,
        clientId="10000000-0000-4000-8000-000000000041",
        principalId="10000000-0000-4000-8000-000000000042",
    )
    put_account(contoso.azure, OTHER_IDENTITY, names.KEYS_IDENTITY_RESOURCE_ID, system=False)
    ours = RemoveIdentity(identity=names.KEYS_IDENTITY_RESOURCE_ID.upper())
    after = await bundle.accounts.update(ACCOUNT, ours, present=await present(bundle))
    assert [one.lower() for one in after.user_assigned] == [OTHER_IDENTITY.lower()]
    assert not after.system_assigned


async def test_a_key_that_storage_cannot_use_is_refused(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    contoso.azure.control.revoke(contoso.principal_id, "Key Vault Crypto Service Encryption User", VAULT_ID)
    put_account(contoso.azure)
    with pytest.raises(Refused) as refused:
        await bundle.accounts.update(ACCOUNT, ENCRYPT, present=await present(bundle))
    assert refused.value.http_status in {400, 403}
    assert refused.value.azure_code
    assert refused.value.detail


async def test_a_lost_answer_is_unavailable_though_the_update_took_effect(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    put_account(contoso.azure)
    before = await present(bundle)
    contoso.azure.control.add_fault("drop", service="arm", operation="StorageAccounts.Update", when="after", times=1)
    with pytest.raises(Unavailable):
        await bundle.accounts.update(ACCOUNT, ENCRYPT, present=before)
    assert len(contoso.azure.control.calls(service="arm", operation="StorageAccounts.Update")) == 1
    assert (await present(bundle)).key_source == "Microsoft.Keyvault"


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_an_update_is_never_repeated_by_the_pipeline(bundle: Bundle, contoso: Contoso, status: int) -> None:
    put_account(contoso.azure)
    before = await present(bundle)
    contoso.azure.control.add_fault(
        "status", service="arm", operation="StorageAccounts.Update", status=status, headers={"Retry-After": "1"}
    )
    with pytest.raises(Unavailable):
        await bundle.accounts.update(ACCOUNT, ReturnToMicrosoftManagedKeys(), present=before)
    assert len(contoso.azure.control.calls(service="arm", operation="StorageAccounts.Update")) == 1


async def test_the_delay_in_the_text_of_a_429_is_read(bundle: Bundle, contoso: Contoso) -> None:
    put_account(contoso.azure)
    before = await present(bundle)
    message = "Number of write requests exceeded the limit. Please try again after '303' seconds."
    error = {"error": {"code": "SubscriptionRequestsThrottled", "message": message}}
    contoso.azure.control.add_fault("status", service="arm", operation="*.Update", status=429, body=error)
    with pytest.raises(Throttled) as throttled:
        await bundle.accounts.update(ACCOUNT, ReturnToMicrosoftManagedKeys(), present=before)
    assert throttled.value.retry_after is not None
    assert throttled.value.retry_after.total_seconds() == 303


async def test_a_subscription_is_read_page_by_page(bundle: Bundle, contoso: Contoso) -> None:
    for number in range(60):
        contoso.azure.control.put_storage_account(f"{ACCOUNT_ID}{number}")
    found = [one async for one in bundle.accounts.read_subscription(names.PROVIDER_SUBSCRIPTION_ID)]
    assert len({one.resource_id.lower() for one in found}) == 60


async def test_a_next_link_to_another_host_is_not_followed(bundle: Bundle, contoso: Contoso) -> None:
    put_account(contoso.azure)
    body = {"value": [], "nextLink": f"https://{VAULT}.vault.azure.net/steal?api-version=1"}
    contoso.azure.control.add_fault("status", service="arm", operation="StorageAccounts.List", status=200, body=body)
    with pytest.raises(UnexpectedAnswer):
        _ = [one async for one in bundle.accounts.read_subscription(names.PROVIDER_SUBSCRIPTION_ID)]
    assert contoso.azure.control.calls(service="keyvault") == []


async def test_an_update_that_is_only_accepted_is_not_taken_for_done(bundle: Bundle, contoso: Contoso) -> None:
    put_account(contoso.azure)
    before = await present(bundle)
    contoso.azure.control.add_fault("status", service="arm", operation="StorageAccounts.Update", status=202, body="")
    with pytest.raises(Unavailable):
        await bundle.accounts.update(ACCOUNT, ReturnToMicrosoftManagedKeys(), present=before)


async def test_an_unreadable_answer_is_unexpected(bundle: Bundle, contoso: Contoso) -> None:
    put_account(contoso.azure)
    contoso.azure.control.add_fault("malformed", service="arm", when="after")
    with pytest.raises(UnexpectedAnswer):
        await bundle.accounts.read(ACCOUNT)
