"""Wishes for a resource, read from a request: what it may ask, and what it changes of a registration that exists."""

from dataclasses import replace

from shared.bundle import Bundle
from shared.domain.identifiers import StorageAccountId
from shared.domain.model import Customer, DriftPolicy, Resource
from shared.domain.resource_details import EncryptionIdentity, NewAccount
from shared.errors import BadInput, Conflict, NotFound
from shared.services.lookups import find_customer, find_key, parse_name, parse_resource_id


async def parse_wish(
    bundle: Bundle,
    customer_id: str,
    name: str,
    *,
    resource_id: str,
    key: str,
    drift_policy: str,
    identity: str,
    create: NewAccount | None,
) -> Resource:
    """Read a wish as the row it would become. Raises `BadInput`, and `Conflict` for a customer that is leaving."""
    name = parse_name(name, "resourceName")
    account = parse_resource_id(resource_id)
    _require_own_subscription(bundle, account)
    if drift_policy not in set(DriftPolicy):
        raise BadInput("driftPolicy must be repair or report.", target="driftPolicy", code="DriftPolicyUnknown")
    if identity not in set(EncryptionIdentity):
        raise BadInput(
            "identity must be userAssigned or systemAssigned.", target="identity", code="EncryptionIdentityUnknown"
        )
    key = parse_name(key, "key")
    customer = (await find_customer(bundle, customer_id)).value
    _check_identity(bundle, customer, EncryptionIdentity(identity), create)
    if customer.leaving_since is not None:
        raise Conflict("The customer is being offboarded.", target="customerId", code="CustomerLeaving")
    try:
        await find_key(bundle, customer_id, key)
    except NotFound as error:
        raise BadInput(f"Customer {customer_id} has no key {key}.", target="key", code="KeyNotRegistered") from error
    return Resource(
        customer_id=customer_id,
        name=name,
        resource_id=account,
        key=key,
        registered_at=bundle.clock.now(),
        drift_policy=DriftPolicy(drift_policy),
        identity=EncryptionIdentity(identity),
        create=create,
    )


def with_wish(present: Resource, wish: Resource) -> Resource:
    """The registration with what the wish changes of it. Raises `Conflict` for what cannot be changed any more."""
    if present.resource_id.claim != wish.resource_id.claim or present.key != wish.key:
        raise Conflict(
            "A registered resource keeps its resourceId and key; release it first.", target="key", code="ResourceFixed"
        )
    create = wish.create
    if present.observed is not None or (present.creation is not None and present.creation.poll_url is not None):
        if create not in (None, present.create):
            raise Conflict(
                "The account is there already or being made, so `create` cannot be changed; leave it out.",
                target="create",
                code="ResourceCreated",
            )
        create = present.create
    return replace(present, drift_policy=wish.drift_policy, identity=wish.identity, create=create, releasing_since=None)


def asks_for_work(present: Resource, wanted: Resource) -> bool:
    """Whether a changed registration is another wish to Azure, which gets an operation of its own."""
    return (present.identity, present.create) != (wanted.identity, wanted.create)


def _check_identity(
    bundle: Bundle, customer: Customer, identity: EncryptionIdentity, create: NewAccount | None
) -> None:
    if identity is not EncryptionIdentity.SYSTEM_ASSIGNED:
        return
    if customer.tenant_id != bundle.settings.provider_tenant_id:
        raise BadInput(
            "A system-assigned identity reaches no vault of another tenant; leave out identity, or say userAssigned.",
            target="identity",
            code="SystemIdentityAcrossTenants",
        )
    if create is not None:
        raise BadInput(
            "A new account has no system-assigned identity to use the key from the start; say userAssigned.",
            target="identity",
            code="SystemIdentityForNewAccount",
        )


def _require_own_subscription(bundle: Bundle, account: StorageAccountId) -> None:
    if account.subscription_id not in bundle.settings.subscriptions:
        raise BadInput(
            f"Subscription {account.subscription_id} is not one of the provider's (CROSSKEY_SUBSCRIPTIONS).",
            target="resourceId",
            code="SubscriptionNotAllowed",
        )
