"""Bearer tokens: which hold, which do not, and that nobody without one learns anything."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.errors import Unavailable
from tests.fakes import API_CLIENT_ID, CUSTOMER_TENANT, PROVIDER_TENANT
from tests.unit.handlers.api_client import CALLER, CUSTOMER, KEY, KEY_ID, SIGNING_KEY, Api, claims_of, sign

OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = SIGNING_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
ISSUER = "https://login.microsoftonline.com/{}/v2.0"


async def get_fleet(api: Api, token: str) -> int:
    answer = await api.client.get("/api/fleet/summary", headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "NotAuthenticated"
    return answer.status_code


@pytest.mark.parametrize("audience", [API_CLIENT_ID, f"api://{API_CLIENT_ID}"])
async def test_a_good_token_holds(api: Api, audience: str) -> None:
    assert await get_fleet(api, sign(claims_of(api.world, "CrossKey.Reader", aud=audience))) == 200


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"aud": None},
    {"aud": "https://vault.azure.net"},
    {"aud": [PROVIDER_TENANT]},
    {"exp": None},
    {"exp": 1},
    {"exp": "tomorrow"},
    {"exp": True},
    {"nbf": 4_000_000_000, "exp": 5_000_000_000},
    {"nbf": "now"},
    {"tid": None},
    {"tid": "contoso"},
    {"tid": CUSTOMER_TENANT},
    {"tid": {"guid": PROVIDER_TENANT}},
    {"iss": None},
    {"iss": ISSUER.format(CUSTOMER_TENANT)},
    {"iss": f"https://sts.windows.net/{PROVIDER_TENANT}/"},
    {"iss": ISSUER.format(PROVIDER_TENANT) + "/"},
    {"iss": f"https://evil.example/{PROVIDER_TENANT}/v2.0"},
    {"iss": [ISSUER.format(PROVIDER_TENANT)]},
    {"oid": None, "sub": None},
    {"oid": 7, "sub": None},
]


@pytest.mark.parametrize("changes", WRONG_CLAIMS)
async def test_a_token_with_a_wrong_claim_does_not_hold(api: Api, changes: dict[str, Any]) -> None:
    assert await get_fleet(api, sign(claims_of(api.world, "CrossKey.Admin", **changes))) == 401


async def test_a_token_expires_a_minute_after_its_time(api: Api) -> None:
    token = sign(claims_of(api.world, "CrossKey.Reader"))
    api.world.clock.advance(timedelta(minutes=60, seconds=59))
    assert await get_fleet(api, token) == 200
    api.world.clock.advance(timedelta(seconds=1))
    assert await get_fleet(api, token) == 401


def forged(world: Any) -> dict[str, str]:
    claims = claims_of(world, "CrossKey.Admin")
    good = sign(claims)
    header, payload, signature = good.split(".")
    stronger = jwt.utils.base64url_encode(b'{"roles":["CrossKey.Admin"]}').decode()
    return {
        "none": jwt.encode(claims, "", algorithm="none", headers={"kid": KEY_ID}),
        "no signature": f"{header}.{payload}.",
        "public key as secret": hs256(claims),
        "RS512": sign(claims, algorithm="RS512"),
        "PS256": sign(claims, algorithm="PS256"),
        "another key under our id": sign(claims, key=OTHER_KEY),
        "unknown key id": sign(claims, key_id="somebody"),
        "no key id": jwt.encode(claims, SIGNING_KEY, algorithm="RS256"),
        "changed claims": f"{header}.{stronger}.{signature}",
        "changed header": f"{stronger}.{payload}.{signature}",
        "not a token": "abc",
        "three dots": "a.b.c",
        "too long": good + "A" * 20_000,
    }


def hs256(claims: dict[str, Any]) -> str:
    """What a library that trusts the header would check with the public key as the secret."""
    # PyJWT refuses to sign with a PEM, so the signature is made by hand.

    def encode(value: bytes) -> str:
        return jwt.utils.base64url_encode(value).decode()

    signed = encode(json.dumps({"alg": "HS256", "kid": KEY_ID}).encode()) + "." + encode(json.dumps(claims).encode())
    return f"{signed}.{encode(hmac.digest(PUBLIC_PEM, signed.encode(), hashlib.sha256))}"


@pytest.mark.parametrize(
    "forgery",
    [
        "none", "no signature", "public key as secret", "RS512", "PS256", "another key under our id",
        "unknown key id", "no key id", "changed claims", "changed header", "not a token", "three dots", "too long",
    ],
)  # fmt: skip
async def test_a_forged_token_does_not_hold(api: Api, forgery: str) -> None:
    assert await get_fleet(api, forged(api.world)[forgery]) == 401


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer\tx"])
async def test_without_a_bearer_token_a_caller_is_asked_for_one(api: Api, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = await api.client.get("/api/customers", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_every_route_but_the_anonymous_ones_needs_a_token(api: Api) -> None:
    anonymous = {"/api/live", "/api/ready", "/api/consent/callback"}
    checked = 0
    for path, operations in api.app.openapi()["paths"].items():
        url = path.replace("{customerId}", "contoso").replace("{operationId}", "0")
        url = url.replace("{keyName}", "primary").replace("{resourceName}", "data")
        for method in operations:
            answer = await api.client.request(method, url, content=b"{")
            # The webhook's handshake of CloudEvents is anonymous as well.
            assert (answer.status_code == 401) == (path not in anonymous and method != "options"), (method, path)
            checked += 1
    assert checked > 15
    assert not api.world.state.calls


async def test_when_the_signing_keys_cannot_be_had_nobody_is_called_a_forger(api: Api) -> None:
    api.world.signing_keys.break_before(
        "find", Unavailable("Reading Entra's signing keys: no answer.", retry_after=timedelta(seconds=7))
    )
    answer = await api.call("GET", "/customers")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


class Case(NamedTuple):
    method: str
    path: str
    body: dict[str, Any] | None
    least: str
    also: str


NOTHING: dict[str, Any] = {"resourceId": "/", "key": "x"}
MATRIX = [
    Case("PUT", "/customers/contoso", CUSTOMER, "Operator", "nobody else"),
    Case("GET", "/customers/contoso", None, "Reader", "own administrator"),
    Case("DELETE", "/customers/contoso", None, "Operator", "nobody else"),
    Case("DELETE", "/customers/contoso?abandon=true", {"confirm": "contoso"}, "Admin", "nobody else"),
    Case("GET", "/customers/contoso/statement", None, "Reader", "own administrator"),
    Case("POST", "/customers/contoso/consentLink", None, "Operator", "nobody else"),
    Case("PUT", "/customers/contoso/keys/primary", KEY, "Operator", "own administrator"),
    Case("GET", "/customers/contoso/keys/primary", None, "Reader", "own administrator"),
    Case("POST", "/customers/contoso/keys/primary/verify", None, "Operator", "own administrator"),
    Case("DELETE", "/customers/contoso/keys/primary", None, "Operator", "nobody else"),
    Case("POST", "/customers/contoso/keys/primary/attestOwnership", {"reason": "x" * 10}, "Operator", "nobody else"),
    Case(
        "PUT",
        "/customers/contoso/resources/data?whatIf=true",
        NOTHING,
        "Operator",
        "nobody else",
    ),
    Case("GET", "/customers/contoso/resources/data", None, "Reader", "own administrator"),
    Case("DELETE", "/customers/contoso/resources/data", None, "Operator", "nobody else"),
    Case("POST", "/customers/contoso/resources/data/reconcile", None, "Operator", "nobody else"),
    Case("GET", "/customers/contoso/operations/1", None, "Reader", "own administrator"),
    Case("GET", "/customers/contoso/webhook", None, "Operator", "own administrator"),
    Case("GET", "/customers/contoso/timeline", None, "Reader", "own administrator"),
    Case("GET", "/customers/contoso/timeline/integrity", None, "Reader", "own administrator"),
    Case("GET", "/customers", None, "Reader", "nobody else"),
    Case("GET", "/fleet/summary", None, "Reader", "nobody else"),
]
OF_CUSTOMERS = [case for case in MATRIX if case.path.startswith("/customers/")]
ROLES = ["Reader", "Operator", "Admin"]


@pytest.mark.parametrize("case", MATRIX, ids=lambda case: f"{case.method} {case.path}")
@pytest.mark.parametrize("role", [*ROLES, "KeyAdministrator", "Owner"])
async def test_a_role_of_the_provider_may_do_what_it_is_for(api: Api, case: Case, role: str) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    answer = await api.call(case.method, case.path, role=role, json=case.body)
    if role in ROLES:
        assert (answer.status_code != 403) == (ROLES.index(role) >= ROLES.index(case.least))
    elif role == "KeyAdministrator" and case in OF_CUSTOMERS:
        # The provider's tenant is not the customer's, so this is somebody else's customer.
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "CustomerNotFound")
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "NotAllowed")


@pytest.mark.parametrize("case", MATRIX, ids=lambda case: f"{case.method} {case.path}")
async def test_a_customers_administrator_may_manage_his_own_keys(api: Api, case: Case) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    answer = await api.call_as_customer(case.method, case.path, tenant=CUSTOMER_TENANT, json=case.body)
    assert (answer.status_code != 403) == (case.also == "own administrator")
    assert answer.headers.get("x-ms-error-code") != "CustomerNotFound"


@pytest.mark.parametrize("case", OF_CUSTOMERS, ids=lambda case: f"{case.method} {case.path}")
async def test_another_customer_answers_an_administrator_like_one_that_does_not_exist(api: Api, case: Case) -> None:
    tenant = "70000000-0000-4000-8000-000000000007"
    unknown = await api.call_as_customer(case.method, case.path, tenant=tenant, json=case.body)
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    foreign = await api.call_as_customer(case.method, case.path, tenant=tenant, json=case.body)
    assert unknown.status_code == foreign.status_code == 404
    assert unknown.json() == foreign.json()


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_of_the_provider_means_nothing_in_another_tenant(api: Api, role: str) -> None:
    headers = api.headers(role, tenant=CUSTOMER_TENANT)
    for path in ("/api/customers", "/api/customers/contoso", "/api/fleet/summary"):
        answer = await api.client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "NotAllowed")


async def test_the_timeline_names_who_asked(api: Api) -> None:
    answer = await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    [row] = await api.world.state.read_outbox("contoso", limit=10)
    origin = row.entry.origin
    assert origin.actor == f"{CALLER}@{PROVIDER_TENANT}"
    assert origin.cause == "http PUT /customers/contoso"
    assert origin.request_id == answer.headers["x-ms-request-id"]
