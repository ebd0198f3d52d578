"""A request that loses races repeats itself and leaves one operation, whoever was first."""

from dataclasses import replace

import pytest

from shared.bundle import Bundle
from shared.domain.model import Operation, ResourceState
from shared.errors import StaleWrite
from shared.services.commits import RACES
from shared.services.resources import put_resource, release_resource
from tests.unit.shared.services.crash import restarted
from tests.unit.shared.services.interleave import interleaved
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    Stage,
    protect,
    protected_account,
    unprotected_account,
)


async def operations(stage: Stage) -> list[Operation]:
    return [stored.value for stored in (await stage.world.state.read_rows(CONTOSO)).operations]


def race(stage: Stage, process: Bundle, lost: int) -> Bundle:
    """The process loses so many races for the resource's own row, before anything of the commit took effect."""
    left = [lost]

    class State:
        def __getattr__(self, name: str) -> object:
            return getattr(stage.world.state, name)

        async def commit(self, value: object, *args: object, **kwargs: object) -> object:
            if left[0] and not isinstance(value, Operation):
                left[0] -= 1
                raise StaleWrite("another writer was first")
            return await stage.world.state.commit(value, *args, **kwargs)  # type: ignore[type-var,arg-type]  # passed on

    return replace(process, state=State())  # type: ignore[arg-type]  # it has every operation of the port


@pytest.mark.parametrize("lost", range(RACES))
async def test_a_put_that_loses_races_leaves_one_operation(lost: int) -> None:
    stage = await unprotected_account()
    operation = await protect(stage, race(stage, restarted(stage.bundle), lost))
    assert [one.operation_id for one in await operations(stage)] == [operation.operation_id]
    assert (await stage.resource()).operation_id == operation.operation_id
    await stage.work_off()
    assert (await stage.operation(operation.operation_id)).succeeded


async def test_a_put_that_loses_every_race_is_told_to_come_again() -> None:
    stage = await unprotected_account()
    with pytest.raises(StaleWrite):
        await protect(stage, race(stage, restarted(stage.bundle), RACES))
    assert await stage.world.state.read_resource(CONTOSO, "data") is None
    operation = await protect(stage)
    await stage.work_off()
    assert (await stage.operation(operation.operation_id)).succeeded


async def test_two_puts_at_once_answer_one_operation_whichever_call_they_meet_at() -> None:
    for at in range(1, 40):
        stage = await unprotected_account()
        answered: list[str] = []

        async def turn(stage: Stage = stage, answered: list[str] = answered) -> None:
            answered.append((await protect(stage, restarted(stage.bundle))).operation_id)

        process, meeting = interleaved(stage.bundle, at, turn)
        answered.append((await protect(stage, process)).operation_id)
        await stage.work_off()
        assert len(set(answered)) == 1, meeting.where
        assert (await stage.resource()).operation_id == answered[0], meeting.where
        assert (await stage.resource()).state is ResourceState.PROTECTED, meeting.where
        assert (await stage.operation(answered[0])).succeeded, meeting.where
        assert stage.announced().count("ResourceProtected") == 1, meeting.where
        if meeting.where is None:
            return
    raise AssertionError("it never ran through")


async def test_a_put_over_a_release_that_loses_a_race_leaves_one_operation_of_its_own() -> None:
    stage = await protected_account()
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    before = {one.operation_id for one in await operations(stage)}
    operation = await protect(stage, race(stage, restarted(stage.bundle), 2))
    assert {one.operation_id for one in await operations(stage)} - before == {operation.operation_id}


async def test_a_put_answers_the_row_as_the_race_left_it() -> None:
    stage = await protected_account()
    stored, _ = await put_resource(
        race(stage, restarted(stage.bundle), 1),
        CONTOSO,
        "data",
        resource_id=str(ACCOUNT),
        key="primary",
        drift_policy="report",
        if_match=None,
        origin=ORIGIN,
    )
    assert stored == await stage.world.state.read_resource(CONTOSO, "data")
    assert stored.value.drift_policy.value == "report"
