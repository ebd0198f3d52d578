"""The secret by which a customer's event subscription authenticates itself at the webhook: derived, never stored.

It is an HMAC of the customer's id under a master key, so a delivery is judged before anything is looked up. Masters
are rotated by putting a new one first in CROSSKEY_WEBHOOK_KEYS: it makes the secrets that are handed out from then
on, and those of the others hold until their master is taken from the list.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from shared.bundle import Bundle
from shared.domain.identifiers import MalformedIdentifier
from shared.domain.identifiers import customer_id as check_customer_id
from shared.services.lookups import find_customer
from shared.settings import SecretBytes, SecretText, Settings

HEADER: Final = "x-crosskey-webhook-key"
PATH: Final = "/api/webhooks/keyVault"

# Each use of a key has a label of its own, so that what is derived for one use says nothing about another.
_MASTER_LABEL: Final = b"crosskey webhook master"
_SECRET_LABEL: Final = b"crosskey webhook secret\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAddress:
    """What an event subscription is made with: where it delivers, and the header that every delivery carries."""

    url: str
    header_name: str
    header_value: SecretText


async def read_webhook(bundle: Bundle, customer_id: str) -> WebhookAddress:
    """The webhook of a customer, with the secret of the current master. Raises `NotFound`."""
    customer = (await find_customer(bundle, customer_id)).value.customer_id
    return WebhookAddress(
        url=f"{bundle.settings.public_url}{PATH}/{customer}",
        header_name=HEADER,
        header_value=make_secret(bundle.settings, customer),
    )


def make_secret(settings: Settings, customer_id: str) -> SecretText:
    """A customer's secret under the current master: 64 hexadecimal digits."""
    return _secret(_masters(settings)[0], customer_id)


def is_secret_of(settings: Settings, customer_id: str, presented: str) -> bool:
    """Whether the text is the customer's secret under any master that still counts, compared in constant time."""
    try:
        check_customer_id(customer_id)
    except MalformedIdentifier:
        return False
    given = presented.encode("utf-8", "surrogatepass")
    # Every master is tried, so that the time taken does not tell which one it was.
    fits = [hmac.compare_digest(_secret(master, customer_id).encode(), given) for master in _masters(settings)]
    return any(fits)


def _masters(settings: Settings) -> tuple[SecretBytes, ...]:
    return settings.webhook_keys or (SecretBytes(hmac.digest(settings.signing_key, _MASTER_LABEL, "sha256")),)


def _secret(master: SecretBytes, customer_id: str) -> SecretText:
    return SecretText(hmac.digest(master, _SECRET_LABEL + customer_id.encode(), "sha256").hex())
