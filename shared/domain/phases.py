"""The phase of a customer: a pure function of its rows."""

from collections.abc import Iterable
from enum import StrEnum

from shared.domain.limited import is_limited
from shared.domain.model import REVOKED_STATES, Customer, HealthState, Key, Resource, ResourceState, VerificationState


class Phase(StrEnum):
    """Where a customer stands."""

    ONBOARDING = "onboarding"
    ACTIVE = "active"
    DEGRADED = "degraded"
    REVOKED = "revoked"
    OFFBOARDING = "offboarding"
    OFFBOARDED = "offboarded"


TROUBLED = frozenset(
    {ResourceState.DRIFTED, ResourceState.BLOCKED, ResourceState.FAILED, ResourceState.GONE, ResourceState.STRANDED}
)
WELL = frozenset({HealthState.HEALTHY, HealthState.EXPIRING})


def _is_troubled(key: Key) -> bool:
    """A key that is not well, or that passed its checks once and does not any more."""
    if is_limited(key) and key.health.state is HealthState.UNOBSERVABLE:
        # It was never to be seen from here: that is what an operator accepted.
        return key.attention is not None
    unfit = key.latest_version is not None and key.verification.state is VerificationState.FAILED
    return key.health.state not in WELL or unfit or key.attention is not None


def customer_phase(customer: Customer, keys: Iterable[Key], resources: Iterable[Resource]) -> Phase:
    """Derive the phase. `revoked` means that a key that resources depend on was revoked by the customer."""
    keys = list(keys)
    resources = list(resources)
    if customer.leaving_since is not None:
        return Phase.OFFBOARDING
    if customer.onboarded_at is None:
        return Phase.ONBOARDING
    needed = {resource.key for resource in resources if resource.is_live}
    if any(key.health.state in REVOKED_STATES and key.name in needed for key in keys):
        return Phase.REVOKED
    troubled = (
        customer.attention is not None
        or any(_is_troubled(key) for key in keys)
        or any(resource.state in TROUBLED or resource.attention is not None for resource in resources)
    )
    return Phase.DEGRADED if troubled else Phase.ACTIVE
