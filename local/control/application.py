"""The control API as a FastAPI application; its own page is at `/docs`, its contract at `/openapi.json`."""

from fastapi import FastAPI
from fastapi.requests import Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from local.control import inspection, machinery, seeding, tokens
from local.entra.errors import EntraError
from local.run import LocalWorld


def create_application(local: LocalWorld) -> FastAPI:
    """Build the application over a local world."""
    application = FastAPIOffline(
        title="CrossKey local Azure: control",
        description="Seeds, disturbs, moves in time and inspects the local Azure. Loopback only; no authentication.",
        version="1",
    )
    application.state.local = local
    for routes in (machinery, seeding, tokens, inspection):
        application.include_router(routes.router)

    @application.exception_handler(EntraError)
    async def refuse(request: Request, error: EntraError) -> JSONResponse:
        """Answer Entra's refusals in the shape of this API's own."""
        del request
        return JSONResponse({"detail": str(error)}, status_code=404 if error.code == 90002 else 400)

    return application
