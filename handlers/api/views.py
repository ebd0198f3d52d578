"""Fills answers from the domain's values."""

from collections.abc import Sequence

from handlers.api import answers, key_answers
from handlers.api.answers import AttentionAnswer, FindingAnswer
from handlers.api.new_accounts import CreateAnswer
from shared.domain.entries import TimelineEntry
from shared.domain.findings import CheckResult, Finding, describe
from shared.domain.model import Attention, Customer, Key
from shared.domain.reasons import owner_of
from shared.domain.remedies import ownership_tag, remedy
from shared.services.customers import CustomerView
from shared.services.keys import KeyView
from shared.services.operations import OperationView
from shared.services.resources import ResourcePlan, ResourceView
from shared.stores import FleetRow


def customer_answer(view: CustomerView) -> answers.CustomerAnswer:
    """A customer."""
    customer = view.customer.value
    return answers.CustomerAnswer(
        id=customer.customer_id,
        display_name=customer.display_name,
        tenant_id=customer.tenant_id,
        application=customer.application,
        phase=view.phase,
        consent=answers.ConsentStateAnswer(state=customer.consent.state, since=customer.consent.since),
        counts=answers.Counts(keys=view.keys_by_health, resources=view.resources_by_state),
        created_at=customer.created_at,
        onboarded_at=customer.onboarded_at,
        attention=_attention(customer.attention),
    )


def customer_summary(row: FleetRow) -> answers.CustomerSummary:
    """A customer at a glance."""
    return answers.CustomerSummary(
        id=row.customer_id,
        display_name=row.display_name,
        tenant_id=row.tenant_id,
        phase=row.phase,
        counts=answers.Counts(keys=row.keys_by_health, resources=row.resources_by_state),
        attention=row.attention,
        updated_at=row.updated_at,
    )


def key_answer(view: KeyView) -> key_answers.KeyAnswer:
    """A key with its full report."""
    key, customer = view.key.value, view.customer
    tag_name, tag_value = ownership_tag(customer)
    return key_answers.KeyAnswer(
        name=key.name,
        key_identifier=str(key.identifier),
        version_policy=key.version_policy.value,
        vault_resource_id=key.vault_resource_id,
        health=key_answers.HealthAnswer(
            state=key.health.state, since=key.health.since, reasons=[str(one) for one in key.health.reasons]
        ),
        verification=key_answers.VerificationAnswer(
            state=key.verification.state.value,
            checked_at=key.verification.checked_at,
            checks=[_check(one, customer, key) for one in view.checks],
        ),
        ownership=key_answers.OwnershipAnswer(
            state=key.ownership.state.value,
            since=key.ownership.since,
            tag=key_answers.Tag(name=tag_name, value=tag_value),
        ),
        latest_version=key.latest_version,
        pinned_version=key.pinned_version,
        versions_in_use=list(view.versions_in_use),
        retirable_versions=list(view.retirable_versions),
        consequences=view.consequences,
        expires_at=key.expires_at,
        registered_at=key.registered_at,
        attention=_attention(key.attention),
    )


def _check(result: CheckResult, customer: Customer, key: Key) -> key_answers.CheckAnswer:
    return key_answers.CheckAnswer(
        check=result.check,
        result=result.result.value,
        reason=result.reason,
        owner=None if result.owner is None else result.owner.value,
        message=result.message,
        remedy=remedy(result.reason, customer=customer, key=key, versions=result.versions),
    )


def resource_answer(view: ResourceView) -> answers.ResourceAnswer:
    """A resource: wish, observation and findings."""
    resource = view.resource.value
    observed = None
    if resource.observed is not None:
        observed = answers.ObservedAnswer(
            key_source=resource.observed.key_source,
            key_identifier=resource.observed.key_identifier,
            version_in_use=resource.observed.version_in_use,
            rotated_at=resource.observed.rotated_at,
            coverage=list(resource.observed.coverage),
            checked_at=resource.observed_at,
        )
    return answers.ResourceAnswer(
        name=resource.name,
        kind="storageAccount",
        resource_id=str(resource.resource_id),
        key=resource.key,
        drift_policy=resource.drift_policy.value,
        identity=resource.identity.value,
        create=CreateAnswer.of(resource.create),
        state=resource.state,
        desired=view.desired,
        observed=observed,
        findings=_findings(resource.findings),
        operation_id=resource.operation_id,
        registered_at=resource.registered_at,
        attention=_attention(resource.attention),
    )


def plan_answer(plan: ResourcePlan) -> answers.PlanAnswer:
    """What a PUT would do."""
    return answers.PlanAnswer(steps=list(plan.steps), findings=_findings(plan.findings))


def operation_answer(view: OperationView) -> answers.OperationAnswer:
    """An operation's progress."""
    error = None
    if view.error_code is not None:
        error = answers.OperationError(code=view.error_code, message=view.error_message or "")
    return answers.OperationAnswer(
        id=view.operation.operation_id,
        kind=view.operation.kind,
        status=answers.OperationStatus(view.status),
        percent_complete=view.percent_complete,
        created_at=view.operation.created_at,
        error=error,
    )


def timeline_item(entry: TimelineEntry) -> answers.TimelineItem:
    """One entry, with everything its hash covers."""
    return answers.TimelineItem(
        sequence=entry.sequence,
        id=entry.entry_id,
        type=entry.type,
        recorded_at=entry.recorded_at,
        request_id=entry.origin.request_id,
        cause=entry.origin.cause,
        actor=entry.origin.actor,
        data=entry.data,
        hash=entry.hash,
    )


def _findings(findings: Sequence[Finding]) -> list[FindingAnswer]:
    return [FindingAnswer(reason=one.reason, owner=owner_of(one.reason).value, message=one.message) for one in findings]


def _attention(attention: Attention | None) -> AttentionAnswer | None:
    if attention is None:
        return None
    return AttentionAnswer(
        since=attention.since, reason=attention.reason, message=describe(attention.reason, attention.detail)
    )
