"""Encryption scopes on the customer's key, through the Functions host: they keep a version, and are released first."""

from datetime import timedelta
from typing import Any

from local import names
from local.actors import ARM, wait_until
from tests.scenario.scene import Customer, Scene

A_DAY = timedelta(hours=24, minutes=10)


def scope_request(scene: Scene, customer: Customer, method: str, body: Any = None) -> dict[str, Any]:
    """Ask Resource Manager about the account's scope `own`, as the provider's administrator of the account."""
    grants = [{"role": "Storage Account Contributor", "scope": names.RESOURCE_GROUP_ID}]
    token = scene.control.token(names.PROVIDER_TENANT_ID, audience=names.MANAGEMENT_RESOURCE, grants=grants)
    url = f"{ARM}{customer.account_id()}/encryptionScopes/own"
    headers = {"Authorization": f"Bearer {token}"}
    answer = customer.administrator.http.request(
        method, url, params={"api-version": "2023-05-01"}, headers=headers, json=body
    )
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json()["properties"])


def put_scope_on(scene: Scene, customer: Customer, version: str) -> None:
    uri = f"{customer.key_identifier}/{version}"
    scope = {"source": "Microsoft.KeyVault", "keyVaultProperties": {"keyUri": uri}}
    assert scope_request(scene, customer, "PUT", {"properties": scope})["source"] == "Microsoft.KeyVault"


def test_a_version_is_retirable_once_no_scope_is_on_it_and_a_release_lets_scopes_go_first(scene: Scene) -> None:
    customer = scene.protected_customer()
    first = customer.versions[0]
    put_scope_on(scene, customer, first)
    second = customer.rotate()
    customer.wait_for_version(second)
    scene.settle()
    scene.sweep()

    scene.control.advance(A_DAY)
    scene.sweep()
    assert customer.announced("KeyVersionRetirable") == []
    assert customer.key()["retirableVersions"] == []

    put_scope_on(scene, customer, second)
    scene.control.advance(A_DAY)
    scene.sweep()
    wait_until(lambda: customer.announced("KeyVersionRetirable"), "the older version to be retirable")
    assert [event["data"]["version"] for event in customer.announced("KeyVersionRetirable")] == [first]
    assert customer.key()["retirableVersions"] == [first]

    before = scene.last_call()
    operation = scene.portal.finish(scene.portal.begin("DELETE", f"{customer.path}/resources/data"))
    assert operation["status"] == "Succeeded", operation
    assert scope_request(scene, customer, "GET")["source"] == "Microsoft.Storage"
    written = [
        call["operation"]
        for call in scene.control.calls(after=before, service="arm")
        if call["method"] == "PATCH" and customer.account_id().lower() in call["path"].lower()
    ]
    assert written[:2] == ["EncryptionScopes.Patch", "StorageAccounts.Update"]
    scene.settle()
    told = [entry["data"]["encryptionScope"] for entry in customer.timeline() if "encryptionScope" in entry["data"]]
    assert told == ["own"]
    customer.timeline_is_whole()
