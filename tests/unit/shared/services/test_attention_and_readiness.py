"""The poison queue's side, and asking every dependency whether it works."""

import pytest

from shared.domain.reasons import Reason
from shared.domain.work import WorkItem, WorkKind
from shared.errors import CredentialRefused, CrossKeyError, Unavailable
from shared.services.attention import set_aside
from shared.services.readiness import check_readiness
from shared.services.work_codec import render_work_item
from tests.fakes import APPLICATION, make_world
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protected_account


def message(kind: WorkKind, name: str = "", *, customer_id: str = CONTOSO) -> str:
    return render_work_item(
        WorkItem(id="item-1", kind=kind, customer_id=customer_id, name=name, origin=ORIGIN, attempt=11)
    )


async def attention_of(stage: Stage) -> dict[str, Reason | None]:
    marks = {
        "key": (await stage.key()).attention,
        "resource": (await stage.resource()).attention,
        "customer": (await stage.customer()).attention,
    }
    return {name: None if mark is None else mark.reason for name, mark in marks.items()}


@pytest.mark.parametrize(
    ("kind", "name", "marked"),
    [
        (WorkKind.CHECK_KEY, "primary", "key"),
        (WorkKind.RECONCILE_RESOURCE, "data", "resource"),
        (WorkKind.CHECK_CUSTOMER, "", "customer"),
        (WorkKind.DRAIN_TIMELINE, "", "customer"),
    ],
)
async def test_the_object_of_poisoned_work_is_marked_and_announced(kind: WorkKind, name: str, marked: str) -> None:
    stage = await protected_account()
    await set_aside(stage.bundle, message(kind, name), message_id="message-1")
    attention = await attention_of(stage)
    assert attention.pop(marked) is Reason.WORK_POISONED
    assert set(attention.values()) == {None}
    await stage.work_off()
    told = stage.world.notifications.distinct[-1]
    assert told.type == "CrossKey.AttentionNeeded"
    assert (told.data["work"], told.data["workItem"]) == (kind.value, "item-1")
    assert not stage.world.fleet.lost_work


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "{}",
        message(WorkKind.SWEEP_RANGE, "0of1"),
        message(WorkKind.CHECK_KEY, "nobody"),
        message(WorkKind.RECONCILE_RESOURCE, "nobody"),
        message(WorkKind.CHECK_CUSTOMER, customer_id="fabrikam"),
    ],
)
async def test_a_message_that_names_no_object_is_kept_word_for_word(text: str) -> None:
    stage = await protected_account()
    writes = stage.world.state.writes
    await set_aside(stage.bundle, text, message_id="message-1")
    assert stage.world.fleet.lost_work == {"message-1": (text, stage.world.clock.now())}
    assert stage.world.state.writes == writes


async def test_a_poisoned_message_that_comes_twice_calls_a_person_once() -> None:
    stage = await protected_account()
    for _ in range(2):
        await set_aside(stage.bundle, message(WorkKind.CHECK_KEY, "primary"), message_id="message-1")
        await stage.work_off()
    assert stage.announced().count("AttentionNeeded") == 1


async def test_a_marked_key_is_well_again_after_a_good_look() -> None:
    stage = await protected_account()
    await set_aside(stage.bundle, message(WorkKind.CHECK_KEY, "primary"), message_id="message-1")
    await stage.check(thorough=True)
    assert (await stage.key()).attention is None


async def test_a_marked_resource_is_well_again_after_a_good_run() -> None:
    stage = await protected_account()
    await set_aside(stage.bundle, message(WorkKind.RECONCILE_RESOURCE, "data"), message_id="message-1")
    await stage.reconcile()
    assert (await stage.resource()).attention is None


async def test_a_mark_that_could_not_be_written_is_raised_so_that_the_message_comes_again() -> None:
    stage = await protected_account()
    stage.world.state.break_before("commit", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await set_aside(stage.bundle, message(WorkKind.CHECK_KEY, "primary"), message_id="message-1")


async def test_everything_that_answers_is_ready() -> None:
    world = make_world()
    answers = await check_readiness(world.bundle)
    assert [answer.name for answer in answers] == ["tables", "queue", "signingKeys", "managedIdentity"]
    assert all(answer.ok for answer in answers)
    assert world.credentials.assertions == {APPLICATION: 1}


@pytest.mark.parametrize(
    ("name", "port", "operation"),
    [
        ("tables", "fleet", "read_sweeps"),
        ("queue", "queue", "ping"),
        ("signingKeys", "signing_keys", "find"),
        ("managedIdentity", "credentials", "obtain_assertion"),
    ],
)
@pytest.mark.parametrize("error", [Unavailable("no answer"), CredentialRefused("refused", aadsts=700213)])
async def test_what_does_not_answer_is_named_and_the_others_are_asked_all_the_same(
    name: str, port: str, operation: str, error: CrossKeyError
) -> None:
    world = make_world()
    getattr(world, port).break_before(operation, error)
    answers = {answer.name: answer for answer in await check_readiness(world.bundle)}
    assert [other for other, answer in answers.items() if not answer.ok] == [name]
    assert answers[name].detail == f"{error.code}: {error.message}"
