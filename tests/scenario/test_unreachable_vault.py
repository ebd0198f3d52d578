"""A vault whose firewall keeps CrossKey out and lets Azure Storage in: attested, tried by an update, left again."""

from typing import Any

from local.actors import wait_until
from tests.scenario.scene import KEY_ROLE, SWEEP, Customer, Scene

REASON = "Confirmed by telephone with their security officer."


def close_vault(scene: Scene, customer: Customer, bypass: str = "AzureServices") -> None:
    scene.control.put_vault(customer.administrator.vault, firewall={"defaultAction": "Deny", "bypass": bypass})


def customer_out_of_reach(scene: Scene) -> Customer:
    """A customer whose vault lets only Azure Storage in, and whose key is registered."""
    customer = scene.customer()
    close_vault(scene, customer)
    assert customer.register_key().status_code == 201
    assert reason_of(customer.verify(), "vaultReachable") == "VaultFirewall"
    return customer


def attest(scene: Scene, customer: Customer) -> dict[str, Any]:
    scene.portal.call("POST", f"{customer.path}/keys/primary/attestOwnership", {"reason": REASON})
    return customer.verify()


def reason_of(key: dict[str, Any], check: str) -> str | None:
    reason: str | None = next(line["reason"] for line in key["verification"]["checks"] if line["check"] == check)
    return reason


def test_an_attested_key_out_of_reach_is_tried_by_the_first_update_and_left_without_a_proof(scene: Scene) -> None:
    customer = customer_out_of_reach(scene)
    account = customer.create_account()
    blocked = customer.begin_protecting()
    wait_until(lambda: customer.resource()["state"] == "blocked", "the resource to wait for the key")
    assert scene.updates(account) == []
    key = attest(scene, customer)
    assert (key["verification"]["state"], key["ownership"]["state"]) == ("limited", "attested")
    assert scene.portal.finish(blocked)["status"] == "Succeeded"
    resource = customer.resource()
    assert (resource["state"], resource["observed"]["versionInUse"]) == ("protected", customer.versions[0])
    scene.wait_for_phase(customer, "active")
    assert customer.key()["verification"]["state"] == "limited"
    assert any(entry["type"] == "KeyOwnershipAttested" for entry in customer.timeline())
    operation = scene.portal.begin("DELETE", f"{customer.path}/resources/data")
    assert scene.portal.finish(operation)["status"] == "Succeeded"
    assert customer.resource()["observed"]["keySource"] == "Microsoft.Storage"
    customer.timeline_is_whole()


def test_a_trial_that_azure_storage_refuses_fails_the_resource_and_the_key_until_it_is_mended(scene: Scene) -> None:
    customer = customer_out_of_reach(scene)
    principal = scene.control.service_principal(customer.tenant_id)["objectId"]
    scene.control.revoke(principal, KEY_ROLE, customer.administrator.vault_id)
    attest(scene, customer)
    customer.create_account()
    customer.begin_protecting()
    wait_until(lambda: customer.resource()["state"] == "failed", "the resource to be refused")
    assert [finding["reason"] for finding in customer.resource()["findings"]] == ["KeyRefusedByStorage"]
    wait_until(lambda: customer.key()["verification"]["state"] == "failed", "the key to be found unfit")
    assert reason_of(customer.key(), "trialUpdate") == "KeyRefusedByStorage"
    scene.control.grant(principal, KEY_ROLE, customer.administrator.vault_id)
    scene.control.advance(SWEEP)
    wait_until(lambda: customer.resource()["state"] == "protected", "the resource to be protected", within_seconds=60)
    wait_until(lambda: customer.key()["verification"]["state"] == "limited", "the key to be limited again")


def test_a_firewall_that_lets_nobody_in_is_not_tried(scene: Scene) -> None:
    customer = customer_out_of_reach(scene)
    close_vault(scene, customer, bypass="None")
    assert attest(scene, customer)["verification"]["state"] == "failed"
    account = customer.create_account()
    customer.begin_protecting()
    wait_until(lambda: customer.resource()["state"] == "blocked", "the resource to wait for the key")
    assert scene.updates(account) == []
