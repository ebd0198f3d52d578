"""The one map from errors to HTTP answers. Nothing else in the API makes an error answer.

CrossKeyError            its own status, code, message and target
RequestValidationError   400, one detail per wrong field; the first gives the outer code and target
Starlette's 404 and 405  RouteNotFound; MethodNotAllowed with all allowed methods
anything else            logged, 500 InternalError with the request id and nothing more (`envelope`)
"""

import logging
import math
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from handlers.api.problems import Problem
from shared.errors import CrossKeyError, NotAuthenticated, SettingsInvalid, StaleWrite, Unavailable
from shared.telemetry import Event, log_event

AFTER_LOST_RACE = timedelta(seconds=1)
AFTER_OUTAGE = timedelta(seconds=10)

_WRONG_TYPES = {"model_type", "model_attributes_type", "dict_type", "list_type", "none_required"}
_BY_PYDANTIC_TYPE = {"missing": Problem.MISSING_FIELD, "extra_forbidden": Problem.UNKNOWN_FIELD}


def error_answer(
    status: int,
    code: str,
    message: str,
    *,
    target: str | None = None,
    details: Sequence[dict[str, Any]] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """One error in the shape of Azure's REST guidelines."""
    error = {"code": code, "message": message, "target": target, "details": list(details)}
    return JSONResponse({"error": error}, status, headers={"x-ms-error-code": code, **(headers or {})})


def answer_crosskey_error(error: CrossKeyError) -> JSONResponse:
    """Map an error raised on purpose."""
    if isinstance(error, SettingsInvalid):
        log_event(Event.SETTINGS_INVALID, level=logging.ERROR, message=error.message)
    elif error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log_event(Event.REQUEST_FAILED, level=logging.WARNING, error=error, code=error.code, message=error.message)
    problems = error.problems if isinstance(error, SettingsInvalid) else ()
    return error_answer(
        error.status,
        error.code,
        error.message,
        target=error.target,
        details=[{"code": error.code, "message": problem, "target": None} for problem in problems],
        headers=_headers(error),
    )


def _headers(error: CrossKeyError) -> dict[str, str]:
    match error:
        case NotAuthenticated():
            return {"WWW-Authenticate": "Bearer"}
        case StaleWrite():
            return {"Retry-After": _seconds(AFTER_LOST_RACE)}
        case Unavailable():
            return {"Retry-After": _seconds(error.retry_after or AFTER_OUTAGE)}
        case _:
            return {}


def _seconds(delay: timedelta) -> str:
    return str(max(1, math.ceil(delay.total_seconds())))


async def on_crosskey_error(_: Request, error: Exception) -> JSONResponse:
    """Answer a `CrossKeyError`."""
    assert isinstance(error, CrossKeyError)
    return answer_crosskey_error(error)


async def on_validation_error(_: Request, error: Exception) -> JSONResponse:
    """Answer what FastAPI and pydantic found wrong in path, query and body, all of it at once."""
    assert isinstance(error, RequestValidationError)
    details = [_detail(one) for one in error.errors()]
    first = details[0]
    message = first["message"] if len(details) == 1 else f"{len(details)} fields are wrong; see details."
    return error_answer(HTTPStatus.BAD_REQUEST, first["code"], message, target=first["target"], details=details)


def _detail(error: dict[str, Any]) -> dict[str, Any]:
    kind, (place, *path) = error["type"], error["loc"]
    target = ".".join(str(part) for part in path) or place
    if kind in Problem:
        code = Problem(kind)
    elif kind in _WRONG_TYPES or kind.endswith("_type"):
        code = Problem.WRONG_TYPE
    else:
        code = _BY_PYDANTIC_TYPE.get(kind, Problem.INVALID_VALUE)
    return {"code": code, "message": f"{target}: {error['msg']}", "target": target}


def answer_missing_route() -> JSONResponse:
    """Answer a path that leads nowhere."""
    return error_answer(HTTPStatus.NOT_FOUND, Problem.ROUTE_NOT_FOUND, "There is no such route; see /api/docs.")


def answer_wrong_method(method: str, allowed: Sequence[str]) -> JSONResponse:
    """Answer a method that no route of the path takes."""
    allow = ", ".join(sorted(allowed))
    return error_answer(
        HTTPStatus.METHOD_NOT_ALLOWED,
        Problem.METHOD_NOT_ALLOWED,
        f"This route does not answer {method}; it answers {allow}.",
        headers={"Allow": allow},
    )


def answer_other_refusal(error: HTTPException) -> JSONResponse:
    """Answer a refusal of the framework that is neither 404 nor 405, such as a body it cannot read."""
    return error_answer(error.status_code, Problem.INVALID_VALUE, str(error.detail))
