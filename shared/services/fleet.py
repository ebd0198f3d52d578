"""The fleet at a glance: sums over the read model."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from shared.bundle import Bundle
from shared.services.sweep import current_sweeps

PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSummary:
    """Counts over all customers. `as_of`: everything was looked at, or changed, no longer ago than this."""

    as_of: datetime
    customers: int
    attention: int
    by_phase: dict[str, int]
    keys_by_health: dict[str, int]
    resources_by_state: dict[str, int]


async def summarise_fleet(bundle: Bundle) -> FleetSummary:
    """Sum up the read model, page by page."""
    customers = attention = 0
    phases, keys, resources = Counter[str](), Counter[str](), Counter[str]()
    cursor: str | None = None
    while page := await bundle.fleet.read_customers(limit=PAGE, after=cursor):
        for row in page:
            customers += 1
            attention += row.attention
            phases[row.phase] += 1
            keys.update(row.keys_by_health)
            resources.update(row.resources_by_state)
        cursor = page[-1].customer_id
    sweeps = await current_sweeps(bundle)
    return FleetSummary(
        as_of=min((sweep.finished_at for sweep in sweeps), default=bundle.clock.now()),
        customers=customers,
        attention=attention,
        by_phase=dict(sorted(phases.items())),
        keys_by_health=dict(sorted(keys.items())),
        resources_by_state=dict(sorted(resources.items())),
    )
