"""What is written of a resource beside its state: what entries say of it, when its work waits, and its end."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.bundle import Bundle
from shared.domain.entries import Origin, Record
from shared.domain.model import Resource
from shared.domain.storage_situation import Plan
from shared.errors import CrossKeyError, StaleWrite
from shared.services.commits import commit
from shared.services.operations import finish_operation


class WorkedElsewhere(CrossKeyError):
    """Another run is updating this resource; look again when it is done."""

    code = "WorkedElsewhere"
    status = 503
    retryable = True

    def __init__(self, message: str, *, ends_in: timedelta) -> None:
        super().__init__(message)
        self.ends_in = ends_in


async def postpone_resource(bundle: Bundle, customer_id: str, name: str, until: datetime, *, origin: Origin) -> None:
    """Write down that work on a resource waits until then, so that the sweep leaves it alone."""
    stored = await bundle.state.read_resource(customer_id, name)
    if stored is None or not stored.value.is_live:
        return
    waiting = replace(stored.value, queued_until=until)
    data = {"resource": name, "queuedUntil": until.isoformat()}
    # Whoever was first knows more; the row is only a courtesy to the sweep.
    with suppress(StaleWrite):
        await commit(bundle, waiting, Record.RESOURCE_POSTPONED, data, previous=stored, origin=origin)


async def tidy(bundle: Bundle, resource: Resource, *, origin: Origin) -> None:
    """After the state: end the operation, and free the claim of what no longer depends on the key."""
    await finish_operation(bundle, resource, origin=origin)
    if resource.is_live:
        return
    claim = await bundle.claims.find("resource", resource.resource_id.claim)
    if claim is None or (claim.customer_id, claim.row) != (resource.customer_id, resource.row):
        return
    # Whoever asked for the resource again meanwhile has renewed the claim, and keeps it.
    if resource.observed_at is None or claim.claimed_at <= resource.observed_at:
        await bundle.claims.remove_unchanged(claim)


def data_of(resource: Resource, *, before: Resource) -> dict[str, Any]:
    """What an entry says of a resource."""
    observed, earlier = resource.observed, before.observed
    return {
        "resource": resource.name,
        "resourceId": str(resource.resource_id),
        "key": resource.key,
        "state": resource.state.value,
        "keySource": None if observed is None else observed.key_source,
        "version": None if observed is None else observed.version_in_use,
        "previousVersion": None if earlier is None else earlier.version_in_use,
        "reasons": [finding.reason.value for finding in resource.findings],
        "findings": [finding.message for finding in resource.findings],
    }


def scope_data(plan: Plan) -> dict[str, Any]:
    """What an entry says besides of an encryption scope that is about to be released."""
    return {} if plan.scope is None else {"encryptionScope": plan.scope.name, "scopeVersion": plan.proof}


async def remember_moves(bundle: Bundle, resource: Resource, *, moved: bool) -> None:
    """Remember for the subscription whether repeating the versionless setting moves an account at once."""
    row = await bundle.fleet.read_pace(resource.resource_id.subscription_id)
    if row.versionless_moves is not moved:
        # Somebody else learnt it in the same moment: nothing is lost, the memory only saves a call.
        with suppress(StaleWrite):
            await bundle.fleet.write_pace(replace(row, versionless_moves=moved))
