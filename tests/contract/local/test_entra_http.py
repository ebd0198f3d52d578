"""The local Entra's documents and errors, compared member by member with what Entra answers."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest

from local import names
from local.entra.token_endpoint import JWT_BEARER
from tests.running_world import RunningWorld

CONTOSO = "20000000-0000-4000-8000-000000000001"
ENTRA = f"https://{names.ENTRA_HOST}"
TOKEN_URL = f"{ENTRA}/{CONTOSO}/oauth2/v2.0/token"


@pytest.fixture
def entra(local_azure: RunningWorld) -> Iterator[httpx.Client]:
    local_azure.control.put_tenant(CONTOSO, "Contoso")
    local_azure.control.put_service_principal(CONTOSO)
    with httpx.Client(proxy=local_azure.proxy_url, verify=local_azure.tls, trust_env=False) as client:
        yield client


def token_form(local_azure: RunningWorld, **changes: str) -> dict[str, str]:
    answer = httpx.get(
        local_azure.local.identity_endpoint.url,
        params={
            "api-version": "2019-08-01",
            "resource": names.TOKEN_EXCHANGE_AUDIENCE,
            "client_id": names.KEYS_IDENTITY_CLIENT_ID,
        },
        headers={"X-IDENTITY-HEADER": local_azure.local.identity_service.header},
        trust_env=False,
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": names.POOL_CLIENT_ID,
        "scope": "https://vault.azure.net/.default",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": answer.json()["access_token"],
    }
    return {name: value for name, value in {**form, **changes}.items() if value}


def test_a_token_answer_has_entras_members_and_no_others(entra: httpx.Client, local_azure: RunningWorld) -> None:
    answer = entra.post(TOKEN_URL, data=token_form(local_azure))
    assert answer.status_code == 200
    assert set(answer.json()) == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert answer.json()["expires_in"] == 3599
    assert answer.headers["x-ms-clitelem"] == "1,0,0,,"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_an_error_has_entras_shape(entra: httpx.Client, local_azure: RunningWorld) -> None:
    form = token_form(local_azure, scope="https://nothing.example/.default")
    correlation = "11111111-2222-3333-4444-555555555555"
    answer = entra.post(TOKEN_URL, data=form, headers={"client-request-id": correlation})
    document = answer.json()
    assert answer.status_code == 400
    assert list(document) == [
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    ]
    assert document["error"] == "invalid_resource"
    assert document["error_codes"] == [500011]
    assert document["correlation_id"] == correlation
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", document["timestamp"])
    assert document["error_description"].endswith(
        f"\r\nTrace ID: {document['trace_id']}\r\nCorrelation ID: {correlation}\r\nTimestamp: {document['timestamp']}"
    )
    assert answer.headers["x-ms-request-id"] == document["trace_id"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"grant_type": ""}, (400, "invalid_request", 900144)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"client_id": ""}, (400, "invalid_request", 900144)),
        ({"scope": "https://vault.azure.net"}, (400, "invalid_scope", 1002012)),
        (
            {"scope": "https://vault.azure.net/.default https://management.azure.com/.default"},
            (400, "invalid_scope", 1002012),
        ),
        ({"client_assertion": ""}, (401, "invalid_client", 7000216)),
        ({"client_assertion": "nonsense"}, (400, "invalid_request", 50027)),
        ({"client_id": "99999999-0000-4000-8000-000000000001"}, (400, "unauthorized_client", 700016)),
    ],
)
def test_a_bad_token_request_is_refused_with_its_own_code(
    entra: httpx.Client, local_azure: RunningWorld, changes: dict[str, str], expected: tuple[int, str, int]
) -> None:
    answer = entra.post(TOKEN_URL, data=token_form(local_azure, **changes))
    assert (answer.status_code, answer.json()["error"], *answer.json()["error_codes"]) == expected


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"issuer": f"https://login.microsoftonline.com/{CONTOSO}/v2.0"}, 700211),
        ({"issuer": f"https://login.microsoftonline.com/{names.PROVIDER_TENANT_ID}/V2.0"}, 700211),
        ({"subject": names.KEYS_IDENTITY_CLIENT_ID}, 700213),
        ({"audience": "API://AzureADTokenExchange"}, 7002121),
    ],
)
def test_a_federated_credential_must_match_in_every_member_and_case(
    entra: httpx.Client, local_azure: RunningWorld, change: dict[str, str], code: int
) -> None:
    members = {
        "issuer": f"https://login.microsoftonline.com/{names.PROVIDER_TENANT_ID}/v2.0",
        "subject": names.KEYS_IDENTITY_PRINCIPAL_ID,
        "audience": names.TOKEN_EXCHANGE_AUDIENCE,
    }
    local_azure.control.put_federated_credential(
        applicationClientId=names.POOL_CLIENT_ID, name=names.KEYS_IDENTITY_NAME, **{**members, **change}
    )
    answer = entra.post(TOKEN_URL, data=token_form(local_azure))
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [code])


def test_an_application_without_federated_credentials_has_an_error_of_its_own(
    entra: httpx.Client, local_azure: RunningWorld
) -> None:
    local_azure.control.remove_federated_credential(names.POOL_CLIENT_ID, names.KEYS_IDENTITY_NAME)
    answer = entra.post(TOKEN_URL, data=token_form(local_azure))
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [70021])


def test_the_published_keys_verify_a_token(entra: httpx.Client, local_azure: RunningWorld) -> None:
    configuration = entra.get(f"{ENTRA}/{CONTOSO}/v2.0/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(entra.get(configuration["jwks_uri"]).json())
    token = local_azure.control.token("Contoso", "CrossKey.KeyAdministrator")
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=names.API_CLIENT_ID)
    assert claims["iss"] == configuration["issuer"]
    assert claims["roles"] == ["CrossKey.KeyAdministrator"]


def test_the_keys_of_common_name_no_tenant(entra: httpx.Client) -> None:
    keys: dict[str, Any] = entra.get(f"{ENTRA}/common/discovery/v2.0/keys").json()
    assert keys["keys"][0]["issuer"] == "https://login.microsoftonline.com/{tenantid}/v2.0"


def test_an_unknown_tenant_has_no_configuration(entra: httpx.Client) -> None:
    answer = entra.get(f"{ENTRA}/fabrikam/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (
        400,
        "invalid_tenant",
        [90002],
    )


def test_instance_discovery_points_to_the_tenants_configuration(entra: httpx.Client) -> None:
    endpoint = f"{ENTRA}/{CONTOSO}/oauth2/v2.0/authorize"
    answer = entra.get(
        f"{ENTRA}/common/discovery/instance", params={"api-version": "1.1", "authorization_endpoint": endpoint}
    )
    expected = f"{ENTRA}/{CONTOSO}/v2.0/.well-known/openid-configuration"
    assert answer.json()["tenant_discovery_endpoint"] == expected


def test_what_entra_does_not_imitate_is_said_by_name(entra: httpx.Client) -> None:
    answer = entra.post(f"{ENTRA}/{CONTOSO}/oauth2/v2.0/devicecode", data={"client_id": "x"})
    assert answer.status_code == 501
    assert answer.json()["error"] == "NotImplementedLocally"
    assert f"POST /{CONTOSO}/oauth2/v2.0/devicecode" in answer.json()["error_description"]
