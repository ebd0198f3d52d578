"""Consent: the link for the customer's administrator, Entra's answer, and the confirmation that counts.

The callback proves nothing by itself. Its state is signed, bound to the customer, good for an hour and for one
answer; the tenant in it must be the registered one; and consent is `granted` only once a token for that tenant was
obtained (https://learn.microsoft.com/entra/identity-platform/v2-admin-consent).
"""

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import jwt

from shared.bundle import Bundle
from shared.domain.entries import Notification, Origin, Record
from shared.domain.key_judgement import consent_state
from shared.domain.key_refusals import token_reason
from shared.domain.limited import is_in_service
from shared.domain.model import Consent, ConsentState, Customer
from shared.domain.work import WorkKind
from shared.errors import BadInput, CredentialRefused, Unavailable
from shared.services.commits import commit, enqueue
from shared.services.lookups import find_customer
from shared.stores import Stored

LINK_LIFETIME = timedelta(hours=1)
PROPAGATION_DELAY = timedelta(seconds=10)
STATE_AUDIENCE = "crosskey-consent"
CALLBACK_PATH = "/api/consent/callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentLink:
    """Where the customer's administrator is sent."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAnswer:
    """What the callback page says. `outcome` is `confirmed`, `pending` or `declined`."""

    customer_id: str
    outcome: str
    message: str


async def create_consent_link(bundle: Bundle, customer_id: str, *, origin: Origin) -> ConsentLink:
    """Make a link; it replaces an earlier one that was not answered."""
    stored = await find_customer(bundle, customer_id)
    customer = stored.value
    link_id = bundle.randomness.random_bytes(24).hex()
    expires_at = bundle.clock.now() + LINK_LIFETIME
    changed = replace(customer, consent=replace(customer.consent, link_id=link_id))
    await commit(
        bundle,
        changed,
        Record.CONSENT_LINK_ISSUED,
        {"expiresAt": expires_at.isoformat()},
        previous=stored,
        origin=origin,
    )
    claims = {"sub": customer_id, "jti": link_id, "exp": expires_at, "aud": STATE_AUDIENCE}
    state = jwt.encode(claims, bundle.settings.signing_key, algorithm="HS256")
    query = {
        "client_id": customer.application,
        "scope": f"{bundle.settings.cloud.vault_audience}/.default",
        "redirect_uri": bundle.settings.public_url + CALLBACK_PATH,
        "state": state,
    }
    authority = bundle.settings.cloud.authority
    url = f"{authority}/{customer.tenant_id}/v2.0/adminconsent?{urlencode(query)}"
    return ConsentLink(url=url, expires_at=expires_at)


async def answer_consent(
    bundle: Bundle,
    *,
    state: str,
    tenant: str | None,
    admin_consent: str | None,
    error: str | None,
    error_description: str | None,
    origin: Origin,
) -> ConsentAnswer:
    """Take Entra's redirect. Raises `BadInput` for a state that is forged, expired, used or of another tenant."""
    customer_id, link_id = _read_state(bundle, state)
    stored = await find_customer(bundle, customer_id)
    customer = stored.value
    if customer.consent.link_id is None or not secrets.compare_digest(customer.consent.link_id, link_id):
        raise BadInput(
            "This consent link was answered before or replaced by a newer one; ask for a new link.",
            target="state",
            code="ConsentLinkUsed",
        )
    declined = error is not None or (admin_consent or "").lower() != "true"
    if not declined and (tenant or "").lower() != customer.tenant_id:
        raise BadInput(
            "Consent was given in another tenant than the registered one; sign in as an administrator of the "
            "registered tenant.",
            target="tenant",
            code="ConsentInAnotherTenant",
        )
    changed = replace(customer, consent=replace(customer.consent, link_id=None))
    data = {"declined": declined, "error": error}
    await commit(bundle, changed, Record.CONSENT_LINK_ANSWERED, data, previous=stored, origin=origin)
    if declined:
        why = (error_description or error or "no consent was given")[:300]
        return ConsentAnswer(customer_id=customer_id, outcome="declined", message=why)
    state_now = await confirm_consent(bundle, customer_id, origin=origin)
    if state_now is ConsentState.GRANTED:
        return ConsentAnswer(customer_id=customer_id, outcome="confirmed", message="Consent is confirmed.")
    await enqueue(bundle, WorkKind.CHECK_CUSTOMER, customer_id, origin=origin, delay=PROPAGATION_DELAY)
    return ConsentAnswer(
        customer_id=customer_id,
        outcome="pending",
        message="Consent was received; it counts once Microsoft Entra issues a token, which can take some minutes.",
    )


async def confirm_consent(bundle: Bundle, customer_id: str, *, origin: Origin) -> ConsentState:
    """Ask Entra for a token of the customer's tenant, record what that shows, and welcome a finished onboarding.

    An outage of Entra changes nothing.
    """
    stored = await find_customer(bundle, customer_id)
    customer = stored.value
    seen = await _observe_consent(bundle, customer)
    if seen is not None and (seen is not customer.consent.state or customer.attention is not None):
        since = customer.consent.since if seen is customer.consent.state else bundle.clock.now()
        consent = Consent(state=seen, since=since, link_id=customer.consent.link_id)
        # That this work is done again is what a person was called for.
        changed = replace(customer, consent=consent, attention=None)
        data = {"consent": seen.value, "application": customer.application}
        stored = await commit(bundle, changed, Record.CONSENT_OBSERVED, data, previous=stored, origin=origin)
    await welcome_customer(bundle, stored, origin=origin)
    return stored.value.consent.state


async def welcome_customer(bundle: Bundle, stored: Stored[Customer], *, origin: Origin) -> None:
    """Announce a customer once, when consent is granted and a first key is verified."""
    customer = stored.value
    if customer.onboarded_at is not None or customer.consent.state is not ConsentState.GRANTED:
        return
    rows = await bundle.state.read_rows(customer.customer_id)
    if any(is_in_service(key.value) for key in rows.keys):
        onboarded = replace(customer, onboarded_at=bundle.clock.now())
        data = {"displayName": customer.display_name, "tenantId": customer.tenant_id}
        await commit(bundle, onboarded, Notification.CUSTOMER_ONBOARDED, data, previous=stored, origin=origin)


async def _observe_consent(bundle: Bundle, customer: Customer) -> ConsentState | None:
    """None: could not tell, or the fault is our own."""
    try:
        await bundle.credentials.obtain(tenant_id=customer.tenant_id, application=customer.application, fresh=True)
    except CredentialRefused as refusal:
        return consent_state((token_reason(refusal.aadsts),))
    except Unavailable:
        return None
    return ConsentState.GRANTED


def _read_state(bundle: Bundle, state: str) -> tuple[str, str]:
    try:
        claims = jwt.decode(
            state,
            bundle.settings.signing_key,
            algorithms=["HS256"],
            audience=STATE_AUDIENCE,
            # The expiry is compared below: PyJWT reads the machine's clock, and time is passed in here.
            options={"require": ["exp", "sub", "jti", "aud"], "verify_exp": False},
        )
        if datetime.fromtimestamp(claims["exp"], UTC) <= bundle.clock.now():
            raise jwt.ExpiredSignatureError("the link has expired")
    except jwt.InvalidTokenError as error:
        raise BadInput(
            "The consent link is not valid or has expired; ask for a new link.",
            target="state",
            code="ConsentStateInvalid",
        ) from error
    return str(claims["sub"]), str(claims["jti"])
