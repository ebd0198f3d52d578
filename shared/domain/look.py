"""One look at a key beside what is recorded of it: what every check is given."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.findings import CheckResult, Finding
from shared.domain.key_memory import LearntBy
from shared.domain.key_observation import KeyObservation
from shared.domain.model import Customer, Key
from shared.domain.remedies import ownership_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One observation beside what is recorded of the customer and the key."""

    customer: Customer
    key: Key
    seen: KeyObservation
    now: datetime
    claimed_elsewhere: bool = False
    unusable: CheckResult | None = None
    """A newer version that failed its checks, when this look is at the version taken over instead."""
    storage_accepted: bool = False
    storage_refused: Finding | None = None
    """What Azure Storage did with the key; asked only for a key that CrossKey has never reached."""
    learnt_by: LearntBy | None = None
    """How CrossKey came to look, where that tells whether the vault's events arrive."""


def owns_key(look: Look) -> bool:
    """Whether the key carries the tag with this customer's nonce."""
    name, value = ownership_tag(look.customer)
    return look.seen.key is not None and look.seen.key.tags.get(name) == value
