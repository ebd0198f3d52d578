"""Control of the machinery: the clock, faults, the record of calls, the Functions host, and a fresh start."""

import uuid
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from local.app import FunctionsHost
from local.control.context import Local
from local.control.models import ClockChange, ClockState, FaultSpec, FaultState, HostState
from local.edge.faults import Fault
from local.run import LocalWorld

router = APIRouter(tags=["machinery"])


def _clock_state(local: LocalWorld) -> ClockState:
    return ClockState(now=local.clock.now(), offset_seconds=local.clock.offset.total_seconds())


def _functions_host(local: LocalWorld) -> FunctionsHost:
    if local.functions_host is None:
        raise HTTPException(409, "This world was started without a Functions host.")
    return local.functions_host


def _host_state(local: LocalWorld) -> HostState:
    host = local.functions_host
    return HostState(
        running=host is not None and host.child.running,
        process_id=host.child.process_id if host is not None else None,
        url=host.url if host is not None else None,
    )


@router.get("/clock")
async def read_clock(local: Local) -> ClockState:
    """World time."""
    return _clock_state(local)


@router.post("/clock")
async def advance_clock(local: Local, change: ClockChange) -> ClockState:
    """Move world time forward; answers when Azurite and the Functions host follow."""
    await local.advance(timedelta(seconds=change.advance_seconds))
    return _clock_state(local)


@router.post("/faults", status_code=201)
async def add_fault(local: Local, spec: FaultSpec) -> FaultState:
    """Inject a fault."""
    fault = make_fault(spec)
    local.edge.faults.add(fault)
    return _state(fault)


@router.get("/faults")
async def list_faults(local: Local) -> list[FaultState]:
    """The faults in force, used-up ones included."""
    return [_state(fault) for fault in local.edge.faults.in_force()]


@router.delete("/faults", status_code=204)
async def clear_faults(local: Local) -> None:
    """Remove all faults."""
    local.edge.faults.clear()


@router.delete("/faults/{identifier}", status_code=204)
async def remove_fault(local: Local, identifier: str) -> None:
    """Remove one fault."""
    if not local.edge.faults.remove(identifier):
        raise HTTPException(404, f"There is no fault {identifier}.")


@router.get("/calls")
async def list_calls(
    local: Local, after: Annotated[int, Query(ge=0)] = 0, service: str | None = None, operation: str | None = None
) -> list[dict[str, Any]]:
    """The calls that services and the proxy received, in order; `after` is a sequence number."""
    return [call.document() for call in local.edge.record.calls(after=after, service=service, operation=operation)]


@router.delete("/calls", status_code=204)
async def forget_calls(local: Local) -> None:
    """Forget all calls; the sequence goes on."""
    local.edge.record.clear()


@router.get("/host")
async def read_host(local: Local) -> HostState:
    """The Functions host's state."""
    return _host_state(local)


@router.post("/host/kill")
async def kill_host(local: Local) -> HostState:
    """End the Functions host at once, as a crash would."""
    await _functions_host(local).kill()
    return _host_state(local)


@router.post("/host/start")
async def start_host(local: Local) -> HostState:
    """Start the Functions host if it does not run; answers when it is ready."""
    await _functions_host(local).start()
    return _host_state(local)


@router.post("/host/restart")
async def restart_host(local: Local) -> HostState:
    """Stop the Functions host in good order and start it again."""
    await _functions_host(local).stop()
    await _functions_host(local).start()
    return _host_state(local)


@router.post("/reset", status_code=204)
async def reset(local: Local) -> None:
    """Return to the first state. Azurite keeps its data."""
    await local.reset()


def make_fault(spec: FaultSpec) -> Fault:
    """Make the fault that a body describes; a code without a body becomes an error document."""
    body = spec.body
    if body is None and spec.code is not None:
        is_entra = spec.service == "entra"
        body = (
            {"error": spec.code, "error_description": spec.message}
            if is_entra
            else {"error": {"code": spec.code, "message": spec.message}}
        )
    return Fault(
        identifier=uuid.uuid4().hex[:12],
        kind=spec.kind,
        service=spec.service,
        operation=spec.operation,
        host=spec.host,
        when=spec.when,
        latency_seconds=spec.latency_seconds,
        status=spec.status,
        body=body,
        headers=dict(spec.headers),
        remaining=spec.times,
        probability=spec.probability,
    )


def _state(fault: Fault) -> FaultState:
    return FaultState(
        id=fault.identifier,
        kind=fault.kind,
        service=fault.service,
        operation=fault.operation,
        host=fault.host,
        when=fault.when,
        latency_seconds=fault.latency_seconds,
        status=fault.status,
        body=fault.body,
        headers=fault.headers,
        probability=fault.probability,
        remaining=fault.remaining,
        struck=fault.struck,
    )
