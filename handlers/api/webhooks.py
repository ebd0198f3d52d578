"""The webhook for Key Vault events of customers' tenants, and the route that tells how to subscribe to it.

Event Grid decides by the status: 200 takes a delivery, 401 and 413 drop it, 503 sends it again. Both handshakes are
answered within their request: nothing is stored, nothing fetched. A handshake needs no secret, because Event Grid's
documentation promises a subscription's own headers for events only; a wrong secret is refused there as well. Being
answered gains nobody anything: what is delivered later has to hold.
"""

# ruff: noqa: FAST003 - the path's camelCase names are aliases

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response, Security
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader, HTTPBearer
from pydantic import Field

from handlers.api.access import KEY_WRITER, BundleOf
from handlers.api.answers import Answer
from handlers.api.delivered_events import read_events, validation_code
from handlers.api.documentation import ANY_ERROR, DELIVERY_ERRORS, READ_ERRORS
from handlers.api.schemas import CustomerId
from handlers.api.strict_route import StrictRoute
from handlers.api.webhook_access import check_sender, is_anonymous, refusal
from shared.errors import CrossKeyError, Unavailable
from shared.services import webhook_secrets
from shared.services.key_events import note_key_events, readable_id
from shared.telemetry import Event, log_event

VALIDATION: Final = "subscriptionvalidation"
UNSUBSCRIBED: Final = frozenset({"subscriptiondeletion", "unsubscribe"})
ORIGIN: Final = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.-]{0,252}[0-9A-Za-z])?")
LONGEST_HANDSHAKE: Final = 16 * 1024

router = APIRouter(prefix=webhook_secrets.PATH, tags=["Webhook"])
address_router = APIRouter(prefix="/api/customers", tags=["Webhook"], route_class=StrictRoute)

_key = APIKeyHeader(
    name=webhook_secrets.HEADER,
    scheme_name="webhookKey",
    description="The customer's webhook key, as a static delivery property of the event subscription.",
    auto_error=False,
)
_token = HTTPBearer(
    scheme_name="eventGrid",
    bearerFormat="JWT",
    description="Event Grid's own Microsoft Entra token for CrossKey's API application.",
    auto_error=False,
)
_EVENTS: dict[str, Any] = {"schema": {}}
_BODY = {
    "requestBody": {
        "description": "One event or a batch, in the Event Grid schema or as CloudEvents; at most 1 MiB.",
        "content": {
            "application/json": _EVENTS,
            "application/cloudevents+json": _EVENTS,
            "application/cloudevents-batch+json": _EVENTS,
        },
    }
}

# Not checked as an id here: to whom nothing has been proven, a malformed id is wrong like any other.
type _AnyCustomer = Annotated[str, Path(alias="customerId", description="The customer whose vault sends events.")]


class WebhookAnswer(Answer):
    """What to make an event subscription on the customer's vault with."""

    url: Annotated[str, Field(description="The webhook's endpoint.")]
    header_name: Annotated[str, Field(description="Name of the static delivery property.")]
    header_value: Annotated[str, Field(description="Its value; mark it as secret.", repr=False)]


class ValidationAnswer(Answer):
    """The handshake's answer in the Event Grid schema; a delivery of events is answered with an empty body."""

    validation_response: str


@address_router.get(
    "/{customerId}/webhook",
    operation_id="getWebhook",
    summary="Read how a customer's vault sends its events",
    dependencies=[KEY_WRITER],
    responses=READ_ERRORS,
)
async def get_webhook(bundle: BundleOf, customer_id: CustomerId) -> WebhookAnswer:
    """Read the address and the secret header for an event subscription on the customer's vault."""
    found = await webhook_secrets.read_webhook(bundle, customer_id)
    return WebhookAnswer(url=found.url, header_name=found.header_name, header_value=found.header_value)


@router.options(
    "/{customerId}",
    operation_id="allowDeliveries",
    summary="Event Grid's handshake for CloudEvents",
    response_class=Response,
    responses=ANY_ERROR,
)
async def allow_deliveries(request: Request, customer_id: _AnyCustomer) -> Response:
    """Allow the origin that asks. `WebHook-Request-Callback` is never called."""
    headers = {"Allow": "POST"}
    origin = request.headers.get("webhook-request-origin", "").strip()
    if ORIGIN.fullmatch(origin):
        headers |= {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
        log_event(Event.WEBHOOK_VALIDATED, customer_id=customer_id, origin=origin)
    return Response(headers=headers)


@router.post(
    "/{customerId}",
    operation_id="receiveKeyVaultEvents",
    summary="Key Vault events of a customer's vault",
    dependencies=[Security(_key), Security(_token)],
    response_class=Response,
    responses={**DELIVERY_ERRORS, HTTPStatus.OK: {"model": ValidationAnswer}},
    openapi_extra=_BODY,
)
async def receive_key_vault_events(request: Request, bundle: BundleOf, customer_id: _AnyCustomer) -> Response:
    """Take a delivery of Event Grid. An event is only ever a hint that a key of this customer deserves a look."""
    kind = request.headers.get("aeg-event-type", "").strip().lower()
    with _retried():
        if kind == VALIDATION and is_anonymous(request):
            return await _answer_stranger(request, customer_id)
        await check_sender(request, bundle, customer_id)
        if kind in UNSUBSCRIBED:
            log_event(Event.WEBHOOK_UNSUBSCRIBED, customer_id=customer_id, subscription=_subscription(request))
            return Response()
        events = read_events(await request.body())
        if (code := validation_code(events)) is not None:
            return _answer_handshake(request, customer_id, code)
        await note_key_events(bundle, events, customer_id=customer_id, request_id=request.state.request_id)
        return Response()


async def _answer_stranger(request: Request, customer_id: str) -> Response:
    body = await request.body()
    code = validation_code(read_events(body)) if len(body) <= LONGEST_HANDSHAKE else None
    if code is None:
        raise refusal()
    return _answer_handshake(request, customer_id, code)


def _answer_handshake(request: Request, customer_id: str, code: str) -> Response:
    # 200 and nothing else: Event Grid does not take 202 here.
    log_event(Event.WEBHOOK_VALIDATED, customer_id=customer_id, subscription=_subscription(request))
    return JSONResponse(ValidationAnswer(validation_response=code).model_dump(mode="json"))


def _subscription(request: Request) -> str:
    return readable_id(request.headers.get("aeg-subscription-name"))


@contextmanager
def _retried() -> Iterator[None]:
    """Answer every fault of ours or of a dependency with 503, after which Event Grid delivers again."""
    try:
        yield
    except CrossKeyError as error:
        if error.status <= HTTPStatus.INTERNAL_SERVER_ERROR or error.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        raise Unavailable(error.message) from error
