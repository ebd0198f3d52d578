"""Who may do what: the provider's roles count in the provider's tenant alone, a customer sees only himself."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from local import names
from local.actors import Portal
from tests.scenario.scene import Customer, Scene

VAULT_KEY = "https://some-vault.vault.azure.net/keys/cmk"


@pytest.fixture(scope="module")
def customer(stage_of_world: Scene) -> Customer:
    return stage_of_world.ready_customer()


@pytest.fixture(scope="module")
def other(stage_of_world: Scene) -> Customer:
    return stage_of_world.customer()


@contextmanager
def bearing(scene: Scene, token: str | None) -> Iterator[httpx.Client]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{scene.app_url}/api", headers=headers, timeout=60, trust_env=False) as client:
        yield client


@contextmanager
def caller(scene: Scene, tenant: str, *roles: str) -> Iterator[Portal]:
    with scene.portal_of(tenant, *roles) as portal:
        yield portal


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["error"]["code"])


@pytest.mark.parametrize("token", [None, "nonsense", "a.b.c"])
def test_without_a_token_nothing_is_told(scene: Scene, customer: Customer, token: str | None) -> None:
    with bearing(scene, token) as client:
        for path in (customer.path, "/customers/nobody", "/customers"):
            answer = client.get(path)
            assert code_of(answer) == (401, "NotAuthenticated")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert customer.id not in answer.text


def test_a_token_that_has_expired_is_refused(scene: Scene, customer: Customer) -> None:
    token = scene.control.token("provider", "CrossKey.Admin", lifetimeSeconds=60)
    with bearing(scene, token) as client:
        assert client.get(customer.path).status_code == 200
        scene.control.advance(timedelta(minutes=3))
        assert code_of(client.get(customer.path)) == (401, "NotAuthenticated")


@pytest.mark.parametrize("audience", [names.MANAGEMENT_RESOURCE, names.VAULT_RESOURCE, names.POOL_CLIENT_ID])
def test_a_token_for_another_audience_is_refused(scene: Scene, customer: Customer, audience: str) -> None:
    with bearing(scene, scene.control.token("provider", "CrossKey.Admin", audience=audience)) as client:
        assert code_of(client.get(customer.path)) == (401, "NotAuthenticated")


def test_a_token_that_was_changed_is_refused(scene: Scene, customer: Customer) -> None:
    head, body, signature = scene.control.token("provider", "CrossKey.Admin").split(".")
    changed = signature[:-6] + ("AAAAAA" if signature[-6:] != "AAAAAA" else "BBBBBB")
    with bearing(scene, f"{head}.{body}.{changed}") as client:
        assert code_of(client.get(customer.path)) == (401, "NotAuthenticated")


@pytest.mark.parametrize("role", ["CrossKey.Reader", "CrossKey.Operator", "CrossKey.Admin"])
def test_the_providers_roles_count_for_nothing_in_a_customers_tenant(
    scene: Scene, customer: Customer, role: str
) -> None:
    with caller(scene, customer.tenant_id, role) as portal:
        assert code_of(portal.http.get("/customers")) == (403, "NotAllowed")
        assert code_of(portal.http.get(customer.path)) == (403, "NotAllowed")
        assert code_of(portal.http.delete(f"{customer.path}/keys/primary")) == (403, "NotAllowed")


def test_a_token_without_roles_may_nothing(scene: Scene, customer: Customer) -> None:
    with caller(scene, "provider") as portal:
        for path in ("/customers", customer.path, "/fleet/summary"):
            assert code_of(portal.http.get(path)) == (403, "NotAllowed")


def test_a_reader_may_read_everything_and_write_nothing(scene: Scene, customer: Customer) -> None:
    before = scene.storage.customer_rows(customer.id)
    body = {"displayName": "Another name", "tenantId": customer.tenant_id}
    resource = {"resourceId": customer.account_id(), "key": "primary"}
    with caller(scene, "provider", "CrossKey.Reader") as portal:
        for path in ("/customers", customer.path, f"{customer.path}/keys/primary", f"{customer.path}/timeline"):
            assert portal.http.get(path).status_code == 200
        for answer in (
            portal.http.put(customer.path, json=body),
            portal.http.put("/customers/of-a-reader", json=body),
            portal.http.post(f"{customer.path}/consentLink"),
            portal.http.put(f"{customer.path}/keys/other", json={"keyIdentifier": VAULT_KEY}),
            portal.http.post(f"{customer.path}/keys/primary/verify"),
            portal.http.delete(f"{customer.path}/keys/primary"),
            portal.http.put(f"{customer.path}/resources/data", json=resource),
            portal.http.put(f"{customer.path}/resources/data?whatIf=true", json=resource),
            portal.http.post(f"{customer.path}/resources/data/reconcile"),
            portal.http.delete(f"{customer.path}/resources/data"),
        ):
            assert code_of(answer) == (403, "NotAllowed"), answer.request
    assert scene.storage.customer_rows(customer.id) == before
    assert scene.portal.http.get("/customers/of-a-reader").status_code == 404


def test_a_key_administrator_sees_and_verifies_the_keys_of_his_own_customer(scene: Scene, customer: Customer) -> None:
    with caller(scene, customer.tenant_id, "CrossKey.KeyAdministrator") as portal:
        for path in (customer.path, f"{customer.path}/keys/primary", f"{customer.path}/timeline"):
            assert portal.http.get(path).status_code == 200
        verified = portal.http.post(f"{customer.path}/keys/primary/verify")
        assert (verified.status_code, verified.json()["verification"]["state"]) == (200, "verified")


def test_a_key_administrator_cannot_tell_other_customers_from_none(
    scene: Scene, customer: Customer, other: Customer
) -> None:
    def asked(portal: Portal, customer_id: str) -> list[tuple[int, str]]:
        path = f"/customers/{customer_id}"
        answers = [
            portal.http.get(path),
            portal.http.get(f"{path}/keys/primary"),
            portal.http.get(f"{path}/timeline"),
            portal.http.get(f"{path}/timeline/integrity"),
            portal.http.get(f"{path}/resources/data"),
            portal.http.get(f"{path}/operations/none"),
            portal.http.put(f"{path}/keys/mine", json={"keyIdentifier": VAULT_KEY}),
            portal.http.post(f"{path}/keys/primary/verify"),
        ]
        assert [answer.status_code for answer in answers] == [404] * len(answers)
        return [(answer.status_code, answer.text.replace(customer_id, "?")) for answer in answers]

    with caller(scene, other.tenant_id, "CrossKey.KeyAdministrator") as portal:
        assert asked(portal, customer.id) == asked(portal, "nobody")


def test_a_key_administrator_may_not_touch_resources_or_remove_keys(scene: Scene, customer: Customer) -> None:
    resource = {"resourceId": customer.account_id(), "key": "primary"}
    with caller(scene, customer.tenant_id, "CrossKey.KeyAdministrator") as portal:
        for answer in (
            portal.http.get("/customers"),
            portal.http.get("/fleet/summary"),
            portal.http.put(customer.path, json={"displayName": "Mine", "tenantId": customer.tenant_id}),
            portal.http.put(f"{customer.path}/resources/data", json=resource),
            portal.http.delete(f"{customer.path}/resources/data"),
            portal.http.delete(f"{customer.path}/keys/primary"),
        ):
            assert code_of(answer) == (403, "NotAllowed"), answer.request


def test_who_did_what_is_in_the_timeline(scene: Scene, customer: Customer) -> None:
    answer = scene.control.token_answer("provider", "CrossKey.Operator")
    entry = customer.timeline()[0]
    assert entry["type"] == "CustomerRegistered"
    assert entry["actor"] == f"{answer['objectId']}@{names.PROVIDER_TENANT_ID}"
