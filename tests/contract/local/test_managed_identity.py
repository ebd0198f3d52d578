"""The managed identity endpoint, by App Service's contract of 2019-08-01."""

from datetime import timedelta

import httpx
import jwt
import pytest

from local import names
from tests.running_world import RunningWorld

VAULT = {"api-version": "2019-08-01", "resource": names.VAULT_RESOURCE, "client_id": names.APP_IDENTITY_CLIENT_ID}


def ask(local_azure: RunningWorld, query: dict[str, str], header: str | None = None) -> httpx.Response:
    secret = local_azure.local.identity_service.header if header is None else header
    return httpx.get(
        local_azure.local.identity_endpoint.url, params=query, headers={"X-IDENTITY-HEADER": secret}, trust_env=False
    )


def test_an_answer_consists_of_strings(local_azure: RunningWorld) -> None:
    answer = ask(local_azure, VAULT).json()
    assert set(answer) == {"access_token", "expires_on", "resource", "token_type", "client_id"}
    assert all(isinstance(value, str) for value in answer.values())
    assert answer["client_id"] == names.APP_IDENTITY_CLIENT_ID
    assert answer["resource"] == names.VAULT_RESOURCE


def test_expiry_follows_world_time(local_azure: RunningWorld) -> None:
    before = int(ask(local_azure, VAULT).json()["expires_on"])
    local_azure.control.advance(timedelta(days=10))
    after = int(ask(local_azure, VAULT).json()["expires_on"])
    assert 10 * 86400 <= after - before < 10 * 86400 + 60


def test_a_token_for_the_exchange_is_what_a_federated_credential_names(local_azure: RunningWorld) -> None:
    query = {**VAULT, "resource": names.TOKEN_EXCHANGE_AUDIENCE, "client_id": names.KEYS_IDENTITY_CLIENT_ID}
    claims = jwt.decode(ask(local_azure, query).json()["access_token"], options={"verify_signature": False})
    assert claims["iss"] == f"https://login.microsoftonline.com/{names.PROVIDER_TENANT_ID}/v2.0"
    assert claims["sub"] == names.KEYS_IDENTITY_PRINCIPAL_ID
    assert claims["aud"] == names.TOKEN_EXCHANGE_AUDIENCE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_id", names.KEYS_IDENTITY_CLIENT_ID),
        ("principal_id", names.KEYS_IDENTITY_PRINCIPAL_ID),
        ("mi_res_id", names.KEYS_IDENTITY_RESOURCE_ID.upper()),
    ],
)
def test_an_identity_is_found_by_each_of_its_ids(local_azure: RunningWorld, name: str, value: str) -> None:
    query = {"api-version": "2019-08-01", "resource": names.VAULT_RESOURCE, name: value}
    assert ask(local_azure, query).json()["client_id"] == names.KEYS_IDENTITY_CLIENT_ID


@pytest.mark.parametrize("header", ["", "wrong"])
def test_a_caller_without_the_header_is_refused(local_azure: RunningWorld, header: str) -> None:
    assert ask(local_azure, VAULT, header).status_code == 401


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"api-version": "2017-09-01"}, "api-version"),
        ({"resource": "https://nothing.example"}, "AADSTS500011"),
        ({"resource": ""}, "AADSTS500011"),
        ({"client_id": names.API_CLIENT_ID}, "No User Assigned or Delegated Managed Identity found"),
        ({"client_id": names.APP_IDENTITY_CLIENT_ID[:-1]}, "No User Assigned or Delegated Managed Identity found"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(
    local_azure: RunningWorld, changes: dict[str, str], message: str
) -> None:
    answer = ask(local_azure, {**VAULT, **changes})
    assert answer.status_code == 400
    assert message in answer.json()["message"]


def test_a_fault_strikes_the_identity_endpoint_too(local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("status", service="identity", status=500, times=1)
    assert [ask(local_azure, VAULT).status_code for _ in range(2)] == [500, 200]
