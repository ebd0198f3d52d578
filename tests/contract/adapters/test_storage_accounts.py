"""What only the storage account adapter does: which requests it repeats, which answers it believes."""

import pytest

from local import names
from shared.bundle import Bundle
from shared.domain.account_observation import (
    ObservedAccount,
    ReturnToMicrosoftManagedKeys,
)
from shared.domain.identifiers import StorageAccountId
from shared.errors import Refused, Throttled, Unavailable, UnexpectedAnswer
from tests.contract.local.contoso import ACCOUNT_ID, VAULT, Contoso
from tests.running_world import RunningWorld

ACCOUNT = StorageAccountId.parse(ACCOUNT_ID)


def put_account(azure: RunningWorld) -> None:
    azure.control.put_storage_account(ACCOUNT_ID)


async def present(bundle: Bundle) -> ObservedAccount:
    found = await bundle.accounts.read(ACCOUNT)
    assert found is not None
    return found


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


async def test_empty_pages_of_scopes_and_versions_left_out_of_a_list_are_no_obstacle(
    bundle: Bundle, contoso: Contoso
) -> None:
    put_account(contoso.azure)
    key = f"https://{VAULT}.vault.azure.net/keys/cmk"
    setting = {"source": "Microsoft.KeyVault", "keyVaultProperties": {"keyUri": key}}
    in_use = {"keyUri": key, "currentVersionedKeyIdentifier": f"{key}/{'1' * 32}"}
    link = f"https://management.azure.com:443{ACCOUNT_ID}/encryptionScopes?api-version=2023-05-01&$skiptoken=1"
    for operation, body in (
        ("EncryptionScopes.List", {"value": [], "nextLink": link}),
        ("EncryptionScopes.List", {"value": [{"name": "own", "properties": setting}], "nextLink": None}),
        ("EncryptionScopes.Get", {"name": "own", "properties": {**setting, "keyVaultProperties": in_use}}),
    ):
        contoso.azure.control.add_fault("status", service="arm", operation=operation, status=200, body=body, times=1)
    assert [one.version for one in await bundle.accounts.read_scopes(ACCOUNT)] == ["1" * 32]


@pytest.mark.parametrize("code", ["StorageAccountOperationInProgress", "AnotherOperationInProgress"])
async def test_a_change_of_somebody_else_under_way_is_could_not_tell(
    bundle: Bundle, contoso: Contoso, code: str
) -> None:
    put_account(contoso.azure)
    before = await present(bundle)
    error = {"error": {"code": code, "message": "An operation is currently performing on this storage account."}}
    contoso.azure.control.add_fault("status", service="arm", operation="*.Update", status=409, body=error)
    with pytest.raises(Unavailable) as busy:
        await bundle.accounts.update(ACCOUNT, ReturnToMicrosoftManagedKeys(), present=before)
    assert code in busy.value.message


async def test_another_conflict_is_a_definite_no(bundle: Bundle, contoso: Contoso) -> None:
    put_account(contoso.azure)
    before = await present(bundle)
    error = {"error": {"code": "ScopeLocked", "message": "The scope is locked."}}
    contoso.azure.control.add_fault("status", service="arm", operation="*.Update", status=409, body=error)
    with pytest.raises(Refused) as refused:
        await bundle.accounts.update(ACCOUNT, ReturnToMicrosoftManagedKeys(), present=before)
    assert refused.value.azure_code == "ScopeLocked"


async def test_an_account_in_a_group_of_another_alphabet_is_listed_beside_the_others(
    bundle: Bundle, contoso: Contoso
) -> None:
    put_account(contoso.azure)
    odd = ACCOUNT_ID.replace(f"/resourceGroups/{ACCOUNT.resource_group}/", "/resourceGroups/données/")
    odd = odd.replace(ACCOUNT.account_name, "unrelated1")
    contoso.azure.control.put_storage_account(odd)
    listed = [one.resource_id async for one in bundle.accounts.read_subscription(names.PROVIDER_SUBSCRIPTION_ID)]
    assert {odd.lower(), ACCOUNT_ID.lower()} <= {one.lower() for one in listed}
