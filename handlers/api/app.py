"""Builds the ASGI application: routers, the envelope around them, the error map, and its OpenAPI document."""

import uuid
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from handlers.api import anonymous, customers, error_map, fleet, keys, operations, resources, timeline, webhooks
from handlers.api.delivered_events import LONGEST_DELIVERY
from handlers.api.envelope import Envelope
from shared.bundle import Bundle
from shared.errors import CrossKeyError

TITLE = "CrossKey"
VERSION = "0.1"
DESCRIPTION = """Cross-tenant customer-managed keys for storage accounts.

Send a Microsoft Entra bearer token with CrossKey.Reader, CrossKey.Operator or CrossKey.Admin of the provider's \
tenant, or with CrossKey.KeyAdministrator of a customer's own tenant.

Every error is {"error": {"code", "message", "target", "details"}}; x-ms-error-code repeats the code, and \
x-ms-request-id is in the log and in the timeline. Writes honour If-Match, PUT is idempotent, and what takes time \
answers 202 with Operation-Location."""
ROUTERS = (
    customers.router,
    keys.router,
    resources.router,
    operations.router,
    timeline.router,
    fleet.router,
    webhooks.address_router,
    webhooks.router,
    anonymous.router,
)


def create_app(
    get_bundle: Callable[[], Bundle], *, new_request_id: Callable[[], str] = lambda: uuid.uuid4().hex
) -> FastAPI:
    """Build the application. `get_bundle` is called per request and may raise `SettingsInvalid`."""
    app = FastAPI(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.get_bundle = get_bundle
    for router in ROUTERS:
        app.include_router(router)
    longer = {f"{webhooks.router.prefix}/": LONGEST_DELIVERY}
    app.add_middleware(Envelope, new_request_id=new_request_id, longer_bodies=longer)
    app.add_exception_handler(CrossKeyError, error_map.on_crosskey_error)
    app.add_exception_handler(RequestValidationError, error_map.on_validation_error)
    app.add_exception_handler(HTTPException, _on_refusal)
    return app


async def _on_refusal(request: Request, error: Exception) -> JSONResponse:
    """Answer what Starlette refuses: no such route, or a method that no route of the path takes."""
    assert isinstance(error, HTTPException)
    if error.status_code not in (404, 405):
        return error_map.answer_other_refusal(error)
    allowed = _methods_of(request)
    return error_map.answer_wrong_method(request.method, allowed) if allowed else error_map.answer_missing_route()


def _methods_of(request: Request) -> list[str]:
    # Starlette names the methods of the first route that has the path; each method of ours is its own route.
    scope = {"type": "http", "path": request.scope["path"], "root_path": "", "method": request.method}
    routes = (route for router in ROUTERS for route in router.routes if isinstance(route, Route))
    return [method for route in routes if route.matches(scope)[0] is not Match.NONE for method in route.methods or ()]
