"""Operations: what somebody asked for, and how far it is. Progress is derived from the resource, the end is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.bundle import Bundle
from shared.domain.entries import Origin, Record
from shared.domain.model import Operation, OperationKind, Resource, ResourceState
from shared.errors import NotFound, StaleWrite
from shared.services.commits import commit
from shared.services.lookups import find_customer
from shared.stores import Stored

NOT_STARTED = "NotStarted"
RUNNING = "Running"
SUCCEEDED = "Succeeded"
FAILED = "Failed"

_PROGRESS = {NOT_STARTED: 0, RUNNING: 50, SUCCEEDED: 100, FAILED: 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationView:
    """An operation with its derived progress."""

    operation: Operation
    status: str
    percent_complete: int
    error_code: str | None
    error_message: str | None


async def begin_operation(
    bundle: Bundle, customer_id: str, kind: OperationKind, target: str, *, origin: Origin
) -> Operation:
    """Write an operation down before the wish it stands for."""
    operation = Operation(
        customer_id=customer_id,
        operation_id=bundle.randomness.new_id(),
        kind=kind,
        target=target,
        created_at=bundle.clock.now(),
    )
    data = {"operation": operation.operation_id, "kind": kind.value, "target": target}
    await commit(bundle, operation, Record.OPERATION_REQUESTED, data, previous=None, origin=origin, wakes=False)
    return operation


async def get_operation(bundle: Bundle, customer_id: str, operation_id: str) -> OperationView:
    """Read an operation. Raises `NotFound`."""
    stored = await _read(bundle, customer_id, operation_id)
    if stored is None:
        # A customer who left keeps the rows of its operations for a while; others are asked for first.
        await find_customer(bundle, customer_id)
        raise NotFound(
            f"Customer {customer_id} has no operation {operation_id}.",
            target="operationId",
            code="OperationNotFound",
        )
    operation = stored.value
    if operation.kind is OperationKind.OFFBOARD:
        return _offboarding(operation, await bundle.state.read_resources(customer_id))
    resource = await bundle.state.read_resource(customer_id, operation.target.removeprefix("resource:"))
    ended = outcome(operation, None if resource is None else resource.value)
    return OperationView(
        operation=operation,
        status=ended.status,
        percent_complete=_PROGRESS[ended.status],
        error_code=ended.error_code,
        error_message=ended.error_message,
    )


def _offboarding(operation: Operation, resources: Sequence[Stored[Resource]]) -> OperationView:
    """Progress of an offboarding is counted: resources that no longer depend on the customer's keys."""
    live = sum(stored.value.is_live for stored in resources)
    percent = 100 if operation.succeeded else 99 * (len(resources) - live) // max(len(resources), 1)
    status = SUCCEEDED if operation.succeeded else RUNNING
    return OperationView(
        operation=operation, status=status, percent_complete=percent, error_code=None, error_message=None
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an operation stands."""

    status: str
    error_code: str | None = None
    error_message: str | None = None


def outcome(operation: Operation, resource: Resource | None) -> Outcome:
    """Derive where an operation stands from its row and its resource's. Pure."""
    if operation.succeeded is not None:
        status = SUCCEEDED if operation.succeeded else FAILED
        return Outcome(status, operation.error_code, operation.error_message)
    if resource is None:
        return Outcome(NOT_STARTED)
    if resource.operation_id != operation.operation_id:
        return Outcome(FAILED, "OperationSuperseded", f"Operation {resource.operation_id} took its place.")
    done = ResourceState.PROTECTED if operation.kind is OperationKind.PROTECT else ResourceState.RELEASED
    if resource.state in (done, ResourceState.DRIFTED) and resource.state is not ResourceState.RELEASING:
        return (
            Outcome(SUCCEEDED)
            if operation.kind is OperationKind.PROTECT or resource.state is done
            else Outcome(RUNNING)
        )
    if resource.state in (ResourceState.FAILED, ResourceState.GONE, ResourceState.STRANDED):
        finding = resource.findings[0] if resource.findings else None
        code = finding.reason.value if finding else resource.state.value
        return Outcome(FAILED, code, finding.message if finding else None)
    return Outcome(NOT_STARTED if resource.state is ResourceState.PENDING else RUNNING)


async def finish_operation(bundle: Bundle, resource: Resource, *, origin: Origin) -> None:
    """Store the end of the resource's operation, once. A lost race means that somebody else did."""
    if resource.operation_id is None:
        return
    stored = await _read(bundle, resource.customer_id, resource.operation_id)
    if stored is None or stored.value.succeeded is not None:
        return
    end = outcome(stored.value, resource)
    if end.status not in (SUCCEEDED, FAILED):
        return
    await _store_end(bundle, stored, end, origin=origin)


async def store_end(bundle: Bundle, customer_id: str, operation_id: str, *, succeeded: bool, origin: Origin) -> None:
    """Store the end of an operation that concerns no single resource, once."""
    stored = await _read(bundle, customer_id, operation_id)
    if stored is not None and stored.value.succeeded is None:
        await _store_end(bundle, stored, Outcome(SUCCEEDED if succeeded else FAILED), origin=origin)


async def supersede_operation(bundle: Bundle, resource: Resource, *, origin: Origin) -> None:
    """End the resource's present operation because another wish takes its place."""
    if resource.operation_id is None:
        return
    stored = await _read(bundle, resource.customer_id, resource.operation_id)
    if stored is None or stored.value.succeeded is not None:
        return
    end = outcome(stored.value, resource)
    if end.status not in (SUCCEEDED, FAILED):
        end = Outcome(FAILED, "OperationSuperseded", "Another request took its place.")
    await _store_end(bundle, stored, end, origin=origin)


async def _read(bundle: Bundle, customer_id: str, operation_id: str) -> Stored[Operation] | None:
    return await bundle.state.read_operation(customer_id, operation_id)


async def _store_end(bundle: Bundle, stored: Stored[Operation], end: Outcome, *, origin: Origin) -> None:
    finished = replace(
        stored.value,
        finished_at=bundle.clock.now(),
        succeeded=end.status == SUCCEEDED,
        error_code=end.error_code,
        error_message=end.error_message,
    )
    data = {"operation": finished.operation_id, "status": end.status, "error": end.error_code}
    try:
        await commit(bundle, finished, Record.OPERATION_FINISHED, data, previous=stored, origin=origin)
    except StaleWrite:
        return
