"""A commit wakes the drainer, unless a drain that has not begun yet will see the commit anyway."""

import asyncio

from shared.bundle import Bundle
from shared.domain.work import WorkKind
from shared.services.commits import wake_drainer
from tests.fakes import make_world
from tests.unit.shared.services.stage import CONTOSO, ORIGIN


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def wake(bundle: Bundle, customer_id: str = CONTOSO) -> None:
    await wake_drainer(bundle, customer_id, origin=ORIGIN)


async def test_a_commit_is_drained_once_while_a_drain_waits_to_begin() -> None:
    world, gate = make_world(), asyncio.Event()

    async def drain() -> None:
        await gate.wait()

    drains = world.bundle.drains
    running = asyncio.create_task(drains.run(CONTOSO, drain))
    await turn()
    await wake(world.bundle)  # the running one may be past this commit
    assert [item.kind for item in world.queue.items] == [WorkKind.DRAIN_TIMELINE]
    waiting = asyncio.create_task(drains.run(CONTOSO, drain))
    await turn()
    await wake(world.bundle)
    await wake(world.bundle, "fabrikam")
    assert [item.customer_id for item in world.queue.items] == [CONTOSO, "fabrikam"]
    gate.set()
    await asyncio.gather(running, waiting)
    await wake(world.bundle)
    assert len(world.queue.items) == 3
