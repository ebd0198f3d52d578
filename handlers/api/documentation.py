"""What OpenAPI says of every route's error answers, in one place."""

from typing import Any

from handlers.api.answers import ErrorAnswer

_DESCRIPTIONS = {
    400: "Something in the request is wrong; `target` and `details` name every wrong field.",
    401: "No bearer token, or one that does not hold.",
    403: "The caller lacks the role.",
    404: "There is no such object, or the caller may not know of it.",
    409: "The present state, or another owner, forbids it.",
    412: "`If-Match` does not name the current revision.",
    413: "The body is larger than 64 KiB, or than 1 MiB at the webhook.",
    415: "The body is not application/json.",
    502: "Azure refused; the message says what.",
    503: "A dependency does not answer, or settings need attention; try again after `Retry-After`.",
}
_READ = (400, 401, 403, 404, 503)
_WRITE = (*_READ, 409, 412, 413, 415, 502)


def _responses(statuses: tuple[int, ...]) -> dict[int | str, dict[str, Any]]:
    documented: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorAnswer, "description": _DESCRIPTIONS[status]} for status in sorted(statuses)
    }
    documented["default"] = {"model": ErrorAnswer, "description": "Any other error has the same shape."}
    return documented


READ_ERRORS = _responses(_READ)
WRITE_ERRORS = _responses(_WRITE)
ANY_ERROR = _responses(())
DELIVERY_ERRORS = _responses((401, 413, 503))
DELIVERY_ERRORS[401]["description"] = "Neither the customer's webhook key nor a token of Event Grid's that counts here."
PAGE_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {
        "content": {"text/html": {}},
        "description": "A page: the link is forged, expired, used or another tenant's.",
    },
    # Spelled out, since FastAPI would give a model the media type of the route, and these are JSON.
    "default": {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
        "description": "Any other error.",
    },
}
