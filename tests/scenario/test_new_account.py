"""New storage accounts, and accounts in the customer's own tenant, through the Functions host."""

from datetime import timedelta
from typing import Any

from local import names
from local.actors import wait_until
from tests.scenario.scene import KEY_ROLE, Customer, Scene

CREATE = {"location": "westeurope", "sku": "Standard_LRS", "kind": "StorageV2", "coverage": ["queue", "table"]}


def creations(scene: Scene, customer: Customer, *, after: int) -> list[dict[str, Any]]:
    calls = scene.control.calls(after=after, service="arm", operation="StorageAccounts.Create")
    return [call for call in calls if call["path"].lower() == customer.account_id().lower()]


def test_a_new_account_is_made_with_the_key_from_the_start_while_no_worker_waits(scene: Scene) -> None:
    customer = scene.ready_customer()
    path = f"{customer.path}/resources/data"
    body = {"resourceId": customer.account_id(), "key": "primary", "create": CREATE}
    before = scene.last_call()
    plan = scene.portal.call("PUT", path, body, whatIf="true")
    assert creations(scene, customer, after=before) == []

    operation = scene.portal.begin("PUT", path, body)
    wait_until(lambda: creations(scene, customer, after=before), "the creation to be asked for")
    scene.settle()
    begun = customer.resource()
    assert begun["state"] == "applying", begun
    assert scene.portal.call("GET", operation.partition("/api")[2])["status"] == "Running"

    # A host that dies loses nothing: the address to follow is on the resource's row.
    scene.kill_host()
    scene.control.start_host()
    row = scene.storage.customer_rows(customer.id)["resource:data"]
    assert row["creation"]["poll_url"].startswith("https://management.azure.com/subscriptions/")
    scene.control.advance(timedelta(seconds=30))
    assert scene.portal.finish(operation)["status"] == "Succeeded"

    sent = creations(scene, customer, after=before)
    assert [(call["method"], call["status"], call["requestBody"]) for call in sent] == [
        ("PUT", 202, plan["steps"][0]["body"])
    ]
    assert scene.updates(customer.account_id(), after=before) == []
    protected = customer.resource()
    assert (protected["state"], protected["findings"]) == ("protected", [])
    assert protected["observed"]["versionInUse"] == customer.versions[-1]
    assert protected["observed"]["coverage"] == ["blob", "file", "queue", "table"]
    scene.settle()
    assert len(customer.announced("ResourceProtected")) == 1

    assert scene.portal.finish(scene.portal.begin("DELETE", path))["status"] == "Succeeded"
    account = scene.azure.look(lambda world: world.storage_accounts[customer.account_id().casefold()].document)
    assert account["properties"]["encryption"]["keySource"] == "Microsoft.Storage"
    assert account["identity"]["type"] == "None"
    customer.timeline_is_whole()


def test_an_account_of_the_same_tenant_uses_the_key_as_itself(scene: Scene) -> None:
    customer = scene.ready_customer(tenant=names.PROVIDER_TENANT_ID)
    account_id = customer.account_id()
    scene.control.put_storage_account(account_id, identity={"type": "SystemAssigned"})
    principal = scene.azure.look(
        lambda world: world.storage_accounts[account_id.casefold()].document["identity"]["principalId"]
    )
    scene.control.grant(principal, KEY_ROLE, customer.administrator.vault_id)
    path = f"{customer.path}/resources/data"
    body = {"resourceId": account_id, "key": "primary", "identity": "systemAssigned"}
    assert scene.portal.finish(scene.portal.begin("PUT", path, body))["status"] == "Succeeded"
    document = scene.azure.look(lambda world: world.storage_accounts[account_id.casefold()].document)
    assert "identity" not in document["properties"]["encryption"]
    assert document["identity"]["type"] == "SystemAssigned"
    version = customer.rotate()
    scene.sweep()
    assert customer.wait_for_version(version)["state"] == "protected"
    assert scene.portal.finish(scene.portal.begin("DELETE", path))["status"] == "Succeeded"


def test_a_customer_of_another_tenant_cannot_have_accounts_use_the_key_as_themselves(scene: Scene) -> None:
    customer = scene.ready_customer()
    body = {"resourceId": customer.account_id(), "key": "primary", "identity": "systemAssigned"}
    answer = scene.portal.http.put(f"{customer.path}/resources/data", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "SystemIdentityAcrossTenants")
