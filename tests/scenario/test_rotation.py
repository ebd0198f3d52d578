"""A rotation is followed within seconds, once, however often and in whatever order its event comes; or never comes."""

import time
import uuid
from datetime import timedelta
from typing import Any

from local.actors import wait_until
from tests.scenario.scene import Customer, Scene


def setting_of(scene: Scene, customer: Customer) -> Any:
    """The version that the account is set to in Resource Manager; empty for Azure's automatic setting."""
    account = scene.azure.look(lambda world: world.storage_accounts[customer.account_id().casefold()].document)
    return account["properties"]["encryption"]["keyvaultproperties"].get("keyversion")


def key_event(customer: Customer, version: str, *, kind: str = "KeyNewVersionCreated") -> dict[str, Any]:
    """The event that a vault raises for a version."""
    return {
        "id": str(uuid.uuid4()),
        "topic": customer.administrator.vault_id,
        "subject": "cmk",
        "eventType": f"Microsoft.KeyVault.{kind}",
        "eventTime": "2026-01-01T00:00:00Z",
        "dataVersion": "1",
        "metadataVersion": "1",
        "data": {
            "Id": f"{customer.key_identifier}/{version}",
            "VaultName": customer.administrator.vault,
            "ObjectType": "Key",
            "ObjectName": "cmk",
            "Version": version,
        },
    }


def test_a_rotation_is_confirmed_within_five_seconds_and_the_account_stays_on_the_automatic_setting(
    scene: Scene,
) -> None:
    customer = scene.protected_customer()
    began = time.monotonic()
    version = customer.rotate()
    resource = customer.wait_for_version(version)
    assert time.monotonic() - began <= 5.0
    assert resource["state"] == "protected"
    assert setting_of(scene, customer) in (None, "")
    scene.settle()
    assert [event["data"]["version"] for event in customer.announced("ResourceRotated")] == [version]
    assert [event["data"]["version"] for event in customer.announced("KeyNewVersion")] == [version]


def test_a_hundred_copies_of_an_event_among_older_ones_make_one_rotation_and_one_notification(scene: Scene) -> None:
    customer = scene.protected_customer()
    scene.control.change_event_grid(copies=100, shuffled=True)
    before = scene.last_call()
    version = customer.rotate()
    older = key_event(customer, customer.versions[0])
    assert all(scene.deliver(older, older).status_code == 202 for _ in range(10))
    customer.wait_for_version(version)
    delivered = "POST /runtime/webhooks/eventgrid"
    wait_until(
        lambda: len([call for call in scene.control.calls(after=before, operation=delivered) if call["status"]]) >= 100,
        "every copy to be delivered",
    )
    scene.settle()
    assert customer.resource()["observed"]["versionInUse"] == version
    assert setting_of(scene, customer) in (None, "")
    assert len(customer.announced("ResourceRotated")) == 1
    assert len(customer.announced("KeyNewVersion")) == 1
    entries = [entry["type"] for entry in customer.timeline()]
    assert entries.count("ResourceRotated") == 1
    assert entries.count("ResourceRotating") <= 1
    pinned = [
        call
        for call in scene.updates(customer.account_id(), after=before)
        if call["requestBody"]["properties"]["encryption"]["keyvaultproperties"].get("keyversion")
    ]
    assert len(pinned) <= 1
    customer.timeline_is_whole()


def test_an_older_event_after_a_rotation_does_not_move_the_account_back(scene: Scene) -> None:
    customer = scene.protected_customer()
    version = customer.rotate()
    customer.wait_for_version(version)
    scene.settle()
    before = scene.last_call()
    assert scene.deliver(key_event(customer, customer.versions[0])).status_code == 202
    scene.settle()
    assert scene.updates(customer.account_id(), after=before) == []
    assert customer.resource()["observed"]["versionInUse"] == version


def test_a_rotation_whose_event_is_lost_is_found_by_the_sweep(scene: Scene) -> None:
    customer = scene.protected_customer()
    scene.control.change_event_grid(held=True)
    version = customer.rotate()
    scene.settle()
    assert customer.resource()["observed"]["versionInUse"] == customer.versions[0]
    scene.sweep()
    customer.wait_for_version(version)
    assert setting_of(scene, customer) in (None, "")
    assert len(customer.announced("ResourceRotated")) == 1


def test_an_event_that_comes_after_the_sweep_found_the_rotation_changes_nothing(scene: Scene) -> None:
    customer = scene.protected_customer()
    scene.control.change_event_grid(held=True)
    version = customer.rotate()
    scene.sweep()
    customer.wait_for_version(version)
    before = scene.last_call()
    scene.control.change_event_grid()
    wait_until(
        lambda: scene.control.calls(after=before, operation="POST /runtime/webhooks/eventgrid"), "the late event"
    )
    scene.settle()
    assert scene.updates(customer.account_id(), after=before) == []
    assert len(customer.announced("ResourceRotated")) == 1


def test_two_rotations_in_a_row_end_on_the_newest_version(scene: Scene) -> None:
    customer = scene.protected_customer()
    customer.rotate()
    newest = customer.rotate()
    customer.wait_for_version(newest)
    scene.settle()
    assert setting_of(scene, customer) in (None, "")
    moves = [event["data"]["version"] for event in customer.announced("ResourceRotated")]
    assert moves[-1] == newest
    assert len(moves) == len(set(moves))
    scene.control.advance(timedelta(seconds=90))
    scene.settle()
    assert customer.resource()["observed"]["versionInUse"] == newest
