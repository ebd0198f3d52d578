"""The read model: one row per customer in `fleet`, written by the drainer after each batch."""

from collections import Counter

from shared.bundle import Bundle
from shared.domain.entries import TimelineHead
from shared.domain.phases import customer_phase
from shared.stores import CustomerRows, FleetRow


async def summarise_customer(bundle: Bundle, customer_id: str, head: TimelineHead) -> None:
    """Write the customer's summary from its rows; remove it when the customer has left."""
    rows = await bundle.state.read_rows(customer_id)
    if rows.customer is None:
        await bundle.fleet.delete_customer(customer_id)
        return
    customer = rows.customer.value
    keys_by_health, resources_by_state = count_rows(rows)
    await bundle.fleet.write_customer(
        FleetRow(
            customer_id=customer_id,
            display_name=customer.display_name,
            tenant_id=customer.tenant_id,
            phase=phase_of(rows),
            keys_by_health=keys_by_health,
            resources_by_state=resources_by_state,
            attention=needs_attention(rows),
            timeline_sequence=head.sequence,
            timeline_hash=head.hash,
            updated_at=bundle.clock.now(),
        )
    )


def count_rows(rows: CustomerRows) -> tuple[dict[str, int], dict[str, int]]:
    """Count keys by health and resources by state."""
    keys = Counter(stored.value.health.state.value for stored in rows.keys)
    resources = Counter(stored.value.state.value for stored in rows.resources)
    return dict(sorted(keys.items())), dict(sorted(resources.items()))


def phase_of(rows: CustomerRows) -> str:
    """The customer's phase, derived from its rows; empty when there is no customer."""
    if rows.customer is None:
        return ""
    keys = [stored.value for stored in rows.keys]
    resources = [stored.value for stored in rows.resources]
    return customer_phase(rows.customer.value, keys, resources).value


def needs_attention(rows: CustomerRows) -> bool:
    """Whether anything of the customer was set aside for a person."""
    owners = [rows.customer, *rows.keys, *rows.resources]
    return any(stored is not None and stored.value.attention is not None for stored in owners)
