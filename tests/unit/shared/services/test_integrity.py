"""The integrity check while a timeline grows, and what it finds beyond rewritten entries."""

from dataclasses import replace

import pytest

from shared.services.drain import drain_timeline
from shared.services.timeline import check_integrity
from shared.stores import StoredHead
from tests.fakes import make_world
from tests.unit.shared.services.stage import CONTOSO
from tests.unit.shared.services.test_drain import write


async def test_entries_that_come_while_the_check_reads_are_no_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    await write(world.bundle, 2)
    await drain_timeline(world.bundle, CONTOSO)
    read_head, looks = world.timeline.read_head, 0

    async def read_head_and_append(customer_id: str) -> StoredHead:
        nonlocal looks
        looks += 1
        found = await read_head(customer_id)
        if looks == 1:
            await write(world.bundle, 3)
            await drain_timeline(world.bundle, CONTOSO)
        return found

    monkeypatch.setattr(world.timeline, "read_head", read_head_and_append)
    integrity = await check_integrity(world.bundle, CONTOSO)
    assert (integrity.intact, integrity.entries) == (True, 5)
    assert integrity.head_hash == (await read_head(CONTOSO)).head.hash


async def test_an_entry_beyond_the_head_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    await write(world.bundle, 3)
    await drain_timeline(world.bundle, CONTOSO)
    entries = [entry async for entry in world.timeline.read_entries(CONTOSO)]
    stored = await world.timeline.read_head(CONTOSO)
    head = replace(stored.head, sequence=2, hash=entries[1].hash)

    async def read_older_head(_: str) -> StoredHead:
        return replace(stored, head=head)

    monkeypatch.setattr(world.timeline, "read_head", read_older_head)
    integrity = await check_integrity(world.bundle, CONTOSO)
    assert (integrity.intact, integrity.first_bad_sequence) == (False, 3)


async def test_a_cut_tail_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    await write(world.bundle, 3)
    await drain_timeline(world.bundle, CONTOSO)
    stored = await world.timeline.read_head(CONTOSO)

    async def read_longer_head(_: str) -> StoredHead:
        return replace(stored, head=replace(stored.head, sequence=4))

    monkeypatch.setattr(world.timeline, "read_head", read_longer_head)
    integrity = await check_integrity(world.bundle, CONTOSO)
    assert (integrity.intact, integrity.first_bad_sequence) == (False, 4)
