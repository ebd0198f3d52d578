"""The Functions host is killed at ten moments of protecting and rotating; each time it ends as if nothing had been."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from local.actors import wait_until
from local.run import LocalWorld
from tests.running_world import RunningWorld
from tests.scenario.scene import Customer, Scene

# A message that was being performed comes back when its lease of ten minutes ends; a sweep falls into it as well.
BEYOND_THE_LEASE = timedelta(minutes=11)

type Moment = tuple[str, str, str, int]
"""Service, operation, `before` or `after` it took effect, and which of its calls."""

PROTECTING: dict[str, Moment] = {
    "before the account is read": ("arm", "StorageAccounts.GetProperties", "before", 1),
    "before the update is sent": ("arm", "StorageAccounts.Update", "before", 1),
    "when the update took effect and its answer is lost": ("arm", "StorageAccounts.Update", "after", 1),
    "before it is announced": ("eventgrid", "PublishEvents", "before", 1),
    "when it was announced and the answer is lost": ("eventgrid", "PublishEvents", "after", 1),
}
ROTATING: dict[str, Moment] = {
    "before the new version is read": ("keyvault", "GetKey", "before", 1),
    "when the new version has just wrapped": ("keyvault", "WrapKey", "after", 1),
    "when the account was pinned and the answer is lost": ("arm", "StorageAccounts.Update", "after", 1),
    "when the second update has just been sent": ("arm", "StorageAccounts.Update", "seen", 2),
    "when the new version was announced and the answer is lost": ("eventgrid", "PublishEvents", "after", 1),
}


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """A world of its own: other tests' work must not be cut."""
    with RunningWorld(LocalWorld) as world, Scene(world) as scene:
        yield scene


def kill_at(scene: Scene, moment: Moment, work: Callable[[], Any]) -> Any:
    """Begin the work, let the host die in the moment, and let it come back; answers what beginning answered."""
    service, operation, when, number = moment
    scene.settle()
    before = scene.last_call()
    if when != "seen":
        # Nothing is left to chance: the call hangs there until the host is dead.
        scene.control.add_fault("hang", service=service, operation=operation, when=when, times=1)
    begun = work()

    def reached() -> bool:
        if when != "seen":
            return any(fault["struck"] for fault in scene.control.faults())
        return len(scene.control.calls(after=before, service=service, operation=operation)) >= number

    wait_until(reached, f"call {number} of {operation}")
    scene.kill_host()
    scene.control.clear_faults()
    scene.control.start_host()
    scene.control.advance(BEYOND_THE_LEASE)
    scene.settle()
    return begun


def announced_consistently(customer: Customer) -> None:
    """An event that was sent again has the same id and the same content."""
    contents: dict[str, dict[str, Any]] = {}
    for event in customer.announced():
        assert contents.setdefault(event["id"], event) == event


def distinct(customer: Customer, kind: str) -> list[dict[str, Any]]:
    """Notifications of one type, each once however often it was sent."""
    return list({event["id"]: event for event in customer.announced(kind)}.values())


@pytest.mark.parametrize("moment", PROTECTING.values(), ids=PROTECTING.keys())
def test_protecting_survives_a_kill(scene: Scene, moment: Moment) -> None:
    customer = scene.ready_customer()
    customer.create_account()
    operation = kill_at(scene, moment, customer.begin_protecting)
    assert scene.portal.finish(operation)["status"] == "Succeeded"
    resource = customer.resource()
    assert (resource["state"], resource["observed"]["versionInUse"]) == ("protected", customer.versions[0])
    assert [finding["reason"] for finding in resource["findings"]] == ["ServicesNotCovered"]
    scene.settle()
    announced_consistently(customer)
    assert len(distinct(customer, "ResourceProtected")) == 1
    assert distinct(customer, "ResourceDrifted") == []
    assert distinct(customer, "ResourceFailed") == []
    assert scene.storage.outbox(customer.id) == []
    customer.timeline_is_whole()


@pytest.mark.parametrize("moment", ROTATING.values(), ids=ROTATING.keys())
def test_following_a_rotation_survives_a_kill(scene: Scene, moment: Moment) -> None:
    customer = scene.protected_customer()
    version = kill_at(scene, moment, customer.rotate)
    customer.wait_for_version(version)
    scene.settle()
    assert customer.resource()["state"] == "protected"
    account = scene.azure.look(lambda world: world.storage_accounts[customer.account_id().casefold()].document)
    assert account["properties"]["encryption"]["keyvaultproperties"].get("keyversion") in (None, "")
    announced_consistently(customer)
    assert [event["data"]["version"] for event in distinct(customer, "ResourceRotated")] == [version]
    assert [event["data"]["version"] for event in distinct(customer, "KeyNewVersion")] == [version]
    assert len(distinct(customer, "ResourceProtected")) == 1
    assert distinct(customer, "ResourceDrifted") == []
    assert scene.storage.outbox(customer.id) == []
    customer.timeline_is_whole()
