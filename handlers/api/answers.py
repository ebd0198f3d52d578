"""What answers hold, as pydantic models: the shapes that OpenAPI documents. `views` fills them from the domain.

Times are ISO 8601 in UTC. A member without a value is null, never left out.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from handlers.api.new_accounts import CreateAnswer


class Answer(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)


class ErrorDetail(Answer):
    """One of several things that are wrong."""

    code: str
    message: str
    target: str | None


class Error(Answer):
    """What is wrong; `code` is stable, `target` names the field."""

    code: str
    message: str
    target: str | None
    details: list[ErrorDetail]


class ErrorAnswer(Answer):
    """Every error has this shape; `x-ms-error-code` repeats the code."""

    error: Error


class AttentionAnswer(Answer):
    """Work on the object was set aside for a person."""

    since: datetime
    reason: str
    message: str


class ConsentStateAnswer(Answer):
    """Whether the application may act in the customer's tenant."""

    state: str
    since: datetime | None


class Counts(Answer):
    """A customer's keys by health and resources by state."""

    keys: dict[str, int]
    resources: dict[str, int]


class CustomerAnswer(Answer):
    """A customer."""

    id: str
    display_name: str
    tenant_id: str
    application: str = Field(description="Client id of the multitenant application that the customer consents to.")
    phase: str
    consent: ConsentStateAnswer
    counts: Counts
    created_at: datetime
    onboarded_at: datetime | None
    attention: AttentionAnswer | None


class CustomerSummary(Answer):
    """A customer at a glance, as last computed."""

    id: str
    display_name: str
    tenant_id: str
    phase: str
    counts: Counts
    attention: bool
    updated_at: datetime


class CustomerList(Answer):
    """A page of customers."""

    value: list[CustomerSummary]
    next_link: str | None


class ConsentLinkAnswer(Answer):
    """For the customer's administrator to open; can be answered once."""

    url: str
    expires_at: datetime


class FindingAnswer(Answer):
    """Something wrong with a resource."""

    reason: str
    owner: Literal["customer", "provider"]
    message: str


class ObservedAnswer(Answer):
    """What Resource Manager last said of a resource's encryption."""

    key_source: str
    key_identifier: str | None
    version_in_use: str | None
    rotated_at: datetime | None
    coverage: list[str]
    checked_at: datetime | None


class ResourceAnswer(Answer):
    """A resource that a key protects."""

    name: str
    kind: Literal["storageAccount"]
    resource_id: str
    key: str
    drift_policy: Literal["repair", "report"]
    identity: Literal["userAssigned", "systemAssigned"]
    create: CreateAnswer | None
    state: str
    desired: dict[str, Any]
    observed: ObservedAnswer | None
    findings: list[FindingAnswer]
    operation_id: str | None
    registered_at: datetime
    attention: AttentionAnswer | None


class PlanAnswer(Answer):
    """What a PUT would do: the exact requests to Resource Manager, and what stands in the way. Nothing was changed."""

    steps: list[dict[str, Any]]
    findings: list[FindingAnswer]


class OperationStatus(StrEnum):
    """Where an operation stands."""

    NOT_STARTED = "NotStarted"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class OperationError(Answer):
    """Why an operation failed."""

    code: str
    message: str


class OperationAnswer(Answer):
    """What somebody asked for, and how far it is."""

    id: str
    kind: str
    status: OperationStatus
    percent_complete: int
    created_at: datetime
    error: OperationError | None


class TimelineItem(Answer):
    """One entry. `hash` covers this entry and the hash before it."""

    sequence: int
    id: str
    type: str
    recorded_at: datetime
    request_id: str
    cause: str
    actor: str
    data: dict[str, Any]
    hash: str


class TimelinePage(Answer):
    """A page of a customer's timeline, oldest first."""

    value: list[TimelineItem]
    next_link: str | None


class IntegrityAnswer(Answer):
    """Whether the hash chain holds from the first entry to the head."""

    intact: bool
    entries: int
    head_hash: str
    first_bad_sequence: int | None


class FleetSummaryAnswer(Answer):
    """The fleet at a glance, from the read model as it was at `asOf`."""

    as_of: datetime
    customers: int
    attention: int
    by_phase: dict[str, int]
    keys_by_health: dict[str, int]
    resources_by_state: dict[str, int]


class LiveAnswer(Answer):
    """The process answers."""

    live: bool


class DependencyAnswer(Answer):
    """One dependency."""

    name: str
    ok: bool
    detail: str


class ReadyAnswer(Answer):
    """Whether everything the app depends on answers."""

    ready: bool
    dependencies: list[DependencyAnswer]
