"""The Event Grid trigger: Key Vault says that something happened to a key; a hint that the key deserves a look.

Unknown and malformed events are counted in the log and accepted. Anything else that goes wrong is raised, so that
Event Grid delivers the event again.
"""

import azure.functions as func

from shared.bootstrap import get_bundle
from shared.domain.entries import EVENT_ACTOR, Origin
from shared.services import key_events
from shared.telemetry import request

blueprint = func.Blueprint()


@blueprint.function_name("key_vault_events")
@blueprint.event_grid_trigger(arg_name="event")
async def key_vault_events(event: func.EventGridEvent) -> None:
    """Note one event. The worker gives a `CloudEvent` here, whatever the annotation, when the event is one."""
    bundle = get_bundle()
    kind = _text(event.type if isinstance(event, func.CloudEvent) else event.event_type)
    event_id = key_events.readable_id(event.id)
    origin = Origin(request_id=bundle.randomness.new_id(), cause=f"event {event_id}", actor=EVENT_ACTOR)
    with request(origin.request_id):
        await key_events.note_key_event(bundle, kind, event.get_json(), event_id=event_id, origin=origin)


def _text(value: object) -> str:
    # An event from anywhere may lack its type, or have a number there.
    return value if isinstance(value, str) else ""
