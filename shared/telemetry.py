"""Structured log events: every line has a name from `Event` and fields, and goes to the standard logging module.

The request id travels in a context variable, so that each line of a request or work item carries it. Fields
are shown by `repr`, where secrets redact themselves; tokens, assertions and key material are never passed in.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import Any, Final

LOGGER: Final = logging.getLogger("crosskey")
LONGEST_FIELD: Final = 2000

_request_id: ContextVar[str] = ContextVar("crosskey_request_id", default="")


class Event(StrEnum):
    """Names of log events; `SENTENCES` explains each."""

    REQUEST_HANDLED = "RequestHandled"
    REQUEST_FAILED = "RequestFailed"
    SETTINGS_INVALID = "SettingsInvalid"
    WORK_STARTED = "WorkStarted"
    WORK_DONE = "WorkDone"
    WORK_OBSOLETE = "WorkObsolete"
    WORK_POSTPONED = "WorkPostponed"
    WORK_FAILED = "WorkFailed"
    WORK_POISONED = "WorkPoisoned"
    KEY_EVENT_RECEIVED = "KeyEventReceived"
    KEY_EVENT_IGNORED = "KeyEventIgnored"
    WEBHOOK_VALIDATED = "WebhookValidated"
    WEBHOOK_UNSUBSCRIBED = "WebhookUnsubscribed"
    COMMITTED = "Committed"
    ANNOUNCED = "Announced"
    STALE_WRITE = "StaleWrite"
    CUSTOMER_UNREADABLE = "CustomerUnreadable"
    KEY_UNCHECKED = "KeyUnchecked"
    RESOURCE_UNOBSERVED = "ResourceUnobserved"
    CLAIM_REMOVED = "ClaimRemoved"
    SUBSCRIPTION_UNLISTED = "SubscriptionUnlisted"
    SWEEP_STARTED = "SweepStarted"
    SWEEP_RANGE_DONE = "SweepRangeDone"
    ACCOUNT_UPDATED = "AccountUpdated"


SENTENCES: Final[dict[Event, str]] = {
    Event.REQUEST_HANDLED: "An HTTP request was answered.",
    Event.REQUEST_FAILED: "An HTTP request ended in an error of CrossKey or of a dependency.",
    Event.SETTINGS_INVALID: "Settings are missing or malformed; all of them are named.",
    Event.WORK_STARTED: "A work item is being performed.",
    Event.WORK_DONE: "A work item was performed.",
    Event.WORK_OBSOLETE: "A work item is left: its object was removed meanwhile, or others or the sweep see to it.",
    Event.WORK_POSTPONED: "A work item has to wait; its successor was queued with a delay.",
    Event.WORK_FAILED: "A work item ended in the unexpected and goes back to the queue.",
    Event.WORK_POISONED: "A work item failed repeatedly and was set aside for a person.",
    Event.KEY_EVENT_RECEIVED: "A Key Vault event named a key that is registered; a look at it was queued.",
    Event.KEY_EVENT_IGNORED: "Key Vault events had no effect: malformed, of an unknown type, or of no key that counts.",
    Event.WEBHOOK_VALIDATED: "Event Grid's handshake for a new event subscription was answered.",
    Event.WEBHOOK_UNSUBSCRIBED: "Event Grid says that an event subscription was deleted.",
    Event.COMMITTED: "A row and its entry were committed.",
    Event.ANNOUNCED: "Timeline entries were published to the topic.",
    Event.STALE_WRITE: "A race for a row was lost; the work starts again from reading.",
    Event.CUSTOMER_UNREADABLE: "A row of a customer could not be read, so the sweep passed the customer over.",
    Event.KEY_UNCHECKED: "A key could not be checked during a sweep; the next one tries again.",
    Event.RESOURCE_UNOBSERVED: "A resource could not be compared during a sweep; the next one tries again.",
    Event.CLAIM_REMOVED: "A claim whose row never came was removed.",
    Event.SUBSCRIPTION_UNLISTED: "A subscription's accounts could not be listed; the next sweep tries again.",
    Event.SWEEP_STARTED: "A sweep was queued, range by range.",
    Event.SWEEP_RANGE_DONE: "A range of customers was swept.",
    Event.ACCOUNT_UPDATED: "Resource Manager accepted an update of a storage account.",
}


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Put the request id on every log line inside the block."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def quieten_libraries() -> None:
    """Leave the Azure SDKs' request logs out: a line for each call and direction would bury our own events."""
    logging.getLogger("azure").setLevel(logging.WARNING)


def current_request_id() -> str:
    """The request id of this context; empty outside of any."""
    return _request_id.get()


def log_event(name: Event, /, *, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    """Write one event. `error` adds its traceback."""
    if not LOGGER.isEnabledFor(level):
        return
    shown: dict[str, Any] = {"event": str(name)}
    if request_id := _request_id.get():
        shown["request_id"] = request_id
    shown.update({key: _show(value) for key, value in fields.items() if value is not None})
    LOGGER.log(
        level,
        "%s",
        json.dumps(shown, ensure_ascii=False),
        exc_info=error,
        extra={"crosskey": shown},
    )


def _show(value: Any) -> Any:
    if type(value) in (bool, int, float):
        return value
    # Only plain text is shown as it is: a secret is a kind of text whose `repr` hides it.
    text = value if type(value) is str else str(value) if isinstance(value, StrEnum) else repr(value)
    return text[:LONGEST_FIELD]
