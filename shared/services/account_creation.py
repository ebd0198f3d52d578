"""Asks for a new storage account, or how far it is, once: a worker never waits for Resource Manager to make one."""

from dataclasses import dataclass, replace
from datetime import timedelta

from shared.bundle import Bundle
from shared.domain.account_observation import ObservedAccount
from shared.domain.entries import Record
from shared.domain.findings import Finding
from shared.domain.model import Resource
from shared.domain.reasons import Reason
from shared.domain.refusals import finding_of
from shared.domain.storage_creation import LOOK_AGAIN, accepted, ended_in_vain
from shared.domain.storage_plan import MISSING_CONFIRMATION
from shared.domain.storage_situation import Plan
from shared.errors import Refused


@dataclass(frozen=True, slots=True)
class Waiting:
    """Look again later; record `resource` under `entry` first, if there is one."""

    resource: Resource
    entry: Record | None
    look_again_after: timedelta


@dataclass(frozen=True, slots=True)
class Unmade:
    """Azure said no."""

    resource: Resource
    finding: Finding


async def make_account(bundle: Bundle, resource: Resource, plan: Plan) -> ObservedAccount | Waiting | Unmade:
    """Send what the plan says of the creation. Raises `Unavailable` and its kinds."""
    try:
        if plan.create is not None:
            answer = await bundle.accounts.create(resource.resource_id, plan.create)
        else:
            answer = await bundle.accounts.follow_creation(resource.resource_id, plan.poll or "")
    except Refused as refusal:
        return _not_made(bundle, resource, plan, refusal)
    if isinstance(answer, ObservedAccount):
        return answer
    wait = answer.retry_after or LOOK_AGAIN
    if plan.create is None:
        return Waiting(resource, None, wait)
    return Waiting(accepted(resource, answer.poll_url), Record.RESOURCE_CREATION_ACCEPTED, wait)


def _not_made(bundle: Bundle, resource: Resource, plan: Plan, refusal: Refused) -> Waiting | Unmade:
    if plan.poll is not None and refusal.http_status == 404:
        # The creation is not known any more. Either the account turns up, or it came and went.
        missing = replace(resource, missing_since=bundle.clock.now())
        return Waiting(missing, Record.RESOURCE_OBSERVED, MISSING_CONFIRMATION)
    finding = finding_of(refusal.http_status, refusal.azure_code, refusal.inner_code)
    if finding.reason is Reason.ACCOUNT_SETTINGS_REFUSED and refusal.detail:
        # Only Azure's own words say which of the settings it is.
        finding = Finding(finding.reason, f"{finding.detail} {refusal.detail}")
    # That we may not ask says nothing about what we asked for.
    unknown = plan.poll is not None and refusal.http_status == 403
    return Unmade(resource if unknown else ended_in_vain(resource), finding)
