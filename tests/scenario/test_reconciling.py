"""Reconciling for no reason writes nothing; reconciling very many at once gets every one of them right."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from local.actors import wait_until
from tests.scenario.scene import Scene

MANY = 200


def test_reconciling_what_is_as_it_should_be_writes_nothing_anywhere(scene: Scene) -> None:
    customer = scene.protected_customer()
    scene.rest()
    before, calls = scene.storage.etags(), scene.last_call()
    log = scene.log.position()
    for _ in range(3):
        scene.portal.call("POST", f"{customer.path}/resources/data/reconcile")
    wait_until(lambda: scene.log.count("WorkDone", after=log, kind="reconcileResource") == 3, "the three looks")
    scene.settle()
    assert scene.storage.etags() == before
    by_arm = scene.control.calls(after=calls, service="arm")
    assert {call["method"] for call in by_arm} == {"GET"}
    assert [call["path"] for call in by_arm] == [customer.account_id()] * 3


def test_a_sweep_over_a_world_as_it_should_be_writes_its_own_row_alone(scene: Scene) -> None:
    customer = scene.protected_customer()
    # One hour of sweeps: each key's probe falls into one of them.
    scene.rest()
    before, calls = scene.storage.etags(), scene.last_call()
    scene.sweep()
    after = scene.storage.etags()
    changed = {row for row in before.keys() | after.keys() if before.get(row) != after.get(row)}
    mine = {row for row in changed if customer.id in row[1] or customer.id in row[2]}
    assert mine == set()
    assert {(table, partition) for table, partition, _ in changed} == {("fleet", "sweeps")}
    assert all(call["method"] == "GET" for call in scene.control.calls(after=calls, service="arm"))


def test_two_hundred_resources_protected_at_once_are_all_protected_and_announced_once(scene: Scene) -> None:
    customer = scene.ready_customer()
    # The write budget of the subscription is full again.
    scene.control.advance(timedelta(minutes=1))
    scene.settle()
    for number in range(MANY):
        customer.create_account(number)
    log = scene.log.position()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: customer.begin_protecting(f"data-{number}", number), range(MANY)))
    # The local Azure is asked and not the app, which has enough to do.
    wait_until(lambda: len(customer.announced("ResourceProtected")) >= MANY, "all of them", within_seconds=60)
    scene.settle()
    assert scene.portal.call("GET", customer.path)["counts"]["resources"] == {"protected": MANY}
    assert scene.log.events("StaleWrite", after=log) == []
    assert scene.log.events("WorkFailed", after=log) == []
    events = customer.announced("ResourceProtected")
    assert sorted(event["data"]["resource"] for event in events) == sorted(f"data-{number}" for number in range(MANY))
    assert len({event["id"] for event in events}) == MANY
    customer.timeline_is_whole()
    sequences = [event["data"]["timelineSequence"] for event in customer.announced()]
    assert all(earlier < later for earlier, later in itertools.pairwise(sequences))
    assert scene.storage.outbox(customer.id) == []
