"""Bad input is always a 4xx that names the field; nothing is stored and nobody is asked."""

import json
from typing import Any

import pytest

from tests.fakes import CUSTOMER_TENANT, SUBSCRIPTION
from tests.unit.handlers.api_client import CUSTOMER, KEY, Api

ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/contosodata"
RESOURCE = {"resourceId": ACCOUNT, "key": "primary", "driftPolicy": "repair"}
VAULT = "https://contoso.vault.azure.net"
AT_CUSTOMER = "/customers/contoso"
AT_KEY = "/customers/contoso/keys/primary"
AT_RESOURCE = "/customers/contoso/resources/data"


def key(identifier: str) -> dict[str, Any]:
    return KEY | {"keyIdentifier": identifier}


def resource(resource_id: str) -> dict[str, Any]:
    return RESOURCE | {"resourceId": resource_id}


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {member: value for member, value in body.items() if member != name}


BODIES = [
    (AT_CUSTOMER, without(CUSTOMER, "tenantId"), "MissingField", "tenantId"),
    (AT_CUSTOMER, CUSTOMER | {"tenantID": CUSTOMER_TENANT}, "UnknownField", "tenantID"),
    (AT_CUSTOMER, without(CUSTOMER, "displayName") | {"display_name": "x"}, "MissingField", "displayName"),
    (AT_CUSTOMER, CUSTOMER | {"tenantId": "contoso.onmicrosoft.com"}, "GuidMalformed", "tenantId"),
    (AT_CUSTOMER, CUSTOMER | {"tenantId": 7}, "WrongType", "tenantId"),
    (AT_CUSTOMER, CUSTOMER | {"tenantId": None}, "WrongType", "tenantId"),
    (AT_CUSTOMER, CUSTOMER | {"displayName": ""}, "InvalidValue", "displayName"),
    (AT_CUSTOMER, CUSTOMER | {"displayName": "x" * 201}, "InvalidValue", "displayName"),
    (AT_CUSTOMER, CUSTOMER | {"displayName": "two\nlines"}, "InvalidValue", "displayName"),
    (AT_CUSTOMER, CUSTOMER | {"displayName": ["Contoso"]}, "WrongType", "displayName"),
    (AT_KEY, {}, "MissingField", "keyIdentifier"),
    (AT_KEY, key("cmk"), "KeyIdentifierMalformed", "keyIdentifier"),
    (AT_KEY, key("http://contoso.vault.azure.net/keys/k"), "KeyIdentifierMalformed", "keyIdentifier"),
    (AT_KEY, key("https://evil.example/keys/cmk"), "VaultHostNotAllowed", "keyIdentifier"),
    (AT_KEY, key("https://vault.azure.net.evil/keys/k"), "VaultHostNotAllowed", "keyIdentifier"),
    (AT_KEY, key("https://a@contoso.vault.azure.net/keys/k"), "VaultHostNotAllowed", "keyIdentifier"),
    (AT_KEY, key("https://contoso.vault.azure.net:444/keys/k"), "VaultHostNotAllowed", "keyIdentifier"),
    (AT_KEY, key("https://[::1/keys/k"), "KeyIdentifierMalformed", "keyIdentifier"),
    (AT_KEY, KEY | {"versionPolicy": "newest"}, "InvalidValue", "versionPolicy"),
    (AT_KEY, KEY | {"versionPolicy": "pinned"}, "KeyVersionExpected", "keyIdentifier"),
    (AT_KEY, key(KEY["keyIdentifier"] + "/" + "0" * 32), "KeyVersionNotExpected", "keyIdentifier"),
    (AT_KEY, KEY | {"vaultResourceId": "contoso"}, "VaultResourceIdMalformed", "vaultResourceId"),
    (AT_RESOURCE, resource("/subscriptions/x"), "ResourceIdMalformed", "resourceId"),
    (AT_RESOURCE, resource(ACCOUNT.replace("Storage/", "Compute/")), "ResourceIdMalformed", "resourceId"),
    (AT_RESOURCE, resource(ACCOUNT.replace(SUBSCRIPTION, CUSTOMER_TENANT)), "SubscriptionNotAllowed", "resourceId"),
    (AT_RESOURCE, RESOURCE | {"key": "Primary!"}, "NameMalformed", "key"),
    (AT_RESOURCE, RESOURCE | {"key": "other"}, "KeyNotRegistered", "key"),
    (AT_RESOURCE, RESOURCE | {"driftPolicy": "ignore"}, "InvalidValue", "driftPolicy"),
    (AT_RESOURCE, RESOURCE | {"creates": {}}, "UnknownField", "creates"),
]


@pytest.mark.parametrize(("path", "body", "code", "target"), BODIES)
async def test_a_wrong_field_is_named_and_nothing_is_stored(
    api: Api, path: str, body: dict[str, Any], code: str, target: str
) -> None:
    await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    api.world.state.calls.clear()
    answer = await api.call("PUT", path, json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["target"]) == (code, target)
    assert answer.headers["x-ms-error-code"] == code
    assert api.world.state.writes == 0
    assert not api.world.vault.calls
    assert not api.world.accounts.calls


async def test_all_wrong_fields_are_named_at_once(api: Api) -> None:
    answer = await api.call("PUT", AT_CUSTOMER, json={"tenantId": "x", "extra": 1})
    named = {(one["code"], one["target"]) for one in answer.json()["error"]["details"]}
    assert named == {("MissingField", "displayName"), ("GuidMalformed", "tenantId"), ("UnknownField", "extra")}


RAW_BODIES = [
    (b"", "MissingBody"),
    (b"{", "MalformedJson"),
    (b'{"displayName": "Contoso",}', "MalformedJson"),
    (b"[]", "MalformedJson"),
    (b"null", "MalformedJson"),
    (b'"text"', "MalformedJson"),
    (b"NaN", "MalformedJson"),
    (b'{"displayName": NaN}', "MalformedJson"),
    (b'{"displayName": ' + b"9" * 5000 + b"}", "MalformedJson"),
    (b'\xef\xbb\xbf{"displayName": "Contoso"}', "MalformedJson"),
    (b'{"displayName": "\xff"}', "MalformedJson"),
    ('{"displayName": "Contoso"}'.encode("utf-16"), "MalformedJson"),
    (b'{"displayName": "a\x00b"}', "MalformedJson"),
    (b'{"displayName": "a\\u0000b"}', "UnreadableText"),
    (b'{"displayName": "\\ud800"}', "UnreadableText"),
    (b'{"\\udfff": 1}', "UnreadableText"),
    (b'{"displayName": "a", "displayName": "b"}', "DuplicateMember"),
    (b'{"\\ud800": 1, "\\ud800": 2}', "DuplicateMember"),
    (b'{"a": ' * 9 + b"1" + b"}" * 9, "NestedTooDeeply"),
    (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "NestedTooDeeply"),
]


@pytest.mark.parametrize(("body", "code"), RAW_BODIES)
async def test_a_body_that_is_not_one_clean_json_object_is_refused(api: Api, body: bytes, code: str) -> None:
    answer = await api.call("PUT", AT_CUSTOMER, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert api.world.state.writes == 0


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "application/jsonx"],
)
async def test_a_body_that_is_not_declared_as_json_is_refused(api: Api, content_type: str) -> None:
    body = json.dumps(CUSTOMER).encode()
    answer = await api.call("PUT", AT_CUSTOMER, content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "UnsupportedMediaType")


async def test_json_with_its_charset_is_accepted(api: Api) -> None:
    headers = {"Content-Type": 'Application/JSON; charset="UTF-8"'}
    answer = await api.call("PUT", AT_CUSTOMER, content=json.dumps(CUSTOMER), headers=headers)
    assert answer.status_code == 201


async def test_a_body_that_declares_too_much_is_refused_before_it_is_read(api: Api) -> None:
    reads = 0

    async def body() -> Any:
        nonlocal reads
        reads += 1
        yield b"{}"

    headers = {"Content-Length": str(64 * 1024 + 1), "Content-Type": "application/json"}
    answer = await api.call("PUT", AT_CUSTOMER, content=body(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "BodyTooLarge")
    assert reads == 0


async def test_a_body_that_declares_nothing_is_cut_off_at_the_limit(api: Api) -> None:
    async def body() -> Any:
        for _ in range(100):
            yield b" " * 1024

    answer = await api.call("PUT", AT_CUSTOMER, content=body(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "BodyTooLarge")


async def test_a_body_where_none_is_expected_is_refused_unless_it_is_empty(api: Api) -> None:
    await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    answer = await api.call("POST", f"{AT_CUSTOMER}/consentLink", json={"tenantId": CUSTOMER_TENANT})
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "tenantId")
    assert (await api.call("POST", f"{AT_CUSTOMER}/consentLink", json={})).status_code == 200


@pytest.mark.parametrize(
    "customer_id", ["co", "Contoso", "-contoso", "contoso-", "con_toso", "c" * 64, "con%00toso", "con%20toso", "köln"]
)
@pytest.mark.parametrize("rest", ["", "/keys/primary", "/resources/data", "/timeline"])
async def test_a_malformed_customer_id_is_refused_before_anything_is_read(
    api: Api, customer_id: str, rest: str
) -> None:
    answer = await api.call("GET", f"/customers/{customer_id}{rest}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "CustomerIdMalformed")
    assert answer.json()["error"]["target"] == "customerId"
    assert not api.world.state.calls


@pytest.mark.parametrize(
    ("path", "target"),
    [("/keys/A", "keyName"), ("/resources/a_b", "resourceName"), ("/operations/%27or%27", "operationId")],
)
async def test_a_malformed_name_is_refused(api: Api, path: str, target: str) -> None:
    answer = await api.call("GET", AT_CUSTOMER + path)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, target)


@pytest.mark.parametrize(
    ("query", "code", "target"),
    [
        ("top=0", "InvalidValue", "top"),
        ("top=101", "InvalidValue", "top"),
        ("top=ten", "InvalidValue", "top"),
        ("top=1&top=2", "DuplicateQueryParameter", "top"),
        ("Top=1", "UnknownQueryParameter", "Top"),
        ("$top=1", "UnknownQueryParameter", "$top"),
        ("phase=asleep", "InvalidValue", "phase"),
        ("continuationToken=%00", "ContinuationTokenMalformed", "continuationToken"),
        ("continuationToken=Q29udG9zbyE", "ContinuationTokenMalformed", "continuationToken"),
    ],
)
async def test_a_wrong_query_parameter_is_named(api: Api, query: str, code: str, target: str) -> None:
    answer = await api.call("GET", f"/customers?{query}")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["target"]) == (400, code, target)


@pytest.mark.parametrize("token", ["abc", "MA==", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
async def test_a_continuation_token_of_a_timeline_must_be_one_it_gave(api: Api, token: str) -> None:
    answer = await api.call("GET", f"{AT_CUSTOMER}/timeline?continuationToken={token}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ContinuationTokenMalformed")


async def test_an_unknown_query_parameter_of_a_write_is_refused(api: Api) -> None:
    answer = await api.call("PUT", f"{AT_RESOURCE}?whatif=true", json=RESOURCE)
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "whatif")


@pytest.mark.parametrize(
    "path",
    ["/", "/customer", "/customers/", "/customers/contoso/", "/customers/contoso/secrets", "/customers/a%2Fb/x"],
)
async def test_a_path_that_leads_nowhere_is_not_found(api: Api, path: str) -> None:
    answer = await api.call("GET", path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "RouteNotFound")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", AT_CUSTOMER, "DELETE, GET, PUT"),
        ("PATCH", AT_KEY, "DELETE, GET, PUT"),
        ("DELETE", "/customers/contoso/timeline", "GET"),
        ("PUT", f"{AT_KEY}/verify", "POST"),
        ("POST", "/live", "GET"),
        ("GET", "/webhooks/keyVault/contoso", "OPTIONS, POST"),
    ],
)
async def test_a_wrong_method_names_the_right_ones(api: Api, method: str, path: str, allow: str) -> None:
    answer = await api.call(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "MethodNotAllowed")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("POST", "/consentLink", None),
        ("GET", "/keys/primary", None),
        ("PUT", "/keys/primary", KEY),
        ("POST", "/keys/primary/verify", None),
        ("POST", "/keys/primary/attestOwnership", {"reason": "x" * 10}),
        ("DELETE", "/keys/primary", None),
        ("DELETE", "", None),
        ("GET", "/resources/data", None),
        ("PUT", "/resources/data", RESOURCE),
        ("PUT", "/resources/data?whatIf=true", RESOURCE),
        ("DELETE", "/resources/data", None),
        ("POST", "/resources/data/reconcile", None),
        ("GET", "/operations/0123456789abcdef0123456789abcdef", None),
        ("GET", "/webhook", None),
        ("GET", "/timeline", None),
        ("GET", "/timeline/integrity", None),
    ],
)
async def test_an_unknown_customer_is_not_found(api: Api, method: str, path: str, body: dict[str, Any] | None) -> None:
    answer = await api.call(method, f"/customers/nobody{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "CustomerNotFound")
    assert api.world.state.writes == 0
