"""Storage accounts in the local Resource Manager: reading, listing, identities, creation, refusals, throttling."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx
import pytest
from azure.mgmt.storage.aio import StorageManagementClient

from local import names
from local.resource_manager.service import ResourceManagerService
from local.world import ArmThrottling, World
from tests.contract.local import contoso
from tests.running_world import RunningWorld

OTHER = f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other"
KEYS = names.KEYS_IDENTITY_RESOURCE_ID
VERSION = "2026-09-01"


@pytest.fixture
def account(inside_local_azure: RunningWorld) -> RunningWorld:
    """The world with one account of the vendor's and a second user-assigned identity."""
    inside_local_azure.control.put_storage_account(
        contoso.ACCOUNT_ID, tags={"owner": "vendor"}, identity={"type": "SystemAssigned"}
    )
    inside_local_azure.control.put_identity(
        resourceId=OTHER,
        clientId="10000000-0000-4000-8000-0000000000e1",
        principalId="10000000-0000-4000-8000-0000000000e2",
    )
    return inside_local_azure


@pytest.fixture
async def client(account: RunningWorld) -> AsyncIterator[StorageManagementClient]:
    async with contoso.storage_client(account) as made:
        yield made


def send(
    azure: RunningWorld,
    method: str,
    path: str = contoso.ACCOUNT_ID,
    body: Any = None,
    *,
    token: str | None = None,
    version: str | None = VERSION,
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or contoso.app_token(azure)}"} if token != "" else {}
    with httpx.Client(proxy=azure.proxy_url, verify=azure.tls, headers=headers) as http:
        query = {"api-version": version} if version else None
        return http.request(method, f"https://management.azure.com{path}", params=query, json=body)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_the_sdk_reads_and_lists_accounts(client: StorageManagementClient) -> None:
    read = await client.storage_accounts.get_properties(names.RESOURCE_GROUP, contoso.ACCOUNT)
    assert read.id == contoso.ACCOUNT_ID
    assert read.encryption is not None
    assert read.encryption.key_source == "Microsoft.Storage"
    assert [each.name async for each in client.storage_accounts.list()] == [contoso.ACCOUNT]
    group = client.storage_accounts.list_by_resource_group(names.RESOURCE_GROUP)
    assert [each.name async for each in group] == [contoso.ACCOUNT]
    scopes = client.encryption_scopes.list(names.RESOURCE_GROUP, contoso.ACCOUNT)
    assert [each.name async for each in scopes] == []


async def test_long_lists_are_paged(client: StorageManagementClient, account: RunningWorld) -> None:
    prefix = contoso.ACCOUNT_ID.removesuffix(contoso.ACCOUNT)
    for number in range(205):
        account.control.put_storage_account(f"{prefix}many{number}")
    account.control.forget_calls()
    assert len([each async for each in client.storage_accounts.list()]) == 206
    assert len(account.control.calls(operation="StorageAccounts.List")) == 3


def test_ids_are_compared_without_case(account: RunningWorld) -> None:
    path = contoso.ACCOUNT_ID.replace("resourceGroups", "resourcegroups").replace("rg-crosskey", "RG-CrossKey")
    assert send(account, "GET", path).json()["id"] == contoso.ACCOUNT_ID


def test_a_patch_adds_and_removes_identities_and_keeps_the_others(account: RunningWorld) -> None:
    both = "SystemAssigned,UserAssigned"

    def patch(kind: str, **assigned: Any) -> dict[str, Any]:
        ids = {"keys": KEYS, "other": OTHER}
        body = {"identity": {"type": kind, "userAssignedIdentities": {ids[name]: assigned[name] for name in assigned}}}
        answer = send(account, "PATCH", body=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["identity"])

    before = send(account, "GET").json()["identity"]["principalId"]
    added = patch(both, keys={})
    assert added["principalId"] == before
    assert list(patch(both, other={})["userAssignedIdentities"]) == [KEYS, OTHER]
    assert list(patch(both, keys=None)["userAssignedIdentities"]) == [OTHER]
    dropped = patch("SystemAssigned")
    assert dropped["type"] == "SystemAssigned"
    assert "userAssignedIdentities" not in dropped


def test_identities_sent_back_as_they_were_answered_are_refused(account: RunningWorld) -> None:
    identity = {"type": "UserAssigned", "userAssignedIdentities": {KEYS: {"principalId": "x"}}}
    assert code(send(account, "PATCH", body={"identity": identity})) == (400, "InvalidIdentityValues")


def test_an_unknown_identity_is_refused_with_json_inside_the_message(account: RunningWorld) -> None:
    identity = {"type": "UserAssigned", "userAssignedIdentities": {f"{KEYS}-gone": {}}}
    answer = send(account, "PATCH", body={"identity": identity})
    assert code(answer) == (400, "FailedIdentityOperation")
    assert '{"error": {"code": "BadRequest"' in answer.json()["error"]["message"]


def test_attaching_an_identity_needs_the_right_to_assign_it(account: RunningWorld) -> None:
    grant = {"role": "Storage Account Contributor", "scope": names.RESOURCE_GROUP_ID}
    token = account.control.token("provider", audience=names.MANAGEMENT_RESOURCE, grants=[grant])
    body = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {KEYS: {}}}}
    assert code(send(account, "PATCH", body=body, token=token)) == (403, "LinkedAuthorizationFailed")
    assert send(account, "PATCH", body={"tags": {}}, token=token).status_code == 200


def test_tags_and_other_properties_survive_a_patch(account: RunningWorld) -> None:
    before = send(account, "GET").json()
    body = {"properties": {"minimumTlsVersion": "TLS1_3", "networkAcls": {"defaultAction": "Deny"}}}
    after = send(account, "PATCH", body=body).json()
    assert after["tags"] == {"owner": "vendor"}
    assert after["properties"]["minimumTlsVersion"] == "TLS1_3"
    assert after["properties"]["networkAcls"] == {**before["properties"]["networkAcls"], "defaultAction": "Deny"}
    assert after["properties"]["encryption"] == before["properties"]["encryption"]


async def test_a_new_account_is_created_in_the_background(
    client: StorageManagementClient, account: RunningWorld
) -> None:
    path = contoso.ACCOUNT_ID.replace(contoso.ACCOUNT, "brandnew")
    body = {"kind": "StorageV2", "location": "westeurope", "sku": {"name": "Standard_LRS"}}
    answer = send(account, "PUT", path, body)
    assert (answer.status_code, answer.content) == (202, b"")
    assert answer.headers["Retry-After"] == "17"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    location = answer.headers["Location"].removeprefix("https://management.azure.com")
    first = send(account, "GET", location, version=None)
    assert first.status_code == 202
    assert first.headers["Location"] != answer.headers["Location"]
    assert code(send(account, "PATCH", path, {"tags": {}})) == (409, "StorageAccountOperationInProgress")
    account.control.advance(timedelta(seconds=18))
    done = send(account, "GET", location, version=None)
    assert done.status_code == 200
    assert done.json()["properties"]["provisioningState"] == "Succeeded"
    assert send(account, "PUT", path, body).status_code == 200
    account.look(lambda world: setattr(world, "create_seconds", 0))
    poller = await client.storage_accounts.begin_create(
        names.RESOURCE_GROUP, "another", BytesIO(json.dumps(body).encode())
    )
    assert (await poller.result()).name == "another"


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", contoso.ACCOUNT_ID + "x", None, (404, "ResourceNotFound")),
        ("GET", contoso.ACCOUNT_ID.replace("rg-crosskey", "rg-none"), None, (404, "ResourceGroupNotFound")),
        ("PATCH", contoso.ACCOUNT_ID, {"colour": "red"}, (400, "InvalidRequestContent")),
        ("PATCH", contoso.ACCOUNT_ID, {"properties": {"colour": 1}}, (400, "InvalidRequestContent")),
        ("PATCH", contoso.ACCOUNT_ID, [], (400, "InvalidRequestContent")),
        ("PATCH", contoso.ACCOUNT_ID, {"identity": {"type": "Own"}}, (400, "InvalidValuesForRequestParameters")),
        ("PATCH", contoso.ACCOUNT_ID, {"identity": {}}, (400, "InvalidValuesForRequestParameters")),
        (
            "PATCH",
            contoso.ACCOUNT_ID,
            {"properties": {"encryption": {"keySource": "Microsoft.Keyvault"}}},
            (400, "InvalidValuesForRequestParameters"),
        ),
        (
            "PATCH",
            contoso.ACCOUNT_ID,
            {"properties": {"encryption": {"keyVaultProperties": {}}}},
            (400, "InvalidRequestContent"),
        ),
        ("PUT", contoso.ACCOUNT_ID.replace("vendordata", "Bad_Name"), {}, (400, "AccountNameInvalid")),
        (
            "GET",
            "/subscriptions/nonsense/providers/Microsoft.Storage/storageAccounts",
            None,
            (400, "InvalidSubscriptionId"),
        ),
        (
            "GET",
            f"/subscriptions/{contoso.SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts",
            None,
            (404, "SubscriptionNotFound"),
        ),
        ("POST", f"{contoso.ACCOUNT_ID}/listKeys", None, (501, "NotImplementedLocally")),
    ],
)
def test_a_wrong_request_is_refused(
    account: RunningWorld, method: str, path: str, body: Any, expected: tuple[int, str]
) -> None:
    assert code(send(account, method, path, body)) == expected


def test_a_caller_is_known_and_of_the_subscriptions_tenant(account: RunningWorld) -> None:
    control = account.control
    assert code(send(account, "GET", token="")) == (401, "AuthenticationFailed")
    vault_token = control.token("provider", audience=names.VAULT_RESOURCE)
    assert code(send(account, "GET", token=vault_token)) == (401, "InvalidAuthenticationTokenAudience")
    control.put_tenant(contoso.TENANT, "Contoso")
    foreign = control.token(contoso.TENANT, audience=names.MANAGEMENT_RESOURCE)
    assert code(send(account, "GET", token=foreign)) == (401, "InvalidAuthenticationTokenTenant")
    nobody = control.token("provider", audience="https://management.core.windows.net/", user="nobody")
    answer = send(account, "GET", token=nobody)
    assert code(answer) == (403, "AuthorizationFailed")
    assert answer.headers["x-ms-failure-cause"] == "gateway"
    assert "'Microsoft.Storage/storageAccounts/read'" in answer.json()["error"]["message"]


def test_the_api_version_is_required_and_must_be_known(account: RunningWorld) -> None:
    assert code(send(account, "GET", version=None)) == (400, "MissingApiVersionParameter")
    assert code(send(account, "GET", version="2015-06-15")) == (400, "NoRegisteredProviderFound")


def test_reads_and_writes_draw_on_buckets_of_their_own(account: RunningWorld) -> None:
    def throttle(world: World) -> None:
        world.arm_throttling = ArmThrottling(write_bucket=2, writes_per_second=0.1, read_bucket=50)

    account.look(throttle)
    account.look(lambda _: contoso.service(account, ResourceManagerService).reset())
    assert send(account, "PATCH", body={}).headers["x-ms-ratelimit-remaining-subscription-writes"] == "1"
    assert send(account, "PATCH", body={}).status_code == 200
    answer = send(account, "PATCH", body={})
    assert code(answer) == (429, "SubscriptionRequestsThrottled")
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert int(send(account, "GET").headers["x-ms-ratelimit-remaining-subscription-reads"]) >= 48
    account.control.advance(timedelta(seconds=11))
    assert send(account, "PATCH", body={}).status_code == 200
