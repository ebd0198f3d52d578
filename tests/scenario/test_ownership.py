"""A key or an account has one owner; nothing is encrypted with a key whose owner is not proven."""

from local.actors import wait_until
from tests.scenario.scene import KEY_ROLE, Customer, Scene


def reasons(key: dict[str, object]) -> set[str]:
    verification = key["verification"]
    assert isinstance(verification, dict)
    return {check["reason"] for check in verification["checks"] if check["result"] == "fail"}


def says_nothing_of(text: str, other: Customer) -> None:
    for secret in (other.id, f"Customer {other.number}", other.tenant_id):
        assert secret not in text


def test_a_key_that_another_customer_proved_is_refused_without_a_word_of_him(scene: Scene) -> None:
    first, second = scene.ready_customer(), scene.customer()
    answer = second.register_key(first.key_identifier)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "KeyClaimed"
    assert answer.json()["error"]["target"] == "keyIdentifier"
    says_nothing_of(answer.text, first)
    assert scene.portal.http.get(f"{second.path}/keys/primary").status_code == 404


def test_an_account_that_another_customer_uses_is_refused_without_a_word_of_him(scene: Scene) -> None:
    first, second = scene.protected_customer(), scene.ready_customer()
    body = {"resourceId": first.account_id().upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"), "key": "primary"}
    answer = scene.portal.http.put(f"{second.path}/resources/data", json=body)
    assert answer.status_code == 409, answer.text
    assert answer.json()["error"]["code"] == "ResourceClaimed"
    says_nothing_of(answer.text, first)
    assert scene.portal.http.get(f"{second.path}/resources/data").status_code == 404
    assert first.resource()["state"] == "protected"


def test_a_key_in_another_customers_vault_is_refused_by_its_tenant(scene: Scene) -> None:
    first, second = scene.customer(), scene.customer()
    assert second.register_key(first.key_identifier).status_code == 201
    before = scene.last_call()
    key = second.verify()
    assert "VaultInAnotherTenant" in reasons(key)
    assert key["ownership"]["state"] == "unproven"
    vault_calls = scene.control.calls(after=before, service="keyvault")
    assert all("authorization" not in call["requestHeaders"] for call in vault_calls)


def test_the_one_who_registered_a_foreign_key_first_does_not_keep_it_from_its_owner(scene: Scene) -> None:
    owner, thief = scene.customer(), scene.customer()
    assert thief.register_key(owner.key_identifier).status_code == 201
    thief.verify()
    assert owner.register_key().status_code == 201
    owner.prove()
    assert owner.verify()["verification"]["state"] == "verified"
    assert thief.verify()["ownership"]["state"] == "unproven"


def test_nothing_is_ever_encrypted_with_a_key_without_the_ownership_tag(scene: Scene) -> None:
    customer = scene.customer()
    assert customer.register_key().status_code == 201
    assert reasons(customer.verify()) == {"OwnershipUnproven"}
    account = customer.create_account()
    customer.begin_protecting()
    wait_until(lambda: customer.resource()["state"] != "pending", "the resource to be looked at")
    scene.sweep()
    resource = customer.resource()
    assert (resource["state"], resource["desired"]["ready"]) == ("blocked", False)
    assert [finding["reason"] for finding in resource["findings"]] == ["KeyNotReady"]
    assert scene.updates(account) == []
    customer.prove()
    customer.verify()
    wait_until(lambda: customer.resource()["state"] == "protected", "the resource to be protected after all")


def test_another_customers_tag_proves_nothing(scene: Scene) -> None:
    customer, other = scene.customer(), scene.ready_customer()
    customer.register_key()
    tag = other.key()["ownership"]["tag"]
    customer.administrator.update_key("cmk", tags={tag["name"]: tag["value"]})
    assert "OwnershipUnproven" in reasons(customer.verify())


def test_of_two_customers_in_one_tenant_the_tag_tells_whose_key_it_is(scene: Scene) -> None:
    customer = scene.customer()
    twin = f"{customer.id}-twin"
    scene.portal.call("PUT", f"/customers/{twin}", {"displayName": "Twin", "tenantId": customer.tenant_id})
    body = {"keyIdentifier": customer.key_identifier}
    assert scene.portal.http.put(f"/customers/{twin}/keys/primary", json=body).status_code == 201
    assert customer.register_key().status_code == 201
    customer.prove()
    assert customer.verify()["ownership"]["state"] == "proven"
    of_twin = scene.portal.call("POST", f"/customers/{twin}/keys/primary/verify")
    assert of_twin["ownership"]["state"] == "unproven"
    assert "OwnershipUnproven" in reasons(of_twin)


def test_a_removed_key_can_be_registered_by_whoever_proves_it_next(scene: Scene) -> None:
    first = scene.ready_customer()
    second = scene.customer()
    scene.control.put_vault(first.administrator.vault, tenantId=second.tenant_id)
    principal = scene.control.service_principal(second.tenant_id)["objectId"]
    scene.control.grant(principal, KEY_ROLE, first.administrator.vault_id)
    assert second.register_key(first.key_identifier).status_code == 409
    assert scene.portal.http.delete(f"{first.path}/keys/primary").status_code == 204
    assert second.register_key(first.key_identifier).status_code == 201
