"""The state of Resource Manager before each operation, as a recording shows it: accounts, vaults, subscriptions."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from local.resource_manager.service import ResourceManagerService
from local.roles import ROLES_BY_DEFINITION_ID
from local.seed import put_identity
from local.world import AccessPolicy, EventSubscription, Firewall, ManagedIdentity, Vault, World
from shared.adapters.account_documents import body as update_body
from tests.replay.accounts import allow_identities, put_account, put_keys_and_identities
from tests.replay.explained import NotCovered
from tests.replay.read_arm import IDENTITY, STAND_IN, present, update_like
from tests.replay.recordings import TENANT, Exchange
from tests.replay.stage import Stage

SYSTEM_TOPIC: Final = re.compile(r"(?i)/Microsoft\.EventGrid/systemTopics/([^/]+)/eventSubscriptions/")
ON_VAULT: Final = r"/Microsoft.KeyVault/vaults/\1/providers/Microsoft.EventGrid/eventSubscriptions/"
"""A subscription on a system topic and one on the resource itself are built alike; the app asks for the latter."""
_SOMEBODY: Final = "20000000-0000-4000-8000-0000000000dd"


def _account_before(exchange: Exchange) -> dict[str, Any] | None:
    """The account as it stood before: an earlier answer of the recording, or this very answer."""
    for each in (*reversed(exchange.before), exchange):
        if each.path == exchange.path and each.status == 200 and isinstance(each.body, dict) and "id" in each.body:
            return each.body
    return None


def _get_account(stage: Stage, exchange: Exchange, token: str) -> Any:
    if exchange.status == 200:
        put_account(stage, {**exchange.body, "id": exchange.path}, token)
    return exchange.sent_body


def _update_account(stage: Stage, exchange: Exchange, token: str) -> Any:
    sent = exchange.sent_body
    if exchange.code == "ResourceNotFound":
        return sent or {}
    before = _account_before(exchange) or _bare(exchange)
    account_id = put_account(stage, before, token)
    if sent is None:
        sent = update_body(update_like(exchange), present(exchange))
    if exchange.code == "InvalidIdentityValues":
        values = {IDENTITY: {"principalId": "recorded"}}
        sent = {"identity": {"type": "UserAssigned", "userAssignedIdentities": values}}
    if exchange.code != "FailedIdentityOperation":
        put_keys_and_identities(stage, sent, exchange.body, purge_protection=exchange.code != "KeyVaultPolicyError")
    allow_identities(stage, account_id)
    spoil = _SPOILT.get(exchange.code)
    if spoil is not None:
        stage.change(spoil)
    return sent


def _create_account(stage: Stage, exchange: Exchange, token: str) -> Any:
    if exchange.status == 200 and (before := _account_before(exchange)) is not None:
        put_account(stage, {**before, "id": exchange.path}, token)
    if exchange.sent_body is None:
        return _update_account(stage, exchange, token) | {
            "kind": "StorageV2",
            "location": "westeurope",
            "sku": {"name": "Standard_LRS"},
        }
    if exchange.code != "FailedIdentityOperation":
        put_keys_and_identities(stage, exchange.sent_body, exchange.body)
    allow_identities(stage)
    return exchange.sent_body


def _poll(stage: Stage, exchange: Exchange, token: str) -> Any:
    operation = exchange.path.rpartition("/")[2]
    made = next((each.path for each in exchange.before if each.method == "PUT"), str(STAND_IN))
    document = exchange.body if isinstance(exchange.body, dict) and "id" in exchange.body else {"id": made}
    account_id = put_account(stage, document, token)
    _operations(stage)[operation] = account_id
    if exchange.status == 202:

        def creating(world: World) -> None:
            account = world.storage_accounts[account_id.casefold()]
            account.creating_until = world.clock.now() + timedelta(minutes=1)

        stage.change(creating)
    return None


def _list_accounts(stage: Stage, exchange: Exchange, token: str) -> Any:
    for each in exchange.body.get("value") or []:
        put_account(stage, each, token)


def _delete_account(stage: Stage, exchange: Exchange, token: str) -> Any:
    if exchange.status == 200:
        put_account(stage, {**_bare(exchange), "id": exchange.path}, token)


def _list_scopes(stage: Stage, exchange: Exchange, token: str) -> Any:
    account_id = exchange.path.rpartition("/")[0]
    put_account(stage, {"id": account_id}, token)
    scopes = (exchange.body or {}).get("value") or []

    def put(world: World) -> None:
        world.storage_accounts[account_id.casefold()].encryption_scopes = scopes

    stage.change(put)


def _get_vault(stage: Stage, exchange: Exchange, token: str) -> Any:
    del token
    body = exchange.body if exchange.status == 200 else {}
    properties = body.get("properties") or {}
    rules = properties.get("networkAcls") or {}
    name = exchange.path.rpartition("/")[2]

    def put(world: World) -> None:
        if not properties:
            return
        world.vaults[name.lower()] = Vault(
            name,
            exchange.path,
            properties["tenantId"],
            body["location"],
            soft_delete_days=int(properties.get("softDeleteRetentionInDays") or 90),
            purge_protection=bool(properties.get("enablePurgeProtection")),
            rbac=bool(properties.get("enableRbacAuthorization")),
            access_policies=[
                AccessPolicy(each["objectId"], set((each.get("permissions") or {}).get("keys") or []))
                for each in properties.get("accessPolicies") or []
            ],
            firewall=Firewall(rules.get("defaultAction", "Allow"), rules.get("bypass", "AzureServices")),
            tags=dict(body.get("tags") or {}),
        )

    stage.change(put)
    return exchange.sent_body


def _get_identity(stage: Stage, exchange: Exchange, token: str) -> Any:
    del token
    if exchange.status == 200:
        stage.change(lambda world: put_identity(world, ManagedIdentity(exchange.path, _SOMEBODY, _SOMEBODY, TENANT)))


def _create_role_assignment(stage: Stage, exchange: Exchange, token: str) -> Any:
    del stage, token
    properties = (exchange.sent_body or {}).get("properties") or {}
    if str(properties.get("roleDefinitionId")).rpartition("/")[2] not in ROLES_BY_DEFINITION_ID:
        raise NotCovered("other roles")
    return exchange.sent_body


def _get_operation(stage: Stage, exchange: Exchange, token: str) -> Any:
    del token
    body = exchange.body if isinstance(exchange.body, dict) else {}
    _operations(stage)[exchange.path.rpartition("/")[2].lower()] = {
        name: body[name] for name in ("status", "error") if name in body
    }


def _event_subscription(stage: Stage, exchange: Exchange, token: str) -> Any:
    del token
    vault_id = re.split(r"(?i)/providers/Microsoft\.EventGrid", SYSTEM_TOPIC.sub(ON_VAULT, exchange.path))[0]
    name = vault_id.rpartition("/")[2].lower()

    def put(world: World) -> None:
        world.vaults[name] = Vault(name, vault_id, TENANT, "westeurope")
        if exchange.method == "GET" and exchange.status == 200:
            subscription = exchange.path.rpartition("/")[2]
            world.event_subscriptions.append(EventSubscription(subscription, vault_id, "https://recorded.example"))

    stage.change(put)
    return exchange.sent_body


def _operations(stage: Stage) -> dict[str, Any]:
    service = next(each for each in stage.azure.local.services if isinstance(each, ResourceManagerService))
    return service._operations


def _no_access(world: World) -> None:
    for vault in world.vaults.values():
        vault.access_policies = []


def _no_keys(world: World) -> None:
    for vault in world.vaults.values():
        vault.keys.clear()


def _no_vaults(world: World) -> None:
    world.vaults.clear()


_SPOILT: Final = {
    "KeyVaultAuthenticationFailure": _no_access,
    "KeyVaultEncryptionKeyNotFound": _no_keys,
    "KeyVaultVaultNotFound": _no_vaults,
}
"""What makes Storage refuse a key."""


def _bare(exchange: Exchange) -> dict[str, Any]:
    path = exchange.path if "storageaccounts" in exchange.path.lower() else str(STAND_IN)
    return {"id": path, "identity": {"type": "SystemAssigned"}}


PREPARE: Final[dict[str, Callable[[Stage, Exchange, str], Any]]] = {
    "StorageAccounts.GetProperties": _get_account,
    "StorageAccounts.Update": _update_account,
    "StorageAccounts.Create": _create_account,
    "StorageAccounts.Delete": _delete_account,
    "EncryptionScopes.List": _list_scopes,
    "StorageAccounts.GetOperation": _poll,
    "RoleAssignments.Create": _create_role_assignment,
    "UserAssignedIdentities.Get": _get_identity,
    "StorageAccounts.List": _list_accounts,
    "StorageAccounts.ListByResourceGroup": _list_accounts,
    "Vaults.Get": _get_vault,
    "Vaults.Update": _get_vault,
    "EventSubscriptions.GetOperation": _get_operation,
    "EventSubscriptions.CreateOrUpdate": _event_subscription,
    "EventSubscriptions.Get": _event_subscription,
}
