"""What cannot be performed is set aside where a person sees it; nothing is lost and nothing is repeated for ever."""

import json
from datetime import timedelta

import pytest

from local.actors import wait_until
from tests.scenario.scene import Customer, Scene

ATTEMPTS = 5
VISIBLE_AGAIN = timedelta(seconds=31)


def fail_until_poisoned(scene: Scene, log: int) -> None:
    """Let the host repeat a message until it gives up."""
    for _ in range(ATTEMPTS):
        scene.settle()
        scene.control.advance(VISIBLE_AGAIN)
    wait_until(lambda: scene.log.count("WorkPoisoned", after=log) > 0, "the message to be set aside")
    scene.settle()


def item(customer: Customer, kind: str, name: str = "", *, attempt: int = 11) -> str:
    """A work item; by default at its last attempt."""
    return json.dumps(
        {
            "id": f"test-{customer.id}",
            "kind": kind,
            "customerId": customer.id,
            "requestId": "test",
            "cause": "test",
            "name": name,
            "attempt": attempt,
        }
    )


@pytest.mark.parametrize(
    "text",
    ['{"id": "half', '{"id": "1", "kind": "dropEverything", "customerId": "x", "requestId": "r", "cause": "c"}'],
    ids=["broken", "of an unknown kind"],
)
def test_a_malformed_message_is_kept_for_a_person(scene: Scene, text: str) -> None:
    log = scene.log.position()
    scene.storage.send(text)
    fail_until_poisoned(scene, log)
    assert text in scene.storage.lost_work()
    assert scene.storage.visible_messages() == 0


def test_a_message_about_a_customer_nobody_knows_is_dropped(scene: Scene) -> None:
    log, lost = scene.log.position(), scene.storage.lost_work()
    nobody = {"id": "nobody", "kind": "checkKey", "customerId": "nobody", "requestId": "r", "cause": "c", "name": "x"}
    scene.storage.send(json.dumps(nobody))
    wait_until(lambda: scene.log.count("WorkObsolete", after=log, work_item="nobody") == 1, "the message to be seen")
    scene.settle()
    assert scene.storage.lost_work() == lost
    assert scene.log.count("WorkFailed", after=log) == 0


def test_a_reconcile_that_keeps_failing_needs_attention_until_it_succeeds(scene: Scene) -> None:
    customer = scene.protected_customer()
    scene.settle()
    log = scene.log.position()
    fault = scene.control.add_fault("malformed", service="arm", operation="StorageAccounts.GetProperties")
    scene.storage.send(item(customer, "reconcileResource", "data"))
    fail_until_poisoned(scene, log)
    attention = customer.resource()["attention"]
    assert attention["reason"] == "WorkPoisoned"
    wait_until(lambda: customer.announced("AttentionNeeded"), "the notification")
    (needed,) = customer.announced("AttentionNeeded")
    assert (needed["data"]["row"], needed["data"]["work"]) == ("resource:data", "reconcileResource")
    assert scene.portal.call("GET", customer.path)["phase"] == "degraded"
    scene.control.remove_fault(fault)
    scene.portal.call("POST", f"{customer.path}/resources/data/reconcile")
    wait_until(lambda: customer.resource()["attention"] is None, "the attention to be over")
    assert scene.portal.call("GET", customer.path)["phase"] == "active"


def test_an_outage_postpones_work_and_ends_by_itself(scene: Scene) -> None:
    customer = scene.protected_customer()
    scene.settle()
    log = scene.log.position()
    scene.control.add_fault("status", service="arm", status=503, times=30)
    scene.storage.send(item(customer, "reconcileResource", "data", attempt=0))
    wait_until(
        lambda: scene.log.count("WorkPostponed", after=log, work_item=f"test-{customer.id}"), "the work to be postponed"
    )
    scene.settle()
    scene.control.clear_faults()
    scene.control.advance(timedelta(minutes=1))
    wait_until(
        lambda: scene.log.count("WorkStarted", after=log, work_item=f"test-{customer.id}") > 1, "the successor to run"
    )
    scene.settle()
    assert scene.log.count("WorkFailed", after=log) == 0
    assert customer.resource()["attention"] is None
    assert customer.announced("AttentionNeeded") == []
