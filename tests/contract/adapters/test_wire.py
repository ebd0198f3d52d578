"""The adapters' parsers and requests against recorded Azure traffic and the official contracts."""

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.account_documents import body, observe
from shared.adapters.azure_errors import translate_status
from shared.domain.account_observation import (
    AccountUpdate,
    EncryptWithKey,
    ObservedAccount,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.clouds import PUBLIC
from shared.domain.identifiers import KeyIdentifier
from shared.errors import Refused, Throttled, Unavailable
from tests.contract.local import wire
from tests.contract.local.wire import disagreements

pytestmark = pytest.mark.wire

STORAGE = "storage-2023-05-01.json"
IDENTITY = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/clitest.rg000001"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
)
KEY = KeyIdentifier("contoso.vault.azure.net", "cmk")


def exchanges(name: str) -> list[dict[str, Any]]:
    recorded = wire.recording(name)
    return list(recorded.get("exchanges", [recorded]))


def recorded_account(name: str, number: int) -> ObservedAccount:
    return observe(exchanges(name)[number]["response"]["body"], PUBLIC)


def test_a_recorded_account_with_a_customers_key_is_read() -> None:
    before = recorded_account("storage/02_set_cmk_versionless.json", 0)
    after = recorded_account("storage/02_set_cmk_versionless.json", 1)
    assert (before.key_source, before.current_key) == ("Microsoft.Storage", None)
    assert after.key_source == "Microsoft.Keyvault"
    assert after.current_version == "1b7df75594a14a3c8877ee6cb7dca164"
    assert after.follows_latest
    assert after.rotated_at is not None
    assert after.covered_services == ("blob", "file")


def test_a_recorded_pin_and_its_end_are_read() -> None:
    pinned = recorded_account("storage/04_unpin_key_version_empty_string.json", 0)
    following = recorded_account("storage/04_unpin_key_version_empty_string.json", 1)
    assert pinned.key_version == pinned.current_version == "1b7df75594a14a3c8877ee6cb7dca164"
    assert (following.key_version, following.follows_latest) == ("", True)


def test_a_recorded_account_that_lost_its_identities_is_read() -> None:
    before = recorded_account("storage/09_reattach_uai.json", 0)
    assert (before.system_assigned, before.user_assigned) == (False, ())
    assert before.encryption_identity == f"{IDENTITY}id000006"


def test_an_identity_is_taken_off_as_azure_was_asked_to() -> None:
    before = recorded_account("storage/13_swap_uai_null_removes_old.json", 0)
    sent = exchanges("storage/13_swap_uai_null_removes_old.json")[1]["request"]["body"]["identity"]
    removed = [name for name, value in sent["userAssignedIdentities"].items() if value is None]
    assert list(before.user_assigned) == removed


UPDATES: list[AccountUpdate] = [
    EncryptWithKey(key=KEY, version=None, identity=f"{IDENTITY}ours", federated_client_id="app"),
    SetKeyVersion(key=KEY, version="a" * 32, identity=f"{IDENTITY}ours", federated_client_id="app"),
    ReturnToMicrosoftManagedKeys(),
    RemoveIdentity(identity=f"{IDENTITY}id000006"),
]


@pytest.mark.parametrize("update", UPDATES, ids=lambda update: type(update).__name__)
def test_every_request_agrees_with_the_official_contract(update: AccountUpdate) -> None:
    present = recorded_account("storage/13_swap_uai_null_removes_old.json", 0)
    assert disagreements(body(update, present), STORAGE, "StorageAccountUpdateParameters") == []


def refusal(name: str) -> Any:
    # Some begin with the anonymous 401; the refusal is the last.
    response = exchanges(name)[-1]["response"]
    content = response["body"]
    text = content if isinstance(content, str) else json.dumps(content)
    return translate_status(response["status"], response["headers"], text, "doing")


@pytest.mark.parametrize(
    ("name", "outer", "inner"),
    [
        ("keyvault/18_err_403_forbidden_by_policy.json", "Forbidden", "ForbiddenByPolicy"),
        ("keyvault/30_quote_403_forbidden_by_firewall.json", "Forbidden", "ForbiddenByFirewall"),
        ("keyvault/22_err_404_key_not_found.json", "KeyNotFound", ""),
        ("keyvault/29_quote_401_akv10032_wrong_tenant.json", "Unauthorized", ""),
        ("storage/25_quote_400_key_vault_policy_error.json", "KeyVaultPolicyError", ""),
    ],
)
def test_a_recorded_refusal_keeps_its_codes(name: str, outer: str, inner: str) -> None:
    refused = refusal(name)
    assert isinstance(refused, Refused)
    assert (refused.azure_code, refused.inner_code) == (outer, inner)
    assert refused.detail


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("arm/01_err_429_write_limit.json", 303),
        ("arm/09_err_429_retryable.json", 12),
        ("keyvault/28_quote_429_throttled.json", None),
    ],
)
def test_a_recorded_429_says_how_long_to_wait(name: str, seconds: int | None) -> None:
    throttled = refusal(name)
    assert isinstance(throttled, Throttled)
    assert throttled.retry_after == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "name", ["storage/17_err_500_gateway_auth_failed_on_cmk_patch.json", "storage/19_err_503_server_timeout.json"]
)
def test_a_recorded_outage_is_could_not_tell(name: str) -> None:
    assert type(refusal(name)) is Unavailable
