"""Turns that a protected account can take: deleted, denied by policy, locked, an unfit new version, a key given up."""

from datetime import timedelta

import pytest

from local import names
from local.actors import wait_until
from tests.scenario.scene import Customer, Scene

MINUTE = timedelta(minutes=1)


def delete_account(scene: Scene, customer: Customer) -> None:
    grants = [{"role": "Contributor", "scope": names.RESOURCE_GROUP_ID}]
    token = scene.control.token("provider", audience=names.MANAGEMENT_RESOURCE, user="operations", grants=grants)
    url = f"https://{names.MANAGEMENT_HOST}{customer.account_id()}?api-version=2023-05-01"
    answer = customer.administrator.http.delete(url, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text


def look(scene: Scene, customer: Customer) -> None:
    scene.portal.call("POST", f"{customer.path}/resources/data/reconcile")
    scene.settle()


def test_an_account_that_was_deleted_is_gone_after_two_looks_and_never_made_again(scene: Scene) -> None:
    customer = scene.protected_customer()
    delete_account(scene, customer)
    look(scene, customer)
    assert customer.announced("ResourceGone") == []
    scene.control.advance(MINUTE * 2)
    wait_until(lambda: customer.announced("ResourceGone"), "the account to be announced as gone")
    assert customer.resource()["state"] == "gone"
    made = [call for call in scene.control.calls(service="arm") if call["method"] == "PUT"]
    assert [call for call in made if call["path"].lower() == customer.account_id().lower()] == []


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [(403, "RequestDisallowedByPolicy", "PolicyDenied"), (409, "ScopeLocked", "ScopeLocked")],
)
def test_a_denied_update_is_said_with_its_reason_and_goes_on_once_it_is_allowed(
    scene: Scene, status: int, code: str, reason: str
) -> None:
    customer = scene.ready_customer()
    customer.create_account()
    body = {"error": {"code": code, "message": "Denied here."}}
    fault = scene.control.add_fault("status", service="arm", operation="*.Update", status=status, body=body)
    operation = scene.portal.finish(customer.begin_protecting())
    assert (operation["status"], operation["error"]["code"]) == ("Failed", reason)
    assert [finding["reason"] for finding in customer.resource()["findings"]] == [reason]
    wait_until(lambda: customer.announced("ResourceFailed"), "the refusal to be announced")
    scene.control.remove_fault(fault)
    look(scene, customer)
    wait_until(lambda: customer.resource()["state"] == "protected", "the account to be protected")
    assert len(customer.announced("ResourceFailed")) == 1


def test_an_unfit_new_version_is_warned_of_and_the_account_stays(scene: Scene) -> None:
    customer = scene.protected_customer()
    customer.administrator.create_key("cmk", key_ops=["wrapKey"])
    key = customer.verify()
    warning = next(check for check in key["verification"]["checks"] if check["check"] == "newVersion")
    assert (warning["result"], warning["reason"]) == ("warn", "NewVersionUnusable")
    look(scene, customer)
    observed = customer.resource()["observed"]
    assert observed["versionInUse"] == customer.versions[0]
    assert customer.announced("KeyAccessLost") == []


def test_a_customer_whose_key_is_gone_for_good_is_given_up_by_an_administrator_alone(scene: Scene) -> None:
    customer = scene.protected_customer()
    customer.administrator.update_key("cmk", customer.versions[0], attributes={"enabled": False})
    path = f"{customer.path}?abandon=true"
    with scene.portal_of("provider", "CrossKey.Operator") as operator:
        assert operator.http.request("DELETE", path, json={"confirm": customer.id}).status_code == 403
    with scene.portal_of("provider", "CrossKey.Admin") as admin:
        assert admin.http.request("DELETE", path, json={"confirm": "someone"}).status_code == 400
        operation = admin.finish(admin.begin("DELETE", path, {"confirm": customer.id}))
        assert operation["status"] == "Succeeded"
        statement = admin.call("GET", f"{customer.path}/statement")
    assert statement["everyResourceReleased"] is False
    assert [resource["end"] for resource in statement["resources"]] == ["stranded"]
