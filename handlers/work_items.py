"""The queue triggers: perform work items, and set aside for a person what failed again and again.

A raise makes the message visible again; after the host's last attempt it goes to the poison queue.
"""

import logging

import azure.functions as func

from shared.bootstrap import get_bundle
from shared.services import attention, work
from shared.services.work_codec import parse_work_item
from shared.telemetry import Event, log_event, request

STORAGE = "AzureWebJobsStorage"

blueprint = func.Blueprint()


@blueprint.function_name("work_items")
@blueprint.queue_trigger(arg_name="message", queue_name="work-items", connection=STORAGE)
async def work_items(message: func.QueueMessage) -> None:
    """Perform one work item."""
    item = parse_work_item(message.get_body().decode())
    with request(item.origin.request_id):
        try:
            await work.perform(get_bundle(), item)
        except Exception as error:
            # The boundary of the process: the log learns which item it was, and the host repeats it.
            log_event(Event.WORK_FAILED, level=logging.ERROR, error=error, work_item=item.id, kind=item.kind.value)
            raise
        log_event(Event.WORK_DONE, work_item=item.id, kind=item.kind.value)


@blueprint.function_name("work_items_poison")
@blueprint.queue_trigger(arg_name="message", queue_name="work-items-poison", connection=STORAGE)
async def work_items_poison(message: func.QueueMessage) -> None:
    """Mark the object that a poisoned work item names, or keep the message, so that nothing is lost."""
    text, message_id = message.get_body().decode(errors="backslashreplace"), message.id or ""
    log_event(Event.WORK_POISONED, level=logging.ERROR, message_id=message_id, text=text)
    await attention.set_aside(get_bundle(), text, message_id=message_id)
