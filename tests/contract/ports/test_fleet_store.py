"""What every fleet store does: summaries in order, the last sweep of a range, guarded pacing; and lost work kept."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.bundle import Bundle
from shared.errors import StaleWrite
from shared.stores import FleetRow, PaceRow, SweepRow
from tests.contract.adapters.rows import NOW
from tests.contract.ports.stage import Stage


def summary(customer_id: str, **attributes: object) -> FleetRow:
    row = FleetRow(
        customer_id=customer_id,
        display_name="Grüße",
        tenant_id="t",
        phase="active",
        keys_by_health={"healthy": 2},
        resources_by_state={"protected": 3, "drifted": 1},
        timeline_sequence=7,
        timeline_hash="f" * 64,
        updated_at=NOW,
    )
    return replace(row, **attributes)  # type: ignore[arg-type]  # names of FleetRow's fields


async def write(bundle: Bundle, customer_id: str, count: int) -> list[FleetRow]:
    rows = [summary(f"{customer_id}-{number}") for number in range(count)]
    for row in reversed(rows):
        await bundle.fleet.write_customer(row)
    return rows


async def ours(bundle: Bundle, customer_id: str) -> list[FleetRow]:
    found = await bundle.fleet.read_customers(limit=1000, after=customer_id)
    return [row for row in found if row.customer_id.startswith(customer_id)]


async def test_the_last_summary_written_is_the_one_that_is_read(bundle: Bundle, customer_id: str) -> None:
    (row,) = await write(bundle, customer_id, 1)
    assert await ours(bundle, customer_id) == [row]
    changed = replace(row, attention=True, keys_by_health={}, phase="leaving")
    await bundle.fleet.write_customer(changed)
    assert await ours(bundle, customer_id) == [changed]


async def test_customers_are_listed_in_order_and_by_pages(bundle: Bundle, customer_id: str) -> None:
    rows = await write(bundle, customer_id, 5)
    found: list[FleetRow] = []
    after = customer_id
    while len(found) < 5:
        page = await bundle.fleet.read_customers(limit=2, after=after)
        assert 0 < len(page) <= 2
        found += page
        after = page[-1].customer_id
    assert found[:5] == rows
    assert list(await bundle.fleet.read_customers(limit=0, after=customer_id)) == []


async def test_without_a_start_the_first_customers_are_listed(bundle: Bundle) -> None:
    # Before every other id, so that the tables may hold what they like.
    first = summary("000")
    await bundle.fleet.write_customer(first)
    assert list(await bundle.fleet.read_customers(limit=1)) == [first]
    assert first not in await bundle.fleet.read_customers(limit=1000, after="000")
    await bundle.fleet.delete_customer("000")


async def test_a_summary_that_is_deleted_twice_is_gone(bundle: Bundle, customer_id: str) -> None:
    rows = await write(bundle, customer_id, 2)
    await bundle.fleet.delete_customer(rows[0].customer_id)
    await bundle.fleet.delete_customer(rows[0].customer_id)
    assert await ours(bundle, customer_id) == rows[1:]


async def test_a_range_remembers_its_last_sweep_beside_the_others(bundle: Bundle) -> None:
    row = SweepRow(
        range_id="1of2",
        finished_at=NOW,
        customers=1,
        keys_checked=2,
        resources_observed=3,
        queued=0,
        by_phase={"active": 1},
        by_health={"healthy": 2},
    )
    other = replace(row, range_id="0of2", finished_at=NOW + timedelta(minutes=1))
    await bundle.fleet.write_sweep(replace(row, customers=9, by_phase={}))
    await bundle.fleet.write_sweep(other)
    await bundle.fleet.write_sweep(row)
    found = [one for one in await bundle.fleet.read_sweeps() if one.range_id in {"0of2", "1of2"}]
    assert sorted(found, key=lambda one: one.range_id) == [other, row]


async def test_pace_slots_are_handed_out_once(bundle: Bundle, customer_id: str) -> None:
    scope = f"{customer_id}/west europe#1?"
    empty = await bundle.fleet.read_pace(scope)
    assert empty == PaceRow(scope=scope)
    first = await bundle.fleet.write_pace(replace(empty, next_slot=NOW))
    assert first.etag
    assert await bundle.fleet.read_pace(scope) == first
    with pytest.raises(StaleWrite):
        await bundle.fleet.write_pace(replace(empty, next_slot=NOW))
    second = await bundle.fleet.write_pace(replace(first, versionless_moves=True))
    assert (second.next_slot, second.versionless_moves) == (NOW, True)
    with pytest.raises(StaleWrite):
        await bundle.fleet.write_pace(first)
    assert await bundle.fleet.read_pace(scope) == second


async def test_the_paces_of_two_scopes_are_apart(bundle: Bundle, customer_id: str) -> None:
    # Percent signs are escaped too, or these two would be one.
    scopes = [f"{customer_id}/a", f"{customer_id}%2Fa"]
    for number, scope in enumerate(scopes):
        await bundle.fleet.write_pace(PaceRow(scope=scope, next_slot=NOW + timedelta(hours=number)))
    assert [(await bundle.fleet.read_pace(scope)).next_slot for scope in scopes] == [NOW, NOW + timedelta(hours=1)]


async def test_lost_work_is_kept_whatever_it_and_its_id_hold(stage: Stage, customer_id: str) -> None:
    odd = {
        f"{customer_id}/#?\\%'": "x" * 70_000 + "\x00ü",
        f"{customer_id} ü\n|": "",
        f"{customer_id}.": '{"half',
    }
    for message_id, text in odd.items():
        await stage.bundle.fleet.write_lost_work(message_id, text, NOW)
    kept = await stage.lost_work()
    assert {message_id: kept[message_id] for message_id in odd} == {
        message_id: (text, NOW) for message_id, text in odd.items()
    }


async def test_the_same_lost_work_again_is_kept_once(stage: Stage, customer_id: str) -> None:
    for _ in range(2):
        await stage.bundle.fleet.write_lost_work(customer_id, "text", NOW)
    assert (await stage.lost_work())[customer_id] == ("text", NOW)
