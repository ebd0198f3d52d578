"""Refusals and outages of Microsoft Entra, and the cache of customers' credentials."""

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from shared.adapters import credentials as module
from shared.adapters.credential_errors import translate_credential
from shared.adapters.credentials import Credentials
from shared.adapters.transport import SharedTransport
from shared.errors import CredentialRefused, Refused, Unavailable
from shared.settings import Settings
from tests.unit.shared.adapters.test_azure_errors import Answer
from tests.unit.shared.test_settings import GUID, mapping

TENANT = "20000000-0000-4000-8000-000000000001"
DESCRIPTION = (
    "AADSTS700016: Application with identifier 'x' was not found in the directory 'Contoso'. Trace ID: "
    "b1e6-4b2a Correlation ID: 7a3c1d52-0d5c-4a6e-9b07-2f0a6a0f5b11 Timestamp: 2026-11-22 10:00:00Z"
)


def refusal(status: int | None, text: str) -> ClientAuthenticationError:
    answer = None if status is None else Answer(status, {"error": "unauthorized_client", "error_description": text})
    return ClientAuthenticationError(message=text, response=answer)


def test_a_refusal_carries_its_number_and_correlation_id() -> None:
    translated = translate_credential(refusal(400, DESCRIPTION), "doing")
    assert isinstance(translated, CredentialRefused)
    assert translated.aadsts == 700016
    assert translated.correlation_id == "7a3c1d52-0d5c-4a6e-9b07-2f0a6a0f5b11"


def test_a_refusal_without_number_is_a_refusal_still() -> None:
    translated = translate_credential(refusal(400, "No User Assigned Managed Identity found"), "doing")
    assert isinstance(translated, CredentialRefused)
    assert translated.aadsts == 0


@pytest.mark.parametrize(
    "error",
    [
        refusal(503, DESCRIPTION),
        refusal(429, DESCRIPTION),
        refusal(None, "Unexpected response from Microsoft Entra ID: {}"),
        refusal(400, "AADSTS90033: A transient error has occurred. Please try again."),
        CredentialUnavailableError(message="no endpoint"),
        ServiceRequestError("no connection"),
        HttpResponseError(message="x"),
        ValueError("x"),
    ],
)
def test_whatever_leaves_it_open_is_could_not_tell(error: Exception) -> None:
    assert type(translate_credential(error, "doing")) is Unavailable


def credentials() -> Credentials:
    return Credentials(Settings.from_mapping(mapping()), SharedTransport())


async def test_a_credential_is_kept_per_tenant_and_application() -> None:
    kept = credentials()
    first = kept.pinned(tenant_id=TENANT, application=GUID)
    assert kept.pinned(tenant_id=TENANT, application=GUID) is first
    assert kept.pinned(tenant_id=GUID, application=GUID) is not first
    assert kept.identity(GUID) is kept.identity(GUID)


async def test_the_longest_unused_credential_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHED_TENANTS", 2)
    kept = credentials()
    tenants = [f"20000000-0000-4000-8000-00000000000{number}" for number in range(3)]
    first, second = (kept.pinned(tenant_id=tenant, application=GUID) for tenant in tenants[:2])
    assert kept.pinned(tenant_id=tenants[0], application=GUID) is first
    kept.pinned(tenant_id=tenants[2], application=GUID)
    assert kept.pinned(tenant_id=tenants[0], application=GUID) is first
    assert kept.pinned(tenant_id=tenants[1], application=GUID) is not second


@pytest.mark.parametrize("tenant", ["30000000-0000-4000-8000-000000000001", "common", "organizations"])
async def test_a_challenge_never_chooses_the_tenant(tenant: str) -> None:
    pinned = credentials().pinned(tenant_id=TENANT, application=GUID)
    with pytest.raises(Refused):
        await pinned.get_token_info("https://vault.azure.net/.default", options={"tenant_id": tenant})
    with pytest.raises(Refused):
        await pinned.get_token("https://vault.azure.net/.default", tenant_id=tenant)
