"""Resource Manager's exchanges on the local Azure: subscriptions, accounts and refusals made as the recording shows."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from local import names
from local.resource_manager.routes import ROUTES, Route
from local.resource_manager.service import ResourceManagerService
from local.seed import put_identity
from local.world import AccessPolicy, EventSubscription, Firewall, ManagedIdentity, Vault, World
from shared.adapters.account_documents import body as update_body
from tests.replay.accounts import allow_identities, put_account, put_keys_and_identities
from tests.replay.explained import NotCovered
from tests.replay.places import Service, template
from tests.replay.read_arm import STAND_IN, present, update_like
from tests.replay.recordings import TENANT, Exchange
from tests.replay.stage import PROVIDER, LocalAnswer, Stage, nearest, with_version

_ARM: Final = "https://management.azure.com"
_STAND_IN: Final = f"{_ARM}{STAND_IN}?api-version=2023-05-01"
_FRONT_DOOR: Final = frozenset(
    {
        *("AuthorizationFailed", "InvalidIdentityValues", "SubscriptionRequestsThrottled", "ResourceGroupNotFound"),
        *("ExpiredAuthenticationToken", "InvalidAuthenticationToken", "AuthenticationFailed", "SubscriptionNotFound"),
        *("InvalidAuthenticationTokenTenant", "MissingApiVersionParameter", "FailedIdentityOperation"),
    }
)
"""What Resource Manager says for every provider alike: replayed on a storage account where the other is not known."""

_REACHED: Final = frozenset(
    {
        *("KeyVaultPolicyError", "KeyVaultAuthenticationFailure", "KeyVaultVaultNotFound", "InvalidIdentityValues"),
        *("KeyVaultEncryptionKeyNotFound", "InvalidValuesForRequestParameters", "FailedIdentityOperation"),
        *("ResourceNotFound", "ResourceGroupNotFound", "AuthorizationFailed", "AccountNameInvalid"),
        *("SubscriptionNotFound", "LinkedAuthorizationFailed"),
        *("MissingApiVersionParameter", "NoRegisteredProviderFound"),
    }
)
"""Refusals whose cause can be made."""

_BEFORE_STATE: Final = frozenset({"AuthorizationFailed", "SubscriptionRequestsThrottled", "SubscriptionNotFound"})
"""Refusals that come before the account is looked at, so that none is made."""

_SYSTEM_TOPIC: Final = re.compile(r"(?i)/Microsoft\.EventGrid/systemTopics/([^/]+)/eventSubscriptions/")
_ON_VAULT: Final = r"/Microsoft.KeyVault/vaults/\1/providers/Microsoft.EventGrid/eventSubscriptions/"
"""A subscription on a system topic and one on the resource itself are built alike; the app asks for the latter."""
_SOMEBODY: Final = "20000000-0000-4000-8000-0000000000dd"
_ELSEWHERE: Final = (
    (r".*/microsoft\.compute/.*", "disks"),
    (r".*/microsoft\.eventgrid/(system|partner)?topics.*", "system topics"),
    (r".*/microsoft\.keyvault/vaults.*", "vaults by PUT"),
    (r".*/microsoft\.managedidentity/.*", "identities by PUT"),
    (r".*/microsoft\.keyvault/managedhsms.*", "Managed HSM"),
)


def ask_resource_manager(stage: Stage, exchange: Exchange) -> LocalAnswer:
    """Make the state and repeat the request. Raises `NotCovered`."""
    place = template(Service.ARM, exchange.url).lower()
    url = _SYSTEM_TOPIC.sub(_ON_VAULT, exchange.url)
    route = _route(exchange.method, url.removeprefix(_ARM).partition("?")[0])
    by_front_door = (
        exchange.code in _FRONT_DOOR
        or exchange.status in {429, 502, 503, 504}
        or "x-ms-failure-cause" in exchange.headers
    )
    if route is None and by_front_door and exchange.status >= 400:
        method = exchange.method if exchange.method in {"GET", "PUT", "PATCH"} else "PATCH"
        url, route = _STAND_IN, _route(method, str(STAND_IN))
    if route is None:
        raise NotCovered(
            next((name for pattern, name in _ELSEWHERE if re.fullmatch(pattern, place)), "other providers")
        )
    _check_reached(exchange)
    parts = _parts(route, url)

    def own(world: World) -> None:
        if exchange.code != "SubscriptionNotFound":
            world.subscriptions[parts.get("subscription", TENANT)] = TENANT
        if exchange.code not in {"ResourceGroupNotFound", "SubscriptionNotFound"} and "group" in parts:
            world.resource_groups.add(
                f"/subscriptions/{parts['subscription']}/resourceGroups/{parts['group']}".casefold()
            )
        if exchange.code == "SubscriptionRequestsThrottled":
            world.arm_throttling.read_bucket = world.arm_throttling.write_bucket = 0
            world.arm_throttling.sends_retry_after = "retry-after" in exchange.headers

    stage.change(own)
    if exchange.code != "AuthorizationFailed":
        # Everywhere: what is linked to an account may lie in another subscription.
        stage.grant("Owner", "/")
    token = _token(stage, exchange)
    body = exchange.sent_body
    prepare = _PREPARE.get(route.operation)
    if exchange.status in {429, 500, 502, 503, 504} and exchange.code != "SubscriptionRequestsThrottled":
        stage.fault("arm", exchange)
    elif prepare is not None and token is not None and exchange.code not in _BEFORE_STATE:
        body = prepare(stage, exchange, token)
    if exchange.code == "LinkedAuthorizationFailed":
        stage.change(lambda world: world.role_assignments.clear())
        stage.grant("Storage Account Contributor", f"/subscriptions/{parts.get('subscription', TENANT)}")
    if exchange.code not in {"NoRegisteredProviderFound", "MissingApiVersionParameter"}:
        url = with_version(url, nearest(exchange.query.get("api-version", route.versions[-1]), route.versions))
    return stage.ask(route.method, url, token=token, body=body)


def _route(method: str, path: str) -> Route | None:
    plain = path.rstrip("/")
    return next((each for each in ROUTES if each.method == method and each.path.fullmatch(plain)), None)


def _parts(route: Route, url: str) -> dict[str, str]:
    found = route.path.fullmatch(url.removeprefix(_ARM).partition("?")[0].rstrip("/"))
    return dict(found.groupdict()) if found else {}


def _check_reached(exchange: Exchange) -> None:
    if exchange.code in {"RequestDisallowedByPolicy", "ScopeLocked", "ReadOnlyDisabledSubscription"}:
        raise NotCovered("policies and locks")
    if 400 <= exchange.status < 500 and exchange.status not in {401, 429} and exchange.code not in _REACHED:
        raise NotCovered("other refusals of Resource Manager")


def _token(stage: Stage, exchange: Exchange) -> str | None:
    audience = names.MANAGEMENT_RESOURCE
    if exchange.code == "AuthenticationFailed":
        return None
    if exchange.code == "ExpiredAuthenticationToken":
        return stage.token(audience, lifetime=-3600)
    if exchange.code == "InvalidAuthenticationToken":
        return "not-a-token"
    return stage.token(audience, tenant=PROVIDER if exchange.code == "InvalidAuthenticationTokenTenant" else TENANT)


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
        identity = f"/subscriptions/{TENANT}/resourceGroups/recorded/providers/Microsoft.ManagedIdentity/userAssignedIdentities/recorded"
        sent = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {"principalId": "recorded"}}}}
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


def _get_operation(stage: Stage, exchange: Exchange, token: str) -> Any:
    del token
    body = exchange.body if isinstance(exchange.body, dict) else {}
    _operations(stage)[exchange.path.rpartition("/")[2].lower()] = {
        name: body[name] for name in ("status", "error") if name in body
    }


def _event_subscription(stage: Stage, exchange: Exchange, token: str) -> Any:
    del token
    vault_id = re.split(r"(?i)/providers/Microsoft\.EventGrid", _SYSTEM_TOPIC.sub(_ON_VAULT, exchange.path))[0]
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


_PREPARE: Final[dict[str, Callable[[Stage, Exchange, str], Any]]] = {
    "StorageAccounts.GetProperties": _get_account,
    "StorageAccounts.Update": _update_account,
    "StorageAccounts.Create": _create_account,
    "StorageAccounts.Delete": _delete_account,
    "EncryptionScopes.List": _list_scopes,
    "StorageAccounts.GetOperation": _poll,
    "UserAssignedIdentities.Get": _get_identity,
    "StorageAccounts.List": _list_accounts,
    "StorageAccounts.ListByResourceGroup": _list_accounts,
    "Vaults.Get": _get_vault,
    "Vaults.Update": _get_vault,
    "EventSubscriptions.GetOperation": _get_operation,
    "EventSubscriptions.CreateOrUpdate": _event_subscription,
    "EventSubscriptions.Get": _event_subscription,
}
