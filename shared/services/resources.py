"""Resources: asking that a storage account be protected with a key, or released from it; and the plan of either."""

from dataclasses import dataclass, replace
from typing import Any

from shared.bundle import Bundle
from shared.domain.desired import Desired, Leave, Protect, Strand, Wait, derive_desired
from shared.domain.entries import Origin, Record
from shared.domain.findings import Finding
from shared.domain.model import Customer, Key, Operation, OperationKind, Resource, ResourceState
from shared.domain.resource_details import EncryptionIdentity, NewAccount
from shared.domain.storage_plan import decide_account
from shared.domain.storage_situation import Situation
from shared.domain.work import WorkKind
from shared.errors import Conflict
from shared.services.commits import commit, enqueue, repeat_lost_races, require_match
from shared.services.customers import pool_application
from shared.services.lookups import find_customer, find_resource
from shared.services.operations import begin_operation, supersede_operation
from shared.services.resource_wishes import asks_for_work, parse_wish, with_wish
from shared.stores import Claim, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """A resource with what it should be."""

    resource: Stored[Resource]
    desired: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePlan:
    """What would be sent to Resource Manager now, and what stands in the way."""

    steps: list[dict[str, Any]]
    findings: list[Finding]


async def put_resource(
    bundle: Bundle,
    customer_id: str,
    name: str,
    *,
    resource_id: str,
    key: str,
    drift_policy: str,
    identity: str = EncryptionIdentity.USER_ASSIGNED,
    create: NewAccount | None = None,
    if_match: str | None,
    origin: Origin,
) -> tuple[Stored[Resource], Operation | None]:
    """Ask that a resource be protected, and made with `create` where there is none: claim, then state.

    The same wish again answers the operation that stands for it and writes nothing. A released resource may be
    protected again. Raises `Conflict` when another registration holds the resource.
    """
    wish = await parse_wish(
        bundle,
        customer_id,
        name,
        resource_id=resource_id,
        key=key,
        drift_policy=drift_policy,
        identity=identity,
        create=create,
    )
    begin = _Beginning(bundle, wish, OperationKind.PROTECT, origin)

    async def put() -> tuple[Stored[Resource], Operation | None]:
        stored = await bundle.state.read_resource(customer_id, wish.name)
        require_match(stored, if_match)
        if stored is not None and stored.value.is_live:
            return await _change_live(bundle, stored, wish, begin, origin=origin)
        await _claim(bundle, wish)
        operation = await begin.operation()
        registered = replace(wish, operation_id=operation.operation_id)
        data = _data(registered)
        stored = await commit(bundle, registered, Record.RESOURCE_REGISTERED, data, previous=stored, origin=origin)
        await enqueue(bundle, WorkKind.RECONCILE_RESOURCE, customer_id, wish.name, origin=origin)
        return stored, operation

    return await repeat_lost_races(put, customer_id=customer_id, row=wish.row)


class _Beginning:
    """The operation of one request: written down when first needed, and once however often a race is lost."""

    def __init__(self, bundle: Bundle, resource: Resource, kind: OperationKind, origin: Origin) -> None:
        self._arguments = (bundle, resource.customer_id, kind, resource.row)
        self._origin = origin
        self._operation: Operation | None = None

    async def operation(self) -> Operation:
        if self._operation is None:
            self._operation = await begin_operation(*self._arguments, origin=self._origin)
        return self._operation


async def _change_live(
    bundle: Bundle, stored: Stored[Resource], wish: Resource, begin: _Beginning, *, origin: Origin
) -> tuple[Stored[Resource], Operation | None]:
    """PUT over a resource that is still protected, or on its way there or back."""
    present = stored.value
    wanted = with_wish(present, wish)
    if wanted == present:
        return stored, await _operation_of(bundle, present)
    operation = await _operation_of(bundle, present)
    if present.releasing_since is not None or asks_for_work(present, wanted):
        operation = await begin.operation()
        wanted = replace(
            wanted,
            operation_id=operation.operation_id,
            state=ResourceState.PENDING,
            refusals=0,
            queued_until=None,
        )
    stored = await commit(bundle, wanted, Record.RESOURCE_CHANGED, _data(wanted), previous=stored, origin=origin)
    if wanted.operation_id != present.operation_id:
        await supersede_operation(bundle, present, origin=origin)
    await enqueue(bundle, WorkKind.RECONCILE_RESOURCE, wanted.customer_id, wanted.name, origin=origin)
    return stored, operation


async def release_resource(
    bundle: Bundle, customer_id: str, name: str, *, if_match: str | None, origin: Origin
) -> tuple[Stored[Resource], Operation | None]:
    """Ask that a resource go back to Microsoft-managed keys. Asking again answers the same operation."""
    await find_customer(bundle, customer_id)
    named = (await find_resource(bundle, customer_id, name)).value
    begin = _Beginning(bundle, named, OperationKind.RELEASE, origin)

    async def release() -> tuple[Stored[Resource], Operation | None]:
        stored = await find_resource(bundle, customer_id, name)
        require_match(stored, if_match)
        resource = stored.value
        if resource.releasing_since is not None or not resource.is_live:
            return stored, await _operation_of(bundle, resource)
        operation = await begin.operation()
        releasing = replace(
            resource,
            releasing_since=bundle.clock.now(),
            state=ResourceState.RELEASING,
            operation_id=operation.operation_id,
            findings=(),
            # Another wish: what was refused before says nothing about it.
            refusals=0,
            queued_until=None,
        )
        stored = await commit(
            bundle, releasing, Record.RESOURCE_RELEASING, _data(releasing), previous=stored, origin=origin
        )
        await supersede_operation(bundle, resource, origin=origin)
        await enqueue(bundle, WorkKind.RECONCILE_RESOURCE, customer_id, resource.name, origin=origin)
        return stored, operation

    return await repeat_lost_races(release, customer_id=customer_id, row=f"resource:{name}")


async def plan_resource(
    bundle: Bundle,
    customer_id: str,
    name: str,
    *,
    resource_id: str,
    key: str,
    drift_policy: str,
    identity: str = EncryptionIdentity.USER_ASSIGNED,
    create: NewAccount | None = None,
) -> ResourcePlan:
    """Show the next request that would be sent, exactly; changes nothing."""
    wish = await parse_wish(
        bundle,
        customer_id,
        name,
        resource_id=resource_id,
        key=key,
        drift_policy=drift_policy,
        identity=identity,
        create=create,
    )
    customer = (await find_customer(bundle, customer_id)).value
    stored = await bundle.state.read_resource(customer_id, wish.name)
    resource = wish
    if stored is not None and stored.value.is_live:
        resource = with_wish(stored.value, wish)
        if asks_for_work(stored.value, resource):
            resource = replace(resource, state=ResourceState.PENDING)
    claim = await bundle.claims.find("resource", wish.resource_id.claim)
    if claim is not None and (claim.customer_id, claim.row) != (wish.customer_id, wish.row):
        raise _claimed()
    desired = await desired_of(bundle, customer, resource)
    seen = await bundle.accounts.read(resource.resource_id)
    plan = decide_account(Situation(resource=resource, desired=desired, seen=seen, now=bundle.clock.now()))
    steps = []
    if plan.update is not None and seen is not None:
        steps.append(bundle.accounts.describe(resource.resource_id, plan.update, present=seen))
    if plan.create is not None:
        steps.append(bundle.accounts.describe_creation(resource.resource_id, plan.create))
    return ResourcePlan(steps=steps, findings=list(plan.resource.findings))


async def get_resource(bundle: Bundle, customer_id: str, name: str) -> ResourceView:
    """Read a resource with its derived desired state. Raises `NotFound`."""
    customer = (await find_customer(bundle, customer_id)).value
    stored = await find_resource(bundle, customer_id, name)
    return ResourceView(resource=stored, desired=_show(await desired_of(bundle, customer, stored.value)))


async def request_reconcile(bundle: Bundle, customer_id: str, name: str, *, origin: Origin) -> None:
    """Queue a look at a resource now."""
    await find_customer(bundle, customer_id)
    stored = await find_resource(bundle, customer_id, name)
    await enqueue(bundle, WorkKind.RECONCILE_RESOURCE, customer_id, stored.value.name, origin=origin)


async def desired_of(
    bundle: Bundle, customer: Customer, resource: Resource, *, key: Stored[Key] | None = None
) -> Desired:
    """Derive what a resource should be from the rows as they are now."""
    stored = key or await bundle.state.read_key(customer.customer_id, resource.key)
    return derive_desired(
        customer,
        None if stored is None else stored.value,
        resource,
        identity=pool_application(bundle, customer).identity_resource_id,
        provider_tenant_id=bundle.settings.provider_tenant_id,
    )


async def _claim(bundle: Bundle, wish: Resource) -> None:
    wanted = Claim(
        kind="resource",
        identifier=wish.resource_id.claim,
        customer_id=wish.customer_id,
        row=wish.row,
        claimed_at=bundle.clock.now(),
    )
    held = await bundle.claims.claim(wanted)
    if (held.customer_id, held.row) != (wanted.customer_id, wanted.row):
        raise _claimed()


def _claimed() -> Conflict:
    return Conflict("This resource is already in use.", target="resourceId", code="ResourceClaimed")


async def _operation_of(bundle: Bundle, resource: Resource) -> Operation | None:
    if resource.operation_id is None:
        return None
    stored = await bundle.state.read_operation(resource.customer_id, resource.operation_id)
    return None if stored is None else stored.value


def _show(desired: Desired) -> dict[str, Any]:
    match desired:
        case Leave():
            return {"keySource": "Microsoft.Storage"}
        case Strand():
            return {"givenUp": True}
        case Wait(finding):
            return {"waitsFor": finding.reason.value}
        case Protect():
            return {
                "keySource": "Microsoft.Keyvault",
                "keyIdentifier": str(desired.key),
                "version": desired.version,
                "followsLatest": desired.follows_latest,
                "ready": desired.ready,
            }


def _data(resource: Resource) -> dict[str, Any]:
    return {
        "resource": resource.name,
        "resourceId": str(resource.resource_id),
        "key": resource.key,
        "driftPolicy": resource.drift_policy.value,
        "identity": resource.identity.value,
        "creates": resource.create is not None,
        "operation": resource.operation_id,
    }
