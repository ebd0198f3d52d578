"""What only the vault adapter and the tenant credentials do: hosts, redirects, numbers of requests, odd answers."""

import asyncio
import base64
from typing import Any

import pytest

from local import names
from shared.bundle import Bundle
from shared.domain.identifiers import HostNotAllowed, KeyIdentifier
from shared.errors import CredentialRefused, NameUnresolved, Refused, Throttled, Unavailable, UnexpectedAnswer
from shared.ports import Challenge
from tests.contract.local.contoso import TENANT, VAULT, Contoso
from tests.running_world import RunningWorld

KEY = KeyIdentifier(f"{VAULT}.vault.azure.net", "cmk")
WHO: dict[str, Any] = {"tenant_id": TENANT, "application": names.POOL_CLIENT_ID}


def version_of(document: dict[str, Any]) -> str:
    return str(document["key"]["kid"]).rpartition("/")[2]


def tokens_asked(azure: RunningWorld) -> int:
    return len([call for call in azure.control.calls(service="entra") if call["path"].endswith("/token")])


async def test_an_anonymous_look_tells_whose_vault_it_is(bundle: Bundle, contoso: Contoso) -> None:
    assert await bundle.vault.read_challenge(KEY) == Challenge(TENANT, "westeurope")
    calls = contoso.azure.control.calls(service="keyvault")
    assert [call["status"] for call in calls] == [401]
    assert tokens_asked(contoso.azure) == 0


async def test_no_request_leaves_for_a_host_that_is_no_vault(bundle: Bundle, contoso: Contoso) -> None:
    evil = KeyIdentifier("contoso.vault.azure.net.evil.example", "cmk", "0" * 32)
    with pytest.raises(HostNotAllowed):
        await bundle.vault.read_challenge(evil)
    with pytest.raises(HostNotAllowed):
        await bundle.vault.read_key(evil, **WHO)
    with pytest.raises(HostNotAllowed):
        await bundle.vault.wrap(evil, b"x", **WHO)
    assert contoso.azure.control.calls() == []


async def test_the_vault_wraps_and_unwraps_by_itself(bundle: Bundle, contoso: Contoso) -> None:
    key = KEY.with_version(version_of(contoso.create_key()))
    secret = bytes(range(32))
    wrapped = await bundle.vault.wrap(key, secret, **WHO)
    assert await bundle.vault.unwrap(key, wrapped, **WHO) == secret
    operations = [call["operation"] for call in contoso.azure.control.calls(service="keyvault")]
    assert {"WrapKey", "UnwrapKey"} <= set(operations)
    assert len(base64.urlsafe_b64decode(wrapped + "==")) == 256


async def test_an_answer_of_another_version_is_not_believed(bundle: Bundle, contoso: Contoso) -> None:
    key = KEY.with_version(version_of(contoso.create_key()))
    body = {"kid": str(KEY.with_version("f" * 32)), "value": "AAAA"}
    contoso.azure.control.add_fault(
        "status", service="keyvault", operation="WrapKey", when="after", status=200, body=body
    )
    with pytest.raises(UnexpectedAnswer):
        await bundle.vault.wrap(key, b"x", **WHO)


async def test_throttling_is_not_waited_out_here(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    await bundle.vault.read_key(KEY, **WHO)
    headers = {"Retry-After": "240"}
    contoso.azure.control.add_fault("status", service="keyvault", status=429, headers=headers)
    contoso.azure.control.forget_calls()
    with pytest.raises(Throttled) as throttled:
        await bundle.vault.read_key(KEY, **WHO)
    assert throttled.value.retry_after is not None
    assert throttled.value.retry_after.total_seconds() == 240
    assert len(contoso.azure.control.calls(service="keyvault")) == 1


async def test_a_short_outage_of_the_vault_is_bridged(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    contoso.azure.control.add_fault("status", service="keyvault", status=503, times=1)
    assert await bundle.vault.read_key(KEY, **WHO) is not None


async def test_a_cut_connection_is_unavailable(bundle: Bundle, contoso: Contoso) -> None:
    key = KEY.with_version(version_of(contoso.create_key()))
    await bundle.vault.read_key(key, **WHO)
    contoso.azure.control.add_fault("drop", service="keyvault", operation="WrapKey")
    with pytest.raises(Unavailable):
        await bundle.vault.wrap(key, b"x", **WHO)


async def test_a_redirect_is_not_followed(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    contoso.azure.control.add_fault(
        "status", service="keyvault", status=307, headers={"Location": "https://evil.vault.azure.net/keys/cmk"}
    )
    with pytest.raises(UnexpectedAnswer):
        await bundle.vault.read_challenge(KEY)
    with pytest.raises(UnexpectedAnswer):
        await bundle.vault.read_key(KEY, **WHO)
    assert {call["host"] for call in contoso.azure.control.calls(service="keyvault")} == {f"{VAULT}.vault.azure.net"}


async def test_no_token_goes_to_a_vault_of_another_tenant(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    other = "30000000-0000-4000-8000-000000000001"
    contoso.azure.control.put_tenant(other, "Fabrikam")
    contoso.azure.control.put_vault("fabrikam-keys", tenantId=other)
    contoso.azure.control.forget_calls()
    with pytest.raises(Refused) as refused:
        await bundle.vault.read_key(KeyIdentifier("fabrikam-keys.vault.azure.net", "cmk"), **WHO)
    assert refused.value.inner_code == "VaultInAnotherTenant"
    assert tokens_asked(contoso.azure) == 0


async def test_twenty_first_calls_ask_for_one_token(bundle: Bundle, contoso: Contoso) -> None:
    contoso.create_key()
    contoso.azure.control.forget_calls()
    await asyncio.gather(*(bundle.vault.read_key(KEY, **WHO) for _ in range(20)))
    assert tokens_asked(contoso.azure) == 1
    await bundle.credentials.obtain(**WHO)
    assert tokens_asked(contoso.azure) == 1


async def test_a_refusal_of_entra_can_be_traced(bundle: Bundle, contoso: Contoso) -> None:
    contoso.azure.control.remove_service_principal(TENANT)
    with pytest.raises(CredentialRefused) as refused:
        await bundle.credentials.obtain(**WHO)
    assert len(refused.value.correlation_id) == 36


async def test_twenty_fresh_looks_at_once_are_at_most_two_requests(bundle: Bundle, contoso: Contoso) -> None:
    await asyncio.gather(*(bundle.credentials.obtain(**WHO, fresh=True) for _ in range(20)))
    assert 1 <= tokens_asked(contoso.azure) <= 2


async def test_an_unreadable_answer_of_entra_is_not_lost_consent(bundle: Bundle, contoso: Contoso) -> None:
    contoso.azure.control.add_fault("malformed", service="entra")
    with pytest.raises(Unavailable):
        await bundle.credentials.obtain(**WHO)


async def test_throttling_by_entra_is_not_the_vaults(bundle: Bundle, contoso: Contoso) -> None:
    contoso.azure.control.add_fault("status", service="entra", status=429, headers={"Retry-After": "9"})
    with pytest.raises(Unavailable) as unavailable:
        await bundle.credentials.obtain(**WHO)
    assert not isinstance(unavailable.value, Throttled | NameUnresolved)
    assert unavailable.value.retry_after is not None


async def test_a_broken_federated_credential_names_its_number(bundle: Bundle, contoso: Contoso) -> None:
    contoso.azure.control.remove_federated_credential(names.POOL_CLIENT_ID, names.KEYS_IDENTITY_NAME)
    with pytest.raises(CredentialRefused) as refused:
        await bundle.credentials.obtain(**WHO)
    assert refused.value.aadsts in {70021, 700211, 700213, 7002121, 700212}


async def test_our_own_half_of_the_chain_can_be_told_from_the_customers(bundle: Bundle, contoso: Contoso) -> None:
    contoso.azure.control.remove_service_principal(TENANT)
    await bundle.credentials.obtain_assertion(application=names.POOL_CLIENT_ID)
    with pytest.raises(CredentialRefused):
        await bundle.credentials.obtain(**WHO)
    assert tokens_asked(contoso.azure) == 1
