"""Customers: the Entra tenants we serve. The tenant is named by an operator, never learnt from a redirect."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.bundle import Bundle
from shared.domain.entries import Origin, Record
from shared.domain.model import Customer
from shared.errors import BadInput, Conflict
from shared.services.commits import commit, repeat_lost_races, require_match
from shared.services.lookups import find_customer, parse_customer_id, parse_guid
from shared.services.summaries import count_rows, phase_of
from shared.settings import PoolApplication
from shared.stores import FleetRow, Stored

MAX_DISPLAY_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    """A customer with what its rows amount to."""

    customer: Stored[Customer]
    phase: str
    keys_by_health: dict[str, int]
    resources_by_state: dict[str, int]


async def put_customer(
    bundle: Bundle, customer_id: str, *, display_name: str, tenant_id: str, if_match: str | None, origin: Origin
) -> tuple[Stored[Customer], bool]:
    """Create or update a customer; the same again changes nothing. The second value tells whether it is new.

    The tenant cannot be changed while the customer exists: its keys and consent belong to it.
    """
    customer_id = parse_customer_id(customer_id)
    tenant_id = parse_guid(tenant_id, "tenantId")
    display_name = _checked_display_name(display_name)

    async def put() -> tuple[Stored[Customer], bool]:
        return await _put_once(bundle, customer_id, display_name, tenant_id, if_match=if_match, origin=origin)

    return await repeat_lost_races(put, customer_id=customer_id, row="customer")


async def _put_once(
    bundle: Bundle, customer_id: str, display_name: str, tenant_id: str, *, if_match: str | None, origin: Origin
) -> tuple[Stored[Customer], bool]:
    stored = await bundle.state.read_customer(customer_id)
    require_match(stored, if_match)
    if stored is None:
        customer = Customer(
            customer_id=customer_id,
            display_name=display_name,
            tenant_id=tenant_id,
            application=_assign(bundle, customer_id).client_id,
            ownership_nonce=bundle.randomness.new_id(),
            created_at=bundle.clock.now(),
        )
        data = {"displayName": display_name, "tenantId": tenant_id, "application": customer.application}
        return await commit(bundle, customer, Record.CUSTOMER_REGISTERED, data, previous=None, origin=origin), True
    if stored.value.tenant_id != tenant_id:
        raise Conflict(
            "The tenant of a customer cannot be changed; register another customer for another tenant.",
            target="tenantId",
            code="TenantFixed",
        )
    changed = replace(stored.value, display_name=display_name)
    if changed == stored.value:
        return stored, False
    data = {"displayName": display_name}
    return await commit(bundle, changed, Record.CUSTOMER_CHANGED, data, previous=stored, origin=origin), False


async def get_customer(bundle: Bundle, customer_id: str) -> CustomerView:
    """Read a customer with its phase and counts, derived from its rows now. Raises `NotFound`."""
    stored = await find_customer(bundle, customer_id)
    rows = await bundle.state.read_rows(customer_id)
    keys, resources = count_rows(rows)
    return CustomerView(customer=stored, phase=phase_of(rows), keys_by_health=keys, resources_by_state=resources)


async def list_customers(
    bundle: Bundle, *, top: int, after: str | None, phase: str | None, health: str | None
) -> Sequence[FleetRow]:
    """Up to `top` summaries after an id, from the read model, filtered by phase or by the health of any key."""
    found: list[FleetRow] = []
    cursor = after
    while len(found) < top:
        page = await bundle.fleet.read_customers(limit=1000, after=cursor)
        found.extend(
            row
            for row in page
            if (phase is None or row.phase == phase) and (health is None or row.keys_by_health.get(health, 0) > 0)
        )
        if len(page) < 1000:
            break
        cursor = page[-1].customer_id
    return found[:top]


def pool_application(bundle: Bundle, customer: Customer) -> PoolApplication:
    """The pool entry a customer was assigned at creation. Raises `Conflict` when it left the settings."""
    for application in bundle.settings.applications:
        if application.client_id == customer.application:
            return application
    raise Conflict(
        f"Application {customer.application} of customer {customer.customer_id} is missing in CROSSKEY_APPLICATIONS.",
        code="ApplicationNotConfigured",
    )


def _assign(bundle: Bundle, customer_id: str) -> PoolApplication:
    """Spread customers over the pool; the choice is stored with the customer and never made again."""
    pool = bundle.settings.applications
    return pool[zlib.crc32(customer_id.encode()) % len(pool)]


def _checked_display_name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > MAX_DISPLAY_NAME or not name.isprintable():
        raise BadInput(
            f"displayName must be 1 to {MAX_DISPLAY_NAME} printable characters.",
            target="displayName",
            code="DisplayNameMalformed",
        )
    return name
