"""Routes of customers, and of the consent that each gives."""

# ruff: noqa: FAST003 - the path's camelCase names are aliases that `schemas` gives

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from handlers.api import views
from handlers.api.access import (
    CUSTOMER_READER,
    FLEET_READER,
    OPERATOR,
    BundleOf,
    CallerOf,
    OriginOf,
    require_administrator,
)
from handlers.api.answers import ConsentLinkAnswer, CustomerAnswer, CustomerList, OperationAnswer
from handlers.api.documentation import READ_ERRORS, WRITE_ERRORS
from handlers.api.operations import LOOK_AGAIN_SECONDS
from handlers.api.paging import malformed_token, next_link, read_token
from handlers.api.schemas import AbandonBody, ContinuationToken, CustomerBody, CustomerId, IfMatch, Top
from handlers.api.strict_route import StrictRoute
from shared.domain.identifiers import MalformedIdentifier
from shared.domain.identifiers import customer_id as check_customer_id
from shared.domain.model import HealthState
from shared.domain.phases import Phase
from shared.services import consent, customers, offboarding, operations

router = APIRouter(prefix="/api/customers", tags=["Customers"], route_class=StrictRoute)


@router.put(
    "/{customerId}",
    operation_id="putCustomer",
    summary="Register a customer, or change its name",
    dependencies=[OPERATOR],
    responses={**WRITE_ERRORS, HTTPStatus.CREATED: {"model": CustomerAnswer, "description": "It is new."}},
)
async def put_customer(
    *,
    bundle: BundleOf,
    origin: OriginOf,
    response: Response,
    customer_id: CustomerId,
    body: CustomerBody,
    if_match: IfMatch = None,
) -> CustomerAnswer:
    """Register a Microsoft Entra tenant. Idempotent; the tenant of a customer cannot be changed."""
    _, created = await customers.put_customer(
        bundle,
        customer_id,
        display_name=body.display_name,
        tenant_id=body.tenant_id,
        if_match=if_match,
        origin=origin,
    )
    if created:
        response.status_code = HTTPStatus.CREATED
    return await get_customer(bundle, response, customer_id)


@router.get(
    "/{customerId}",
    operation_id="getCustomer",
    summary="Read a customer",
    dependencies=[CUSTOMER_READER],
    responses=READ_ERRORS,
)
async def get_customer(bundle: BundleOf, response: Response, customer_id: CustomerId) -> CustomerAnswer:
    """Read a customer with its phase, consent and counts, derived from its rows now."""
    view = await customers.get_customer(bundle, customer_id)
    response.headers["ETag"] = view.customer.etag
    return views.customer_answer(view)


@router.get(
    "",
    operation_id="listCustomers",
    summary="List customers",
    dependencies=[FLEET_READER],
    responses=READ_ERRORS,
)
async def list_customers(
    bundle: BundleOf,
    phase: Annotated[Phase | None, Query(description="Only customers in this phase.")] = None,
    health: Annotated[HealthState | None, Query(description="Only customers with a key of this health.")] = None,
    top: Top = 50,
    continuation_token: ContinuationToken = None,
) -> CustomerList:
    """List customers by id, from the read model: each as it was last computed."""
    after = None if continuation_token is None else _last_customer(continuation_token)
    # One more than asked for tells whether there is a next page.
    rows = await customers.list_customers(bundle, top=top + 1, after=after, phase=phase, health=health)
    page = rows[:top]
    link = None
    if len(rows) > top:
        url = bundle.settings.public_url
        link = next_link(url, "/customers", page[-1].customer_id, phase=phase, health=health, top=top)
    return CustomerList(value=[views.customer_summary(row) for row in page], next_link=link)


@router.delete(
    "/{customerId}",
    operation_id="offboardCustomer",
    summary="Offboard a customer",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[OPERATOR],
    responses=WRITE_ERRORS,
)
async def offboard_customer(
    *,
    bundle: BundleOf,
    caller: CallerOf,
    origin: OriginOf,
    response: Response,
    customer_id: CustomerId,
    abandon: Annotated[bool, Query(description="Give the customer's keys up; needs CrossKey.Admin.")] = False,
    body: AbandonBody | None = None,
    if_match: IfMatch = None,
) -> OperationAnswer:
    """Release every resource, make the evidence statement, and forget the customer. Follow `Operation-Location`.

    With `abandon`, for keys that are gone for good, nothing is released any more: what still depends on them is
    stranded, and the statement says so.
    """
    confirmation = None
    if abandon:
        require_administrator(caller)
        confirmation = "" if body is None else body.confirm
    _, operation = await offboarding.offboard_customer(
        bundle, customer_id, if_match=if_match, origin=origin, abandon=confirmation
    )
    return await _follow(bundle, response, customer_id, operation.operation_id)


async def _follow(bundle: BundleOf, response: Response, customer_id: str, operation_id: str) -> OperationAnswer:
    url = f"{bundle.settings.public_url}/api/customers/{customer_id}/operations/{operation_id}"
    response.headers["Operation-Location"] = url
    response.headers["Retry-After"] = str(LOOK_AGAIN_SECONDS)
    return views.operation_answer(await operations.get_operation(bundle, customer_id, operation_id))


@router.get(
    "/{customerId}/statement",
    operation_id="readStatement",
    summary="Read the evidence statement of an offboarded customer",
    dependencies=[CUSTOMER_READER],
    responses=READ_ERRORS,
)
async def read_statement(bundle: BundleOf, customer_id: CustomerId) -> dict[str, Any]:
    """What each key version protected, from when to when, how it ended, and the timeline's hash it goes up to."""
    return await offboarding.read_statement(bundle, customer_id)


def _last_customer(token: str) -> str:
    try:
        return check_customer_id(read_token(token))
    except MalformedIdentifier as error:
        raise malformed_token() from error


@router.post(
    "/{customerId}/consentLink",
    operation_id="createConsentLink",
    summary="Make a link for the customer's consent",
    dependencies=[OPERATOR],
    responses=WRITE_ERRORS,
)
async def create_consent_link(bundle: BundleOf, origin: OriginOf, customer_id: CustomerId) -> ConsentLinkAnswer:
    """Make a link that the customer's administrator opens. It replaces an earlier one and can be answered once."""
    link = await consent.create_consent_link(bundle, customer_id, origin=origin)
    return ConsentLinkAnswer(url=link.url, expires_at=link.expires_at)
