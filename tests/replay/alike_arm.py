"""Resource Manager's exchanges on the local Azure: subscriptions, accounts and refusals made as the recording shows."""

import re
from typing import Final

from local import names
from local.resource_manager.routes import ROUTES, Route
from local.world import World
from tests.replay.arm_states import ON_VAULT, PREPARE, SYSTEM_TOPIC
from tests.replay.explained import NotCovered
from tests.replay.places import Service, template
from tests.replay.read_arm import STAND_IN
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

_OUTAGES: Final = frozenset({429, 500, 502, 503, 504})
_BEFORE_STATE: Final = frozenset({"AuthorizationFailed", "SubscriptionRequestsThrottled", "SubscriptionNotFound"})
"""Refusals that come before the account is looked at, so that none is made."""

_ELSEWHERE: Final = (
    (r".*/microsoft\.compute/.*", "disks"),
    (r".*/microsoft\.eventgrid/(system|partner)?topics.*", "system topics"),
    (r".*/microsoft\.keyvault/vaults.*", "vaults by PUT"),
    (r".*/microsoft\.managedidentity/.*", "identities by PUT"),
    (r".*/microsoft\.keyvault/managedhsms.*", "Managed HSM"),
)


def ask_resource_manager(stage: Stage, exchange: Exchange) -> LocalAnswer:
    """Make the state and repeat the request. Raises `NotCovered`."""
    route, url = _find(exchange)
    _check_reached(exchange)
    _own_subscription(stage, exchange, _parts(route, url))
    if exchange.code != "AuthorizationFailed":
        # Everywhere: what is linked to an account may lie in another subscription.
        stage.grant("Owner", "/")
    token = _token(stage, exchange)
    body = exchange.sent_body
    prepare = PREPARE.get(route.operation)
    if exchange.status in _OUTAGES and exchange.code != "SubscriptionRequestsThrottled":
        stage.fault("arm", exchange)
    elif prepare is not None and token is not None and exchange.code not in _BEFORE_STATE:
        body = prepare(stage, exchange, token)
    if exchange.code == "LinkedAuthorizationFailed":
        stage.change(lambda world: world.role_assignments.clear())
        stage.grant("Storage Account Contributor", "/")
    if exchange.code not in {"NoRegisteredProviderFound", "MissingApiVersionParameter"}:
        url = with_version(url, nearest(exchange.query.get("api-version", route.versions[-1]), route.versions))
    return stage.ask(route.method, url, token=token, body=body)


def _find(exchange: Exchange) -> tuple[Route, str]:
    """The operation that is repeated and its address."""
    url = SYSTEM_TOPIC.sub(ON_VAULT, exchange.url)
    route = _route(exchange.method, url.removeprefix(_ARM).partition("?")[0])
    by_front_door = (
        exchange.code in _FRONT_DOOR or exchange.status in _OUTAGES or "x-ms-failure-cause" in exchange.headers
    )
    if route is None and by_front_door and exchange.status >= 400:
        method = exchange.method if exchange.method in {"GET", "PUT", "PATCH"} else "PATCH"
        url, route = _STAND_IN, _route(method, str(STAND_IN))
    if route is None:
        place = template(Service.ARM, exchange.url).lower()
        found = (name for pattern, name in _ELSEWHERE if re.fullmatch(pattern, place))
        raise NotCovered(next(found, "other providers"))
    return route, url


def _own_subscription(stage: Stage, exchange: Exchange, parts: dict[str, str]) -> None:
    """The subscription and group of the path, unless they are what is missing, and its throttling."""
    subscription = parts.get("subscription", TENANT)

    def own(world: World) -> None:
        if exchange.code != "SubscriptionNotFound":
            world.subscriptions[subscription] = TENANT
        if exchange.code not in {"ResourceGroupNotFound", "SubscriptionNotFound"} and "group" in parts:
            world.resource_groups.add(f"/subscriptions/{subscription}/resourceGroups/{parts['group']}".casefold())
        if exchange.code == "SubscriptionRequestsThrottled":
            world.arm_throttling.read_bucket = world.arm_throttling.write_bucket = 0
            world.arm_throttling.sends_retry_after = "retry-after" in exchange.headers

    stage.change(own)


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
