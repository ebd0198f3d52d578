"""Reading a customer's timeline, and proving that nobody changed it."""

from dataclasses import dataclass

from shared.bundle import Bundle
from shared.domain.entries import GENESIS, TimelineEntry, entry_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """The result of recomputing the chain. `first_bad_sequence` names the first entry that contradicts it."""

    intact: bool
    entries: int
    head_hash: str
    first_bad_sequence: int | None


async def read_timeline(bundle: Bundle, customer_id: str, *, first: int, top: int) -> list[TimelineEntry]:
    """Up to `top` entries from sequence `first` on. The timeline of an offboarded customer stays readable."""
    last = first + top - 1
    return [entry async for entry in bundle.timeline.read_entries(customer_id, first=first, last=last)]


async def check_integrity(bundle: Bundle, customer_id: str) -> Integrity:
    """Recompute every hash from the first entry to the head.

    A gap, a changed entry, a cut tail and a head that does not belong are all found. A chain rewritten as a whole
    is found by whoever holds an older head hash, which every CloudEvent carries.
    """
    head = (await bundle.timeline.read_head(customer_id)).head
    tip, count, bad = GENESIS, 0, None
    at_head = GENESIS if head.sequence == 0 else None
    async for entry in bundle.timeline.read_entries(customer_id):
        expected = count + 1
        if bad is None and (entry.sequence != expected or entry.hash != entry_hash(tip, entry)):
            bad = expected
        tip, count = entry.hash, count + 1
        if count == head.sequence:
            at_head = tip
    if bad is None and at_head != head.hash:
        bad = min(count, head.sequence) + 1
    # Entries are appended together with a newer head, and that may have happened since the head was read.
    if bad is None and count > head.sequence and (await bundle.timeline.read_head(customer_id)).head.sequence < count:
        bad = head.sequence + 1
    head_hash = tip if bad is None else head.hash
    return Integrity(intact=bad is None, entries=count, head_hash=head_hash, first_bad_sequence=bad)
