"""How the fleet is cut into sweep ranges, and when a key's probe is due. Pure; nothing of it is stored."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

CUSTOMERS_PER_RANGE = 250
MAX_RANGES = 256
SWEEP_INTERVAL = timedelta(minutes=5)
PROBE_INTERVAL = timedelta(hours=1)
KEEP_FINISHED = timedelta(days=30)
CLAIM_GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SweepRange:
    """Part `index` of `count` equal parts of the 256 partition prefixes. `count` is a power of two."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes, such as `3of16`."""
        index, _, count = text.partition("of")
        return cls(int(index), int(count))

    @property
    def first(self) -> str:
        """The first prefix of the range, two hexadecimal digits."""
        return f"{self.index * (256 // self.count):02x}"

    @property
    def last(self) -> str:
        """The last prefix of the range, inclusive."""
        return f"{(self.index + 1) * (256 // self.count) - 1:02x}"

    def holds(self, customer_id: str) -> bool:
        """Whether a customer's partition lies in the range."""
        return self.first <= partition_prefix(customer_id) <= self.last

    def __str__(self) -> str:
        return f"{self.index}of{self.count}"


def ranges_for(customers: int) -> list[SweepRange]:
    """As many ranges as keep each at about 250 customers."""
    count = 1
    while count < MAX_RANGES and customers > count * CUSTOMERS_PER_RANGE:
        count *= 2
    return [SweepRange(index, count) for index in range(count)]


def partition_prefix(customer_id: str) -> str:
    """The first byte of the id's SHA-256, as two hexadecimal digits."""
    return hashlib.sha256(customer_id.encode()).hexdigest()[:2]


def probe_is_due(customer_id: str, key: str, *, since: datetime | None, now: datetime) -> bool:
    """Whether the key's slot of the hour came up after the last sweep, at `since`: however far apart sweeps are.

    Every key has its own slot, so that the load is even.
    """
    slots = PROBE_INTERVAL // SWEEP_INTERVAL
    wanted = int(hashlib.sha256(f"{customer_id}/{key}".encode()).hexdigest(), 16) % slots
    length = SWEEP_INTERVAL.total_seconds()
    present = int(now.timestamp() // length)
    first = present if since is None else int(since.timestamp() // length) + 1
    return any(slot % slots == wanted for slot in range(max(first, present - slots + 1), present + 1))
