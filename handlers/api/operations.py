"""The route of operations: how far what somebody asked for is."""

# ruff: noqa: FAST003 - the path's camelCase names are aliases that `schemas` gives

from fastapi import APIRouter, Response

from handlers.api import views
from handlers.api.access import CUSTOMER_READER, BundleOf
from handlers.api.answers import OperationAnswer, OperationStatus
from handlers.api.documentation import READ_ERRORS
from handlers.api.schemas import CustomerId, OperationId
from handlers.api.strict_route import StrictRoute
from shared.services import operations

LOOK_AGAIN_SECONDS = 2

router = APIRouter(prefix="/api/customers/{customerId}/operations", tags=["Operations"], route_class=StrictRoute)


@router.get(
    "/{operationId}",
    operation_id="getOperation",
    summary="Read an operation's progress",
    dependencies=[CUSTOMER_READER],
    responses=READ_ERRORS,
)
async def get_operation(
    bundle: BundleOf, response: Response, customer_id: CustomerId, operation_id: OperationId
) -> OperationAnswer:
    """Read how far an operation is; its progress is derived from what it concerns."""
    view = await operations.get_operation(bundle, customer_id, operation_id)
    if view.status in (OperationStatus.NOT_STARTED, OperationStatus.RUNNING):
        response.headers["Retry-After"] = str(LOOK_AGAIN_SECONDS)
    return views.operation_answer(view)
