"""Bad input over HTTP, as it really arrives: refused with a code and a target, and nothing is stored or called."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from local import names
from tests.scenario.scene import Customer, Scene
from tests.scenario.storage import Rows

JSON = {"Content-Type": "application/json"}
ACCOUNTS = f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.Storage/storageAccounts"
TENANT = "30000000-0000-4000-8000-00000000abcd"
GOOD_CUSTOMER = f'{{"displayName": "Fine", "tenantId": "{TENANT}"}}'
VAULT_KEY = "https://some-vault.vault.azure.net/keys/cmk"


@dataclass(frozen=True)
class Bad:
    """One bad request and what must come of it. `{c}` stands for an existing customer."""

    name: str
    method: str
    path: str
    body: Any
    status: int
    code: str
    target: str | None
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


def put_key(name: str, identifier: Any, code: str = "VaultHostNotAllowed", target: str = "keyIdentifier") -> Bad:
    return Bad(name, "PUT", "/customers/{c}/keys/other", {"keyIdentifier": identifier}, 400, code, target)


def put_resource(name: str, resource_id: Any, code: str = "ResourceIdMalformed", **members: Any) -> Bad:
    body = {"resourceId": resource_id, "key": "primary", **members}
    return Bad(name, "PUT", "/customers/{c}/resources/other", body, 400, code, "resourceId")


def put_customer(
    name: str, body: Any, code: str, target: str | None, *, status: int = 400, headers: dict[str, str] | None = None
) -> Bad:
    return Bad(name, "PUT", "/customers/fresh", body, status, code, target, JSON if headers is None else headers)


CASES = [
    Bad(
        "a customer id with capitals",
        "PUT",
        "/customers/Contoso",
        GOOD_CUSTOMER,
        400,
        "CustomerIdMalformed",
        "customerId",
    ),
    Bad(
        "a customer id with a filter",
        "GET",
        "/customers/x'%20or%20'1'eq'1",
        None,
        400,
        "CustomerIdMalformed",
        "customerId",
    ),
    Bad(
        "a customer id that is too long",
        "GET",
        f"/customers/{'a' * 64}",
        None,
        400,
        "CustomerIdMalformed",
        "customerId",
    ),
    Bad("an encoded NUL", "GET", "/customers/a%00b", None, 400, "CustomerIdMalformed", "customerId"),
    Bad("a key name with a colon", "GET", "/customers/{c}/keys/a:b", None, 400, "NameMalformed", "keyName"),
    Bad(
        "an operation id with capitals",
        "GET",
        "/customers/{c}/operations/ABC",
        None,
        400,
        "OperationIdMalformed",
        "operationId",
    ),
    put_customer("half of a body", '{"displayName": "x', "MalformedJson", None),
    put_customer("a list", "[]", "MalformedJson", None),
    put_customer("NaN", f'{{"displayName": NaN, "tenantId": "{TENANT}"}}', "MalformedJson", None),
    put_customer("bytes that are no text", b"\xff\xfe", "MalformedJson", None),
    put_customer("no body", b"", "MissingBody", None),
    put_customer("a member twice", '{"displayName": "a", "displayName": "b"}', "DuplicateMember", "displayName"),
    put_customer("deep nesting", '{"a":' * 200 + "1" + "}" * 200, "NestedTooDeeply", None),
    put_customer("an unknown field", {"displayName": "a", "tenantId": TENANT, "admin": True}, "UnknownField", "admin"),
    put_customer("a missing field", {"displayName": "a"}, "MissingField", "tenantId"),
    put_customer("a number for a text", {"displayName": 1, "tenantId": TENANT}, "WrongType", "displayName"),
    put_customer(
        "a tenant that is no GUID", {"displayName": "a", "tenantId": "contoso.com"}, "GuidMalformed", "tenantId"
    ),
    put_customer("an empty name", {"displayName": " ", "tenantId": TENANT}, "InvalidValue", "displayName"),
    put_customer("a huge body", GOOD_CUSTOMER + " " * 70_000, "BodyTooLarge", None, status=413),
    put_customer(
        "a form",
        GOOD_CUSTOMER,
        "UnsupportedMediaType",
        "Content-Type",
        status=415,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    put_customer(
        "no content type", GOOD_CUSTOMER.encode(), "UnsupportedMediaType", "Content-Type", status=415, headers={}
    ),
    put_key("a look-alike host", "https://vault.vault.azure.net.example.com/keys/cmk"),
    put_key("any host", "https://example.com/keys/cmk"),
    put_key("a loopback address", "https://127.0.0.1/keys/cmk"),
    put_key("the metadata address", "https://169.254.169.254/keys/cmk"),
    put_key("user-info", "https://some-vault.vault.azure.net@example.com/keys/cmk"),
    put_key("another port", "https://some-vault.vault.azure.net:8443/keys/cmk"),
    put_key("a vault of another cloud", "https://some-vault.vault.azure.cn/keys/cmk"),
    put_key("a host inside a vault", "https://a.some-vault.vault.azure.net/keys/cmk"),
    put_key("no TLS", "http://some-vault.vault.azure.net/keys/cmk", "KeyIdentifierMalformed"),
    put_key("a query", f"{VAULT_KEY}?x=1", "KeyIdentifierMalformed"),
    put_key("a secret", "https://some-vault.vault.azure.net/secrets/cmk", "KeyIdentifierMalformed"),
    put_key("a path upwards", "https://some-vault.vault.azure.net/keys/../secrets/cmk", "KeyIdentifierMalformed"),
    put_key("a number", 1, "WrongType"),
    put_key("a version where none may be", f"{VAULT_KEY}/{'0' * 32}", "KeyVersionNotExpected"),
    put_resource("another kind of resource", f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.Compute/disks/d"),
    put_resource("a path upwards in a resource id", f"{ACCOUNTS}/../x"),
    put_resource("a query in a resource id", f"{ACCOUNTS}/data?api-version=1"),
    put_resource(
        "a foreign subscription",
        f"{ACCOUNTS}/data".replace(names.PROVIDER_SUBSCRIPTION_ID, TENANT),
        "SubscriptionNotAllowed",
    ),
    Bad(
        "an unknown key",
        "PUT",
        "/customers/{c}/resources/other",
        {"resourceId": f"{ACCOUNTS}/data", "key": "none"},
        400,
        "KeyNotRegistered",
        "key",
    ),
    Bad("an unknown customer", "GET", "/customers/nobody", None, 404, "CustomerNotFound", "customerId"),
    Bad(
        "a key of an unknown customer",
        "PUT",
        "/customers/nobody/keys/primary",
        {"keyIdentifier": VAULT_KEY},
        404,
        "CustomerNotFound",
        "customerId",
    ),
    Bad(
        "an unknown resource",
        "POST",
        "/customers/{c}/resources/none/reconcile",
        None,
        404,
        "ResourceRegistrationNotFound",
        "resourceName",
    ),
    Bad("an unknown operation", "GET", "/customers/{c}/operations/none", None, 404, "OperationNotFound", "operationId"),
    Bad("an unknown route", "GET", "/customers/{c}/secrets", None, 404, "RouteNotFound", None),
    Bad("a wrong method", "PATCH", "/customers/{c}", None, 405, "MethodNotAllowed", None),
    Bad("a wrong method on a key", "POST", "/customers/{c}/keys/primary", None, 405, "MethodNotAllowed", None),
    Bad("an unknown parameter", "GET", "/customers?filter=1", None, 400, "UnknownQueryParameter", "filter"),
    Bad("too many at once", "GET", "/customers?top=1000", None, 400, "InvalidValue", "top"),
    Bad(
        "a page nobody gave",
        "GET",
        "/customers?continuationToken=abc",
        None,
        400,
        "ContinuationTokenMalformed",
        "continuationToken",
    ),
]


@pytest.fixture(scope="module")
def customer(stage_of_world: Scene) -> Customer:
    return stage_of_world.ready_customer()


@pytest.fixture(scope="module", autouse=True)
def nothing_is_stored_or_called(stage_of_world: Scene, customer: Customer) -> Iterator[None]:
    """Over the whole file: not one row was written, and no call left for anywhere."""
    del customer
    stage_of_world.rest()
    before: Rows = stage_of_world.storage.etags()
    last = stage_of_world.last_call()
    yield
    stage_of_world.settle()
    assert stage_of_world.storage.etags() == before
    left = stage_of_world.control.calls(after=last)
    assert [(call["service"], call["host"]) for call in left] == []


def send(scene: Scene, customer: Customer, bad: Bad) -> httpx.Response:
    path = bad.path.replace("{c}", customer.id)
    if isinstance(bad.body, str | bytes):
        return scene.portal.http.request(bad.method, path, content=bad.body, headers=bad.headers)
    return scene.portal.http.request(bad.method, path, json=bad.body)


@pytest.mark.parametrize("bad", CASES, ids=[bad.name for bad in CASES])
def test_bad_input_is_refused_with_its_code_and_target(scene: Scene, customer: Customer, bad: Bad) -> None:
    answer = send(scene, customer, bad)
    assert answer.status_code == bad.status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["target"]) == (bad.code, bad.target)
    assert error["message"]
    assert answer.headers["x-ms-error-code"] == bad.code
    assert answer.headers["x-ms-request-id"]


def test_a_stale_if_match_is_refused(scene: Scene, customer: Customer) -> None:
    body = {"displayName": "Another name", "tenantId": customer.tenant_id}
    answer = scene.portal.http.put(customer.path, json=body, headers={"If-Match": 'W/"old"'})
    assert (answer.status_code, answer.json()["error"]["target"]) == (412, "If-Match")


def test_a_consent_answer_nobody_asked_for_is_refused(scene: Scene) -> None:
    for state in ("", "x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjb250b3NvIn0."):
        query = {"state": state, "tenant": TENANT, "admin_consent": "True"}
        answer = httpx.get(f"{scene.app_url}/api/consent/callback", params=query, trust_env=False)
        assert answer.status_code == 400, answer.text
