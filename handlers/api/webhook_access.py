"""Who may deliver to a customer's webhook: whoever knows the customer's secret, or Event Grid's own application.

The token is one for CrossKey's API application, given to Event Grid's application with the role that the API
application offers for it (https://learn.microsoft.com/azure/event-grid/secure-webhook-delivery). Its tenant is the
provider's when an application of the provider's wrote the event subscription, and then it counts for every customer,
since only the provider can assign that role; or it is the customer's own, and then it counts for that customer alone.
Whatever is wrong, the answer is the same.
"""

from typing import Final

from fastapi import Request

from handlers.api.authentication import Token, read_token
from shared.bundle import Bundle
from shared.domain.identifiers import MalformedIdentifier
from shared.domain.identifiers import customer_id as check_customer_id
from shared.errors import NotAuthenticated
from shared.services.webhook_secrets import HEADER, is_secret_of

SUBSCRIBER_ROLE: Final = "AzureEventGridSecureWebhookSubscriber"


def is_anonymous(request: Request) -> bool:
    """Whether a request carries nothing that could authenticate it."""
    return HEADER not in request.headers and "authorization" not in request.headers


async def check_sender(request: Request, bundle: Bundle, customer_id: str) -> None:
    """Let a delivery for this customer pass. Raises `NotAuthenticated`; `Unavailable` when that cannot be told."""
    presented = request.headers.get(HEADER)
    if presented is not None and is_secret_of(bundle.settings, customer_id, presented):
        return
    try:
        check_customer_id(customer_id)
        token = await read_token(request.headers.get("authorization"), bundle)
    except (MalformedIdentifier, NotAuthenticated) as error:
        raise refusal() from error
    if not _is_of_event_grid(token, bundle) or not await _counts_for(token, bundle, customer_id):
        raise refusal()


def refusal() -> NotAuthenticated:
    """The one answer to everything that does not hold. Event Grid drops an event that is answered 401."""
    return NotAuthenticated("This needs the customer's webhook key, or a token of Event Grid.")


def _is_of_event_grid(token: Token, bundle: Bundle) -> bool:
    # Version 2 names the client `azp`, version 1 `appid`; a token that has both must not contradict itself.
    clients = {token.claims[name] for name in ("azp", "appid") if isinstance(token.claims.get(name), str)}
    return clients == {bundle.settings.cloud.event_grid_application} and SUBSCRIBER_ROLE in token.roles


async def _counts_for(token: Token, bundle: Bundle, customer_id: str) -> bool:
    if token.tenant_id == bundle.settings.provider_tenant_id:
        return True
    # The only look-up, and none before the token itself held.
    customer = await bundle.state.read_customer(customer_id)
    return customer is not None and customer.value.tenant_id == token.tenant_id
