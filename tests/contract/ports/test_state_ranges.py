"""What every state store does with ranges: each customer is in exactly one, and nobody is left out."""

import uuid
from dataclasses import dataclass

import pytest

from shared.adapters.entities import range_prefix
from shared.bundle import Bundle
from shared.stores import CustomerRows
from tests.contract.adapters.rows import NOW, customer, entry, key, resource


@dataclass(frozen=True, slots=True)
class Neighbours:
    """One customer in each of three neighbouring prefixes, none of them at an end."""

    below: str
    inside: str
    above: str


def customer_in(prefix: int) -> str:
    """A new customer whose id has the range prefix."""
    while True:
        made = f"range-{uuid.uuid4().hex[:12]}"
        if range_prefix(made) == f"{prefix:02x}":
            return made


@pytest.fixture
async def neighbours(bundle: Bundle) -> Neighbours:
    made = Neighbours(customer_in(0x7E), customer_in(0x7F), customer_in(0x80))
    for customer_id in (made.below, made.inside, made.above):
        await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    return made


async def read(bundle: Bundle, first: str, last: str) -> dict[str, CustomerRows]:
    """A range by customer; a customer that comes twice is an error."""
    found: dict[str, CustomerRows] = {}
    async for customer_id, rows in bundle.state.read_range(first, last):
        assert customer_id not in found
        found[customer_id] = rows
    return found


async def test_both_ends_of_a_range_belong_to_it(bundle: Bundle, neighbours: Neighbours) -> None:
    everybody = {neighbours.below, neighbours.inside, neighbours.above}

    async def ours(first: str, last: str) -> set[str]:
        return everybody & (await read(bundle, first, last)).keys()

    assert await ours("7e", "80") == everybody
    assert await ours("7e", "7f") == {neighbours.below, neighbours.inside}
    assert await ours("7f", "7f") == {neighbours.inside}
    assert await ours("81", "ff") == set()
    assert await ours("00", "7d") == set()


@pytest.mark.parametrize("prefix", [0x00, 0xFF])
async def test_the_whole_range_has_no_edge_to_fall_off(bundle: Bundle, prefix: int) -> None:
    customer_id = customer_in(prefix)
    await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    assert customer_id in await read(bundle, "00", "ff")
    assert customer_id in await read(bundle, f"{prefix:02x}", f"{prefix:02x}")


async def test_a_range_holds_all_of_each_customer(bundle: Bundle, neighbours: Neighbours) -> None:
    for customer_id in (neighbours.below, neighbours.inside):
        await bundle.state.commit(key(customer_id), entry(), previous=None, now=NOW)
        await bundle.state.commit(resource(customer_id, "data"), entry(), previous=None, now=NOW)
    found = await read(bundle, "7e", "80")
    for customer_id in (neighbours.below, neighbours.inside, neighbours.above):
        assert found[customer_id] == await bundle.state.read_rows(customer_id)
    assert [len(found[one].outbox) for one in (neighbours.below, neighbours.above)] == [3, 1]


async def test_a_customer_of_whom_only_the_outbox_is_left_is_in_its_range(bundle: Bundle) -> None:
    customer_id = customer_in(0x7F)
    made = await bundle.state.commit(customer(customer_id), entry(), previous=None, now=NOW)
    await bundle.state.remove(made, entry(), now=NOW)
    found = (await read(bundle, "7f", "7f"))[customer_id]
    assert (found.customer, len(found.outbox)) == (None, 2)
    await bundle.state.delete_outbox(customer_id, [row.row_key for row in found.outbox])
    assert customer_id not in await read(bundle, "7f", "7f")
