"""Routes of a customer's resources. Writes answer 202: the reconciler does the work, an operation shows it."""

# ruff: noqa: FAST003 - the path's camelCase names are aliases that `schemas` gives

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from handlers.api import views
from handlers.api.access import CUSTOMER_READER, OPERATOR, BundleOf, OriginOf
from handlers.api.answers import OperationAnswer, PlanAnswer, ResourceAnswer
from handlers.api.documentation import READ_ERRORS, WRITE_ERRORS
from handlers.api.schemas import CustomerId, IfMatch, ResourceBody, ResourceName
from handlers.api.strict_route import StrictRoute
from shared.bundle import Bundle
from shared.services import operations, resources

LOOK_AGAIN_SECONDS = 2

router = APIRouter(prefix="/api/customers/{customerId}/resources", tags=["Resources"], route_class=StrictRoute)


@router.put(
    "/{resourceName}",
    operation_id="putResource",
    summary="Protect a resource with a key",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[OPERATOR],
    responses={
        **WRITE_ERRORS,
        HTTPStatus.ACCEPTED: {"model": ResourceAnswer, "description": "Follow `Operation-Location`."},
        HTTPStatus.OK: {
            "model": PlanAnswer | ResourceAnswer,
            "description": "With `whatIf`: the plan, nothing was changed. Else: the resource is as wished already.",
        },
    },
)
async def put_resource(
    *,
    bundle: BundleOf,
    origin: OriginOf,
    response: Response,
    customer_id: CustomerId,
    name: ResourceName,
    body: ResourceBody,
    what_if: Annotated[bool, Query(alias="whatIf", description="Show the plan and change nothing.")] = False,
    if_match: IfMatch = None,
) -> ResourceAnswer | PlanAnswer:
    """Wish that a storage account be encrypted with a key of the customer, and made with `create` if there is none."""
    wish: dict[str, Any] = {
        "resource_id": body.resource_id,
        "key": body.key,
        "drift_policy": body.drift_policy,
        "identity": body.identity,
        "create": None if body.create is None else body.create.read(),
    }
    if what_if:
        response.status_code = HTTPStatus.OK
        return views.plan_answer(await resources.plan_resource(bundle, customer_id, name, **wish))
    _, operation = await resources.put_resource(bundle, customer_id, name, **wish, if_match=if_match, origin=origin)
    if operation is None:
        # The wish was fulfilled so long ago that its operation is no longer kept.
        response.status_code = HTTPStatus.OK
    else:
        _point_to(response, bundle, customer_id, name, operation.operation_id)
    return await get_resource(bundle, response, customer_id, name)


@router.get(
    "/{resourceName}",
    operation_id="getResource",
    summary="Read a resource",
    dependencies=[CUSTOMER_READER],
    responses=READ_ERRORS,
)
async def get_resource(
    bundle: BundleOf, response: Response, customer_id: CustomerId, name: ResourceName
) -> ResourceAnswer:
    """Read a resource: what it should be, what it was last seen to be, and what is wrong."""
    view = await resources.get_resource(bundle, customer_id, name)
    response.headers["ETag"] = view.resource.etag
    return views.resource_answer(view)


@router.delete(
    "/{resourceName}",
    operation_id="releaseResource",
    summary="Return a resource to Microsoft-managed keys",
    status_code=HTTPStatus.ACCEPTED,
    response_model=OperationAnswer,
    dependencies=[OPERATOR],
    responses={**WRITE_ERRORS, HTTPStatus.NO_CONTENT: {"description": "It was released before."}},
)
async def release_resource(
    *,
    bundle: BundleOf,
    origin: OriginOf,
    response: Response,
    customer_id: CustomerId,
    name: ResourceName,
    if_match: IfMatch = None,
) -> OperationAnswer | Response:
    """Wish that a resource leave its key. Only done while the key version in use still unwraps."""
    stored, operation = await resources.release_resource(bundle, customer_id, name, if_match=if_match, origin=origin)
    if operation is None:
        # Released so long ago that its operation is no longer kept.
        return Response(status_code=HTTPStatus.NO_CONTENT)
    response.headers["ETag"] = stored.etag
    _point_to(response, bundle, customer_id, name, operation.operation_id)
    return views.operation_answer(await operations.get_operation(bundle, customer_id, operation.operation_id))


@router.post(
    "/{resourceName}/reconcile",
    operation_id="reconcileResource",
    summary="Look at a resource now",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[OPERATOR],
    responses=WRITE_ERRORS,
)
async def reconcile_resource(
    bundle: BundleOf, origin: OriginOf, response: Response, customer_id: CustomerId, name: ResourceName
) -> ResourceAnswer:
    """Queue a look at the resource; follow `Location`."""
    await resources.request_reconcile(bundle, customer_id, name, origin=origin)
    _point_to(response, bundle, customer_id, name, None)
    return await get_resource(bundle, response, customer_id, name)


def _point_to(response: Response, bundle: Bundle, customer_id: str, name: str, operation_id: str | None) -> None:
    customer = f"{bundle.settings.public_url}/api/customers/{customer_id}"
    response.headers["Location"] = f"{customer}/resources/{name}"
    response.headers["Retry-After"] = str(LOOK_AGAIN_SECONDS)
    if operation_id is not None:
        response.headers["Operation-Location"] = f"{customer}/operations/{operation_id}"
