"""Routes without a token: liveness, readiness, the documentation, and Entra's answer to a consent link."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from handlers.api.access import BundleOf, OriginOf
from handlers.api.answers import DependencyAnswer, ErrorAnswer, LiveAnswer, ReadyAnswer
from handlers.api.documentation import ANY_ERROR, PAGE_ERRORS
from handlers.api.pages import documentation_page, message_page
from shared.errors import CrossKeyError
from shared.services import consent
from shared.services.readiness import check_readiness

TITLES = {"confirmed": "Consent confirmed", "pending": "Consent received", "declined": "Consent declined"}

router = APIRouter(prefix="/api", tags=["Service"])


@router.get("/live", operation_id="getLive", summary="Whether the process answers", responses=ANY_ERROR)
async def get_live() -> LiveAnswer:
    """Answer always, whatever the settings and dependencies are like."""
    return LiveAnswer(live=True)


@router.get(
    "/ready",
    operation_id="getReady",
    summary="Whether every dependency answers",
    responses={
        **ANY_ERROR,
        HTTPStatus.SERVICE_UNAVAILABLE: {
            "model": ReadyAnswer | ErrorAnswer,
            "description": "Some dependency does not answer; or, as an error, every setting that needs attention.",
        },
    },
)
async def get_ready(bundle: BundleOf, response: Response) -> ReadyAnswer:
    """Ping every dependency."""
    found = await check_readiness(bundle)
    ready = all(one.ok for one in found)
    if not ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    dependencies = [DependencyAnswer(name=one.name, ok=one.ok, detail=one.detail) for one in found]
    return ReadyAnswer(ready=ready, dependencies=dependencies)


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request) -> JSONResponse:
    """The machine-readable description of this API."""
    return JSONResponse(request.app.openapi())


@router.get("/docs", include_in_schema=False)
async def get_docs(request: Request) -> HTMLResponse:
    """A page that lists the routes."""
    return documentation_page(request.app.openapi())


@router.get(
    "/consent/callback",
    operation_id="answerConsent",
    tags=["Customers"],
    summary="Microsoft Entra's answer to a consent link",
    response_class=HTMLResponse,
    responses=PAGE_ERRORS,
)
async def answer_consent(
    *,
    bundle: BundleOf,
    origin: OriginOf,
    state: Annotated[str, Query(max_length=4096)] = "",
    tenant: Annotated[str | None, Query(max_length=64)] = None,
    admin_consent: Annotated[str | None, Query(max_length=16)] = None,
    error: Annotated[str | None, Query(max_length=256)] = None,
    error_description: Annotated[str | None, Query(max_length=4096)] = None,
) -> HTMLResponse:
    """Take the browser's redirect. It proves nothing by itself; consent counts once a token was obtained."""
    try:
        answer = await consent.answer_consent(
            bundle,
            state=state,
            tenant=tenant,
            admin_consent=admin_consent,
            error=error,
            error_description=error_description,
            origin=origin,
        )
    except CrossKeyError as problem:
        # A person reads this, so the one exception to the error map is a page.
        return message_page("Consent was not taken", problem.message, status=problem.status)
    return message_page(TITLES[answer.outcome], f"{answer.message} You can close this page.")
