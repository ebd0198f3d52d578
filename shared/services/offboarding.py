"""Offboarding: every resource released and verified, an evidence statement, and only then the claims freed.

The wish stands on the customer's row; each resource derives from it that it is to leave. `finish_offboarding` is asked
after every release and by the sweep, and goes through to the end once nothing depends on the keys any more. It can
die anywhere and is done again: state, then evidence, then rows, claims last.
"""

from dataclasses import replace
from typing import Any

from shared.bundle import Bundle
from shared.domain.entries import Notification, Origin, Record
from shared.domain.model import Customer, Operation, OperationKind
from shared.domain.statement import make_statement
from shared.domain.work import WorkKind
from shared.errors import BadInput, NotFound
from shared.services.commits import commit, enqueue, enqueue_all, remove, repeat_lost_races, require_match
from shared.services.drain import drain_timeline
from shared.services.lookups import find_customer
from shared.services.operations import begin_operation, store_end
from shared.stores import CustomerRows, Stored


async def offboard_customer(
    bundle: Bundle, customer_id: str, *, if_match: str | None, origin: Origin, abandon: str | None = None
) -> tuple[Stored[Customer], Operation]:
    """Ask that a customer leave; asking again answers the same operation.

    `abandon` gives the keys up: nothing is released any more, and what depends on them is said to be stranded. It must
    be the customer's id, typed once more. Raises `BadInput` when it is not.
    """
    if abandon is not None and abandon != customer_id:
        raise BadInput(
            "Type the customer's id to confirm that its keys are given up.", target="confirm", code="NotConfirmed"
        )
    operation: Operation | None = None

    async def offboard() -> tuple[Stored[Customer], Operation]:
        nonlocal operation
        stored = await find_customer(bundle, customer_id)
        require_match(stored, if_match)
        customer, now = stored.value, bundle.clock.now()
        operation = operation or await _present_operation(bundle, customer)
        if operation is None:
            operation = await begin_operation(bundle, customer_id, OperationKind.OFFBOARD, "customer", origin=origin)
        wanted = replace(
            customer,
            leaving_since=customer.leaving_since or now,
            abandoned_at=customer.abandoned_at or (None if abandon is None else now),
            operation_id=operation.operation_id,
        )
        if wanted != customer:
            entry = Record.CUSTOMER_LEAVING if abandon is None else Record.CUSTOMER_ABANDONED
            data = {"operation": operation.operation_id, "abandoned": abandon is not None}
            stored = await commit(bundle, wanted, entry, data, previous=stored, origin=origin)
        return stored, operation

    stored, begun = await repeat_lost_races(offboard, customer_id=customer_id, row="customer")
    await _queue_work(bundle, customer_id, origin=origin)
    return stored, begun


async def finish_offboarding(bundle: Bundle, customer_id: str, *, origin: Origin) -> None:
    """Go through to the end if nothing depends on the customer's keys any more.

    Concurrent calls of one process share their runs: each of many resources asks when it is released.
    """
    await bundle.drains.run(f"offboarding {customer_id}", lambda: _finish(bundle, customer_id, origin=origin))


async def _finish(bundle: Bundle, customer_id: str, *, origin: Origin) -> None:
    rows = await bundle.state.read_rows(customer_id)
    if rows.customer is None or rows.customer.value.leaving_since is None:
        return
    if any(stored.value.is_live for stored in rows.resources):
        return
    # The statement is made from the timeline, so everything must stand in it.
    await drain_timeline(bundle, customer_id)
    entries = [entry async for entry in bundle.timeline.read_entries(customer_id)]
    statement = make_statement(rows.customer.value, entries, now=bundle.clock.now())
    await bundle.timeline.write_statement(customer_id, statement)
    await _remove_rows(bundle, rows, origin=origin)
    await _end(bundle, rows.customer, statement["everyResourceReleased"], origin=origin)
    for stored in rows.keys:
        key = stored.value
        await bundle.claims.release("key", key.identifier.claim, customer_id=customer_id, row=key.row)


async def read_statement(bundle: Bundle, customer_id: str) -> dict[str, Any]:
    """Read the evidence statement, which stays when the customer has left. Raises `NotFound`."""
    statement = await bundle.timeline.read_statement(customer_id)
    if statement is None:
        raise NotFound(
            f"There is no evidence statement of {customer_id}; it is made when the customer has left.",
            target="customerId",
            code="StatementNotFound",
        )
    return statement


async def _present_operation(bundle: Bundle, customer: Customer) -> Operation | None:
    if customer.operation_id is None:
        return None
    stored = await bundle.state.read_operation(customer.customer_id, customer.operation_id)
    return None if stored is None else stored.value


async def _queue_work(bundle: Bundle, customer_id: str, *, origin: Origin) -> None:
    resources = [stored.value for stored in await bundle.state.read_resources(customer_id)]
    names = [resource.name for resource in resources if resource.is_live]
    await enqueue_all(bundle, WorkKind.RECONCILE_RESOURCE, customer_id, names, origin=origin)
    await enqueue(bundle, WorkKind.CHECK_CUSTOMER, customer_id, origin=origin)


async def _remove_rows(bundle: Bundle, rows: CustomerRows, *, origin: Origin) -> None:
    for key in rows.keys:
        data = {"key": key.value.name, "keyIdentifier": str(key.value.identifier)}
        await remove(bundle, key, Record.KEY_REMOVED, data, origin=origin)
    for resource in rows.resources:
        data = {"resource": resource.value.name, "state": resource.value.state.value}
        await remove(bundle, resource, Record.RESOURCE_REMOVED, data, origin=origin)


async def _end(bundle: Bundle, stored: Stored[Customer], released: bool, *, origin: Origin) -> None:
    customer = stored.value
    if customer.operation_id is not None:
        await store_end(bundle, customer.customer_id, customer.operation_id, succeeded=True, origin=origin)
    data = {
        "displayName": customer.display_name,
        "tenantId": customer.tenant_id,
        "everyResourceReleased": released,
        "abandoned": customer.abandoned_at is not None,
    }
    await remove(bundle, stored, Notification.CUSTOMER_OFFBOARDED, data, origin=origin)
