"""Performs one work item, whatever it is. What must wait succeeds after enqueuing its own successor with a delay.

Faults of Azure become delayed successors, `MAX_ATTEMPTS` at most; then the error is raised, and the host's poison
queue sets the object aside for a person. What is raised otherwise is unexpected.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from shared.bundle import Bundle
from shared.domain.limited import is_limited
from shared.domain.model import HealthState
from shared.domain.sweeping import SWEEP_INTERVAL
from shared.domain.work import MAX_ATTEMPTS, SWEPT, WorkItem, WorkKind, backoff
from shared.errors import CrossKeyError, NotFound, StaleWrite, Unavailable
from shared.services.check_key import PROPAGATION_DELAY, check_key
from shared.services.consent import confirm_consent
from shared.services.drain import DrainedElsewhere, drain_timeline
from shared.services.lookups import find_customer
from shared.services.offboarding import finish_offboarding
from shared.services.reconcile_resource import reconcile_resource
from shared.services.resource_records import WorkedElsewhere, postpone_resource
from shared.services.retire_versions import review_old_versions
from shared.services.sweep import sweep_range
from shared.telemetry import Event, log_event

SHORT_DELAY = timedelta(seconds=2)
LOOKS_AT_AN_OUTAGE = 5
ELSEWHERE = (DrainedElsewhere, WorkedElsewhere)


async def perform(bundle: Bundle, item: WorkItem) -> None:
    """Do the work, or see to it that it is done later."""
    log_event(
        Event.WORK_STARTED,
        work_item=item.id,
        kind=item.kind.value,
        customer_id=item.customer_id,
        object=item.name,
        cause=item.origin.cause,
        attempt=item.attempt,
    )
    try:
        again = await _WORK[item.kind](bundle, item)
    except NotFound:
        # The object was removed after the item was queued: there is nothing left to look at.
        log_event(Event.WORK_OBSOLETE, work_item=item.id, customer_id=item.customer_id, object=item.name)
        return
    except CrossKeyError as error:
        await _later(bundle, item, error)
        return
    if again is not None and item.attempt + 1 < MAX_ATTEMPTS:
        await bundle.queue.enqueue(item.successor(), delay=max(again, timedelta(seconds=1)))


async def _later(bundle: Bundle, item: WorkItem, error: CrossKeyError) -> None:
    if item.attempt + 1 >= MAX_ATTEMPTS:
        if isinstance(error, ELSEWHERE):
            # Others are at it all the time, so nothing is stuck; the sweep looks again when they are done.
            log_event(Event.WORK_OBSOLETE, work_item=item.id, customer_id=item.customer_id, code=error.code)
            return
        raise error
    if item.kind is WorkKind.DRAIN_TIMELINE and item.name == SWEPT:
        # Otherwise each sweep of a long outage would add another chain of them.
        log_event(Event.WORK_OBSOLETE, work_item=item.id, customer_id=item.customer_id, code=error.code)
        return
    delay = backoff(item.attempt, _asked_for(item, error))
    log_event(
        Event.WORK_POSTPONED,
        work_item=item.id,
        kind=item.kind.value,
        customer_id=item.customer_id,
        object=item.name,
        code=error.code,
        message=error.message,
        delay_seconds=delay.total_seconds(),
    )
    await bundle.queue.enqueue(item.successor(), delay=delay)
    if item.kind is WorkKind.RECONCILE_RESOURCE and delay >= SWEEP_INTERVAL:
        until = bundle.clock.now() + delay
        # The successor is on its way; raising now would only queue another one.
        with suppress(CrossKeyError):
            await postpone_resource(bundle, item.customer_id, item.name, until, origin=item.origin)


def _asked_for(item: WorkItem, error: CrossKeyError) -> timedelta | None:
    match error:
        case Unavailable():
            return error.retry_after
        case WorkedElsewhere():
            return min(SHORT_DELAY * (1 << item.attempt), error.ends_in + timedelta(seconds=1))
        case StaleWrite() | DrainedElsewhere():
            return SHORT_DELAY * (item.attempt + 1)
        case _:
            return None


async def _check_customer(bundle: Bundle, item: WorkItem) -> timedelta | None:
    customer = (await find_customer(bundle, item.customer_id)).value
    if customer.leaving_since is None:
        await confirm_consent(bundle, item.customer_id, origin=item.origin)
    else:
        await finish_offboarding(bundle, item.customer_id, origin=item.origin)
    return None


async def _check_key(bundle: Bundle, item: WorkItem) -> timedelta | None:
    checked = await check_key(bundle, item.customer_id, item.name, origin=item.origin)
    await review_old_versions(bundle, item.customer_id, item.name, origin=item.origin)
    if checked.waits_for_role:
        return PROPAGATION_DELAY
    # What woke us is not forgotten because the vault did not answer just now; later the sweep takes over.
    key = checked.key.value
    unseen = key.health.state is HealthState.UNOBSERVABLE and not is_limited(key)
    return backoff(item.attempt) if unseen and item.attempt < LOOKS_AT_AN_OUTAGE else None


async def _reconcile(bundle: Bundle, item: WorkItem) -> timedelta | None:
    return await reconcile_resource(bundle, item.customer_id, item.name, origin=item.origin)


async def _drain(bundle: Bundle, item: WorkItem) -> timedelta | None:
    await drain_timeline(bundle, item.customer_id)
    return None


async def _sweep(bundle: Bundle, item: WorkItem) -> timedelta | None:
    await sweep_range(bundle, item.name, origin=item.origin)
    return None


_WORK: Mapping[WorkKind, Callable[[Bundle, WorkItem], Awaitable[timedelta | None]]] = {
    WorkKind.CHECK_CUSTOMER: _check_customer,
    WorkKind.CHECK_KEY: _check_key,
    WorkKind.RECONCILE_RESOURCE: _reconcile,
    WorkKind.DRAIN_TIMELINE: _drain,
    WorkKind.SWEEP_RANGE: _sweep,
}
