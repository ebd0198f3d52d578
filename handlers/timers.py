"""The timer: starts a sweep, the floor under every lost event."""

import azure.functions as func

from shared.bootstrap import get_bundle
from shared.domain.entries import SWEEP_CAUSE, Origin
from shared.services.sweep import start_sweep
from shared.telemetry import Event, log_event, request

blueprint = func.Blueprint()


@blueprint.function_name("sweep")
@blueprint.timer_trigger(arg_name="timer", schedule="%CROSSKEY_SWEEP_SCHEDULE%")
async def sweep(timer: func.TimerRequest) -> None:
    """Queue one look at every range of the state table."""
    bundle = get_bundle()
    cause = f"{SWEEP_CAUSE}, past due" if timer.past_due else SWEEP_CAUSE
    origin = Origin(request_id=bundle.randomness.new_id(), cause=cause)
    with request(origin.request_id):
        await start_sweep(bundle, origin=origin)
        log_event(Event.SWEEP_STARTED, cause=cause)
