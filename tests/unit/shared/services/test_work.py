"""Performing work items: what waits, how long, and where it ends."""

from datetime import timedelta

import pytest

from shared.domain.model import ResourceState
from shared.domain.sweeping import SWEEP_INTERVAL
from shared.domain.work import MAX_ATTEMPTS, MAX_DELAY, WorkItem, WorkKind
from shared.errors import (
    BadInput,
    Conflict,
    CredentialRefused,
    CrossKeyError,
    NameUnresolved,
    NotAllowed,
    NotAuthenticated,
    PreconditionFailed,
    Refused,
    SettingsInvalid,
    StaleWrite,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
)
from shared.services.check_key import queue_resources
from shared.services.drain import DrainedElsewhere
from shared.services.reconcile_resource import QUICK_REFUSALS, REFUSAL_DELAY
from shared.services.work import perform
from tests.fakes import FakeWorld, make_world
from tests.unit.shared.services.stage import (
    CONTOSO,
    ORIGIN,
    WHOLE_FLEET,
    account_id,
    protect,
    protected_account,
    registered_key,
    unprotected_account,
    verified_key,
)

WAITING: list[tuple[CrossKeyError, int, timedelta]] = [
    (Unavailable("no answer"), 0, timedelta(seconds=5)),
    (Unavailable("no answer"), 3, timedelta(seconds=40)),
    (Unavailable("no answer"), 10, MAX_DELAY),
    (Unavailable("no answer", retry_after=timedelta(seconds=17)), 0, timedelta(seconds=17)),
    (Unavailable("no answer", retry_after=timedelta(days=1)), 0, MAX_DELAY),
    (Throttled("429", retry_after=timedelta(seconds=42)), 5, timedelta(seconds=42)),
    (Throttled("429", retry_after=timedelta()), 0, timedelta(seconds=1)),
    (Throttled("429"), 1, timedelta(seconds=10)),
    (NameUnresolved("no address"), 2, timedelta(seconds=20)),
    (UnexpectedAnswer("not JSON"), 0, timedelta(seconds=5)),
    (StaleWrite("lost"), 0, timedelta(seconds=2)),
    (StaleWrite("lost"), 4, timedelta(seconds=10)),
    (DrainedElsewhere("held"), 2, timedelta(seconds=6)),
    (Refused("no", http_status=403), 0, timedelta(seconds=5)),
    (CredentialRefused("no", aadsts=700016), 0, timedelta(seconds=5)),
    (SettingsInvalid(("CROSSKEY_X is missing",)), 0, timedelta(seconds=5)),
    (Conflict("no"), 0, timedelta(seconds=5)),
    (BadInput("no"), 0, timedelta(seconds=5)),
    (PreconditionFailed("no"), 0, timedelta(seconds=5)),
    (NotAllowed("no"), 0, timedelta(seconds=5)),
    (NotAuthenticated("no"), 0, timedelta(seconds=5)),
]


def item(kind: WorkKind = WorkKind.DRAIN_TIMELINE, name: str = "", attempt: int = 0) -> WorkItem:
    return WorkItem(id="item-1", kind=kind, customer_id=CONTOSO, name=name, origin=ORIGIN, attempt=attempt)


def waiting(world: FakeWorld) -> tuple[WorkItem, timedelta]:
    (successor,) = world.queue.items
    assert world.queue.next_visible is not None
    return successor, world.queue.next_visible - world.clock.now()


@pytest.mark.parametrize(("error", "attempt", "delay"), WAITING)
async def test_work_that_must_wait_succeeds_and_leaves_its_successor_with_a_delay(
    error: CrossKeyError, attempt: int, delay: timedelta
) -> None:
    world = make_world()
    world.timeline.break_before("read_head", error)
    await perform(world.bundle, item(attempt=attempt))
    assert waiting(world) == (item(attempt=attempt + 1), delay)


async def test_work_that_others_do_all_the_time_is_left_to_them_and_poisons_nothing() -> None:
    world = make_world()
    world.timeline.break_before("read_head", DrainedElsewhere("busy"))
    await perform(world.bundle, item(attempt=MAX_ATTEMPTS - 1))
    assert not world.queue.items


LAST = [one[0] for one in WAITING if not isinstance(one[0], DrainedElsewhere)]


@pytest.mark.parametrize("error", LAST, ids=lambda error: type(error).__name__)
async def test_the_last_attempt_raises_and_leaves_no_successor(error: CrossKeyError) -> None:
    world = make_world()
    world.timeline.break_before("read_head", error)
    with pytest.raises(type(error)) as raised:
        await perform(world.bundle, item(attempt=MAX_ATTEMPTS - 1))
    assert raised.value is error
    assert not world.queue.items


async def test_work_is_tried_twelve_times_and_then_raised() -> None:
    stage = await verified_key()
    stage.world.state.break_before("read_key", *[Unavailable("no answer")] * 100)
    await stage.world.queue.enqueue(item(WorkKind.CHECK_KEY, "primary"))
    before = stage.world.state.calls["read_key"]
    await stage.work_off()
    assert stage.world.state.calls["read_key"] - before == MAX_ATTEMPTS
    assert [type(error) for error in stage.raised] == [Unavailable]


async def test_what_is_unexpected_is_raised_at_once() -> None:
    world = make_world()
    world.timeline.break_before("read_head", RuntimeError("a bug"))
    with pytest.raises(RuntimeError):
        await perform(world.bundle, item())
    assert not world.queue.items


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (WorkKind.CHECK_CUSTOMER, ""),
        (WorkKind.CHECK_KEY, "primary"),
        (WorkKind.RECONCILE_RESOURCE, "data"),
        (WorkKind.DRAIN_TIMELINE, ""),
    ],
)
async def test_work_on_what_was_removed_meanwhile_is_obsolete(kind: WorkKind, name: str) -> None:
    world = make_world()
    await perform(world.bundle, item(kind, name))
    assert not world.queue.items
    assert world.state.writes == 0


async def test_a_successor_is_the_same_work_for_the_same_cause() -> None:
    stage = await verified_key()
    stage.world.state.break_before("read_key", Unavailable("no answer"))
    await perform(stage.bundle, item(WorkKind.CHECK_KEY, "primary"))
    successor, _ = waiting(stage.world)
    assert successor == item(WorkKind.CHECK_KEY, "primary", attempt=1)


async def test_a_role_on_its_way_is_looked_for_every_minute_and_then_missing() -> None:
    stage = await registered_key()
    stage.vault.granted.clear()
    await stage.work_off()
    key = await stage.key()
    assert [reason.value for reason in key.health.reasons] == ["RoleMissing"]
    assert key.verification.checked_at is not None
    assert timedelta(minutes=10) <= key.verification.checked_at - key.registered_at <= timedelta(minutes=12)


async def test_a_refused_resource_is_tried_again_a_few_times_and_then_left_to_the_sweep() -> None:
    stage = await unprotected_account()
    stage.world.accounts.break_before("update", *[Refused("no", http_status=403, azure_code="ScopeLocked")] * 100)
    began = stage.world.clock.now()
    await protect(stage)
    await stage.work_off()
    assert stage.world.accounts.calls["update"] == QUICK_REFUSALS + 1
    assert stage.world.clock.now() - began == REFUSAL_DELAY * QUICK_REFUSALS
    assert not stage.raised


async def test_each_refusal_makes_the_sweep_wait_longer() -> None:
    stage = await unprotected_account()
    stage.world.accounts.break_before("update", *[Refused("no", http_status=403, azure_code="ScopeLocked")] * 100)
    await protect(stage)
    await stage.work_off()
    for _ in range(60 // 5):
        stage.world.clock.advance(SWEEP_INTERVAL)
        await stage.sweep()
        await stage.work_off()
    assert stage.world.accounts.calls["update"] <= QUICK_REFUSALS + 1 + 3


async def test_a_resource_that_waits_long_is_left_alone_by_the_sweep() -> None:
    stage = await unprotected_account()
    await protect(stage)
    stage.world.accounts.break_before("update", Throttled("429", retry_after=SWEEP_INTERVAL * 2))
    for one in stage.world.queue.take():
        await perform(stage.bundle, one)
    resource = await stage.resource()
    assert resource.queued_until == stage.world.clock.now() + SWEEP_INTERVAL * 2
    await perform(stage.bundle, item(WorkKind.SWEEP_RANGE, WHOLE_FLEET))
    asked = [one for one in stage.world.queue.items if one.kind is WorkKind.RECONCILE_RESOURCE]
    assert [one.attempt for one in asked] == [1]
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.PROTECTED


async def test_a_note_for_the_sweep_that_cannot_be_written_queues_nothing_twice() -> None:
    stage = await protected_account()
    stage.world.accounts.break_before("read", Throttled("429", retry_after=SWEEP_INTERVAL * 2))
    stage.world.state.break_before("commit", Unavailable("no answer"))
    await perform(stage.bundle, item(WorkKind.RECONCILE_RESOURCE, "data"))
    assert [one.attempt for one in stage.world.queue.items] == [1]


async def test_a_queue_that_does_not_answer_is_raised_as_what_it_is() -> None:
    stage = await protected_account()
    await protect(stage, name="more", account=account_id("contosomore"))
    stage.world.queue.take()
    stage.world.queue.break_before("enqueue", Unavailable("first"), Unavailable("second"))
    with pytest.raises(Unavailable):  # and not a group of errors, which nobody would handle
        await queue_resources(stage.bundle, await stage.key(), origin=ORIGIN)
