"""Claims, timeline and fleet on the real Azurite."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.entities import write_time
from shared.bundle import Bundle
from shared.domain.entries import OutboxRow, TimelineEntry, TimelineHead, chain
from shared.errors import StaleWrite
from shared.stores import Claim, FleetRow, PaceRow, StoredHead, SweepRow
from tests.contract.adapters.rows import NOW, entry, key, resource


def claim(customer_id: str, *, owner: str | None = None, row: str = "key:primary") -> Claim:
    identifier = f"{customer_id}.vault.azure.net|cmk"
    return Claim(kind="key", identifier=identifier, customer_id=owner or customer_id, row=row, claimed_at=NOW)


async def test_the_first_claimant_owns_the_identifier(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    theirs = await bundle.claims.claim(claim(customer_id, owner="fabrikam"))
    assert theirs == mine
    assert await bundle.claims.find("key", mine.identifier) == mine


async def test_the_same_owner_again_renews_its_claim(bundle: Bundle, customer_id: str) -> None:
    first = await bundle.claims.claim(claim(customer_id))
    later = NOW + timedelta(hours=1)
    again = await bundle.claims.claim(replace(claim(customer_id), claimed_at=later))
    assert again.claimed_at == later
    assert again.etag != first.etag
    assert await bundle.claims.find("key", first.identifier) == again


async def test_only_the_owner_releases_a_claim(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    await bundle.claims.release("key", mine.identifier, customer_id="fabrikam", row=mine.row)
    await bundle.claims.release("key", mine.identifier, customer_id=customer_id, row="key:other")
    assert await bundle.claims.find("key", mine.identifier) == mine
    await bundle.claims.release("key", mine.identifier, customer_id=customer_id, row=mine.row)
    await bundle.claims.release("key", mine.identifier, customer_id=customer_id, row=mine.row)
    assert await bundle.claims.find("key", mine.identifier) is None


async def test_a_claim_that_was_renewed_is_not_swept_away(bundle: Bundle, customer_id: str) -> None:
    seen = await bundle.claims.claim(claim(customer_id))
    renewed = await bundle.claims.claim(claim(customer_id))
    await bundle.claims.remove_unchanged(seen)
    assert await bundle.claims.find("key", seen.identifier) == renewed
    await bundle.claims.remove_unchanged(renewed)
    assert await bundle.claims.find("key", seen.identifier) is None


async def test_every_claim_of_a_kind_is_listed(bundle: Bundle, customer_id: str) -> None:
    mine = await bundle.claims.claim(claim(customer_id))
    target = resource(customer_id, "data").resource_id
    other = await bundle.claims.claim(
        Claim(kind="resource", identifier=target.claim, customer_id=customer_id, row="resource:data", claimed_at=NOW)
    )
    assert mine in [one async for one in bundle.claims.read_all("key")]
    assert other in [one async for one in bundle.claims.read_all("resource")]
    assert other not in [one async for one in bundle.claims.read_all("key")]


async def test_claims_of_real_identifiers_are_storable(bundle: Bundle, customer_id: str) -> None:
    identifier = key(customer_id).identifier.claim
    made = await bundle.claims.claim(
        Claim(kind="test", identifier=identifier, customer_id=customer_id, row="key:primary", claimed_at=NOW)
    )
    found = await bundle.claims.find("test", identifier)
    assert found is not None
    assert found.identifier == made.identifier
    await bundle.claims.release("test", identifier, customer_id=found.customer_id, row=found.row)


def entries(count: int, *, after: TimelineHead | None = None) -> tuple[list[TimelineEntry], TimelineHead]:
    head = after or TimelineHead()
    made: list[TimelineEntry] = []
    for _ in range(count):
        sequence, before = head.sequence + 1, head.hash
        row = OutboxRow(
            row_key=f"outbox:{sequence}",
            entry_id=f"customer/{sequence}",
            recorded_at=NOW,
            entry=entry(number=sequence, text="ü", inner={"list": [1, None, True, 1.5]}),
        )
        made.append(chain(before, sequence, row))
        head = replace(head, sequence=sequence, hash=made[-1].hash)
    return made, replace(head, batch=tuple(one.entry_id for one in made), owner="worker-1", owned_until=NOW)


async def test_an_empty_timeline_has_a_fresh_head(bundle: Bundle, customer_id: str) -> None:
    assert await bundle.timeline.read_head(customer_id) == StoredHead(TimelineHead(), None)
    assert [one async for one in bundle.timeline.read_entries(customer_id)] == []


async def test_appended_entries_are_read_back_in_order(bundle: Bundle, customer_id: str) -> None:
    made, head = entries(99)
    stored = await bundle.timeline.append(
        customer_id, made, head, previous=await bundle.timeline.read_head(customer_id)
    )
    assert await bundle.timeline.read_head(customer_id) == stored
    assert [one async for one in bundle.timeline.read_entries(customer_id)] == made
    some = [one.sequence async for one in bundle.timeline.read_entries(customer_id, first=9, last=11)]
    assert some == [9, 10, 11]


async def test_of_two_appends_after_the_same_head_one_is_stale(bundle: Bundle, customer_id: str) -> None:
    empty = await bundle.timeline.read_head(customer_id)
    made, head = entries(2)
    stored = await bundle.timeline.append(customer_id, made, head, previous=empty)
    with pytest.raises(StaleWrite):
        await bundle.timeline.append(customer_id, made, head, previous=empty)
    more, longer = entries(1, after=head)
    await bundle.timeline.append(customer_id, more, longer, previous=stored)
    with pytest.raises(StaleWrite):
        await bundle.timeline.write_head(customer_id, head, previous=stored)
    assert [one.sequence async for one in bundle.timeline.read_entries(customer_id)] == [1, 2, 3]


async def test_the_head_alone_can_be_replaced(bundle: Bundle, customer_id: str) -> None:
    first = await bundle.timeline.write_head(
        customer_id, TimelineHead(owner="a"), previous=await bundle.timeline.read_head(customer_id)
    )
    second = await bundle.timeline.write_head(customer_id, TimelineHead(owner="b"), previous=first)
    assert await bundle.timeline.read_head(customer_id) == second


async def test_customers_are_listed_in_order_and_by_pages(bundle: Bundle, customer_id: str) -> None:
    rows = [
        FleetRow(
            customer_id=f"{customer_id}-{number}",
            display_name="Contoso",
            tenant_id="t",
            phase="active",
            keys_by_health={"healthy": number},
            updated_at=NOW,
        )
        for number in range(3)
    ]
    for row in reversed(rows):
        await bundle.fleet.write_customer(row)
    await bundle.fleet.write_customer(replace(rows[0], attention=True))
    first = await bundle.fleet.read_customers(limit=2, after=customer_id)
    assert list(first) == [replace(rows[0], attention=True), rows[1]]
    assert (await bundle.fleet.read_customers(limit=1, after=first[-1].customer_id))[0] == rows[2]
    for row in rows:
        await bundle.fleet.delete_customer(row.customer_id)
        await bundle.fleet.delete_customer(row.customer_id)
    assert rows[2] not in await bundle.fleet.read_customers(limit=1000)


async def test_a_sweep_range_remembers_its_last_sweep(bundle: Bundle) -> None:
    row = SweepRow(
        range_id="00-0f",
        finished_at=NOW,
        customers=1,
        keys_checked=2,
        resources_observed=3,
        queued=0,
        by_phase={"a": 1},
    )
    await bundle.fleet.write_sweep(replace(row, customers=9))
    await bundle.fleet.write_sweep(row)
    assert row in await bundle.fleet.read_sweeps()


async def test_pace_slots_are_handed_out_once(bundle: Bundle, customer_id: str) -> None:
    scope = f"{customer_id}/west europe#1?"
    empty = await bundle.fleet.read_pace(scope)
    assert empty == PaceRow(scope=scope)
    first = await bundle.fleet.write_pace(replace(empty, next_slot=NOW))
    with pytest.raises(StaleWrite):
        await bundle.fleet.write_pace(replace(empty, next_slot=NOW))
    second = await bundle.fleet.write_pace(replace(first, versionless_moves=True))
    with pytest.raises(StaleWrite):
        await bundle.fleet.write_pace(first)
    assert await bundle.fleet.read_pace(scope) == second


async def test_lost_work_is_kept_whatever_it_holds(bundle: Bundle, customer_id: str) -> None:
    await bundle.fleet.write_lost_work(f"{customer_id}/#?\\", "x" * 70_000 + "\x00ü", NOW)
    assert write_time(NOW) == "2026-11-22T12:00:00.123456+00:00"
