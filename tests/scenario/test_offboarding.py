"""Offboarding through the Functions host: the accounts are released, the statement stays, the claims are free again."""

from local.actors import wait_until
from tests.scenario.scene import Scene


def test_a_customer_leaves_with_a_statement_and_its_key_can_be_claimed_again(scene: Scene) -> None:
    customer = scene.protected_customer()
    operation = scene.portal.finish(scene.portal.begin("DELETE", customer.path))
    assert (operation["status"], operation["percentComplete"]) == ("Succeeded", 100)
    wait_until(lambda: customer.announced("CustomerOffboarded"), "the customer's leaving to be announced")
    assert scene.portal.http.get(customer.path).status_code == 404
    statement = scene.portal.call("GET", f"{customer.path}/statement")
    assert statement["everyResourceReleased"] is True
    (resource,) = statement["resources"]
    assert [span["version"] for span in resource["protectedBy"]] == customer.versions[:1]
    assert resource["keySourceAfterwards"] == "Microsoft.Storage"
    assert scene.portal.call("GET", f"{customer.path}/timeline/integrity")["intact"]
    last = customer.announced("CustomerOffboarded")[0]["data"]
    assert last["timelineSequence"] > statement["timeline"]["sequence"]
