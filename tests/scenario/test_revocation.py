"""A revocation is announced when it was seen twice, its end at once, and an outage never looks like one."""

from datetime import timedelta
from typing import Any

from local.actors import wait_until
from shared.domain.sweeping import probe_is_due
from tests.scenario.scene import KEY_ROLE, SWEEP, Customer, Scene

CONFIRMATION = timedelta(seconds=31)


def recorded_health(scene: Scene, customer: Customer) -> dict[str, Any]:
    """The key's health as it is stored, the suspicion included."""
    row = scene.storage.customer_rows(customer.id)["key:primary"]
    return dict(row["health"])


def lose(scene: Scene, customer: Customer) -> None:
    """Let the suspicion be confirmed."""
    customer.verify()
    scene.control.advance(CONFIRMATION)
    wait_until(lambda: customer.announced("KeyAccessLost"), "the loss to be announced")


def test_a_disabled_key_is_suspected_first_and_announced_as_lost_after_thirty_seconds(scene: Scene) -> None:
    customer = scene.protected_customer()
    customer.administrator.update_key("cmk", customer.versions[0], attributes={"enabled": False})
    customer.verify()
    assert recorded_health(scene, customer)["suspected_state"] == "disabled"
    assert customer.key()["health"]["state"] == "healthy"
    assert customer.announced("KeyAccessLost") == []
    scene.control.advance(CONFIRMATION)
    wait_until(lambda: customer.announced("KeyAccessLost"), "the loss to be announced")
    scene.settle()
    (lost,) = customer.announced("KeyAccessLost")
    assert lost["data"]["health"] == "disabled"
    assert customer.key()["health"]["state"] == "disabled"
    assert scene.portal.call("GET", customer.path)["phase"] == "revoked"


def test_a_key_enabled_again_is_announced_as_restored_once(scene: Scene) -> None:
    customer = scene.protected_customer()
    customer.administrator.update_key("cmk", customer.versions[0], attributes={"enabled": False})
    lose(scene, customer)
    customer.administrator.update_key("cmk", customer.versions[0], attributes={"enabled": True})
    customer.verify()
    customer.verify()
    scene.settle()
    assert len(customer.announced("KeyAccessRestored")) == 1
    assert customer.key()["health"]["state"] == "healthy"
    assert scene.portal.call("GET", customer.path)["phase"] == "active"


def test_a_key_enabled_again_within_the_thirty_seconds_is_never_announced(scene: Scene) -> None:
    customer = scene.protected_customer()
    customer.administrator.update_key("cmk", customer.versions[0], attributes={"enabled": False})
    customer.verify()
    customer.administrator.update_key("cmk", customer.versions[0], attributes={"enabled": True})
    scene.control.advance(CONFIRMATION)
    scene.settle()
    customer.verify()
    scene.settle()
    assert recorded_health(scene, customer).get("suspected_at") is None
    assert customer.announced("KeyAccessLost") == []
    assert customer.announced("KeyAccessRestored") == []


def test_a_withdrawn_role_is_announced_as_lost(scene: Scene) -> None:
    customer = scene.protected_customer()
    principal = scene.control.service_principal(customer.tenant_id)["objectId"]
    # The time in which a fresh role may still be on its way is over.
    scene.control.advance(timedelta(minutes=15))
    scene.settle()
    scene.control.revoke(principal, KEY_ROLE, customer.administrator.vault_id)
    lose(scene, customer)
    assert customer.announced("KeyAccessLost")[0]["data"]["health"] == "accessDenied"


def test_withdrawn_consent_is_announced_as_lost_by_the_sweeps(scene: Scene) -> None:
    customer = scene.protected_customer()
    scene.control.remove_service_principal(customer.tenant_id)
    # Cached tokens hide it, until the key's probe falls due within the hour and asks for a fresh one.
    now = scene.control.now()
    slots = (SWEEP * number for number in range(1, 14))
    due = next(slot for slot in slots if probe_is_due(customer.id, "primary", since=None, now=now + slot))
    scene.control.advance(due - SWEEP)
    scene.settle()
    scene.sweep()
    scene.control.advance(CONFIRMATION)
    wait_until(lambda: customer.announced("KeyAccessLost"), "the loss to be announced")
    assert customer.announced("KeyAccessLost")[0]["data"]["health"] == "consentLost"
    assert scene.portal.call("GET", customer.path)["consent"]["state"] == "missing"


def test_a_vault_that_cannot_be_reached_is_never_announced_as_revoked(scene: Scene) -> None:
    customer = scene.protected_customer()
    scene.settle()
    host = f"{customer.administrator.vault}.vault.azure.net"
    fault = scene.control.add_fault("drop", host=host)
    customer.verify()
    scene.control.advance(CONFIRMATION)
    scene.sweep()
    customer.verify()
    scene.settle()
    assert customer.key()["health"]["state"] == "unobservable"
    assert scene.portal.call("GET", customer.path)["phase"] != "revoked"
    assert customer.announced("KeyAccessLost") == []
    scene.control.remove_fault(fault)
    customer.verify()
    scene.settle()
    assert customer.key()["health"]["state"] == "healthy"
    assert customer.announced("KeyAccessLost") == []
    assert customer.announced("KeyAccessRestored") == []


def test_a_loss_says_what_it_means_and_is_spoken_of_again_after_a_day(scene: Scene) -> None:
    customer = scene.protected_customer()
    customer.administrator.update_key("cmk", customer.versions[0], attributes={"enabled": False})
    lose(scene, customer)
    scene.control.advance(timedelta(hours=24))
    wait_until(lambda: len(customer.announced("KeyAccessLost")) == 2, "the reminder", within_seconds=60)
    first, second = (event["data"] for event in customer.announced("KeyAccessLost"))
    assert (first["reminder"], second["reminder"]) == (False, True)
    told = customer.key()["consequences"]
    assert (told["resources"], told["httpStatus"]) == (["data"], 403)
    assert first["consequences"] == second["consequences"] == told
