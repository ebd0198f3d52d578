"""Requests to Resource Manager and its answers, member by member."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.adapters.account_documents import body, observe, read_timestamp
from shared.domain.account_observation import (
    EncryptWithKey,
    ObservedAccount,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.clouds import PUBLIC
from shared.domain.identifiers import KeyIdentifier
from shared.errors import UnexpectedAnswer

GROUP = "/subscriptions/10000000-0000-4000-8000-000000000002/resourceGroups/rg"
OURS = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/crosskey-keys"
OTHER = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other"
APPLICATION = "10000000-0000-4000-8000-00000000000a"
KEY = KeyIdentifier("contoso.vault.azure.net", "cmk")
ENCRYPT = EncryptWithKey(key=KEY, version=None, identity=OURS, federated_client_id=APPLICATION)


def account(*, system: bool = False, user: tuple[str, ...] = ()) -> ObservedAccount:
    return ObservedAccount(
        resource_id=f"{GROUP}/providers/Microsoft.Storage/storageAccounts/data",
        location="westeurope",
        system_assigned=system,
        user_assigned=user,
        key_source="Microsoft.Storage",
        encryption_services=("blob", "file"),
    )


def test_encrypting_is_spelled_as_azure_wants_it() -> None:
    assert body(ENCRYPT, account(system=True)) == {
        "identity": {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {OURS: {}}},
        "properties": {
            "encryption": {
                "keySource": "Microsoft.Keyvault",
                "services": {"blob": {"enabled": True}, "file": {"enabled": True}},
                "keyvaultproperties": {
                    "keyvaulturi": "https://contoso.vault.azure.net",
                    "keyname": "cmk",
                    "keyversion": "",
                },
                "identity": {"userAssignedIdentity": OURS, "federatedIdentityClientId": APPLICATION},
            }
        },
    }


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (account(), {"type": "UserAssigned", "userAssignedIdentities": {OURS: {}}}),
        (account(user=(OTHER,)), {"type": "UserAssigned", "userAssignedIdentities": {OTHER: {}, OURS: {}}}),
        (
            account(system=True, user=(OTHER, OURS.lower())),
            {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {OTHER: {}, OURS.lower(): {}}},
        ),
    ],
)
def test_no_identity_that_is_there_is_dropped_or_doubled(present: ObservedAccount, expected: dict[str, Any]) -> None:
    assert body(ENCRYPT, present)["identity"] == expected


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (
            account(system=True, user=(OTHER, OURS.upper())),
            {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {OTHER: {}, OURS.upper(): None}},
        ),
        (account(user=(OTHER, OURS)), {"type": "UserAssigned", "userAssignedIdentities": {OTHER: {}, OURS: None}}),
        (account(system=True, user=(OURS,)), {"type": "SystemAssigned"}),
        (account(user=(OURS,)), {"type": "None"}),
    ],
)
def test_removing_our_identity_leaves_the_others(present: ObservedAccount, expected: dict[str, Any]) -> None:
    assert body(RemoveIdentity(identity=OURS), present) == {"identity": expected}


def test_an_account_that_uses_the_key_as_itself_keeps_its_identities_and_names_none() -> None:
    own = EncryptWithKey(key=KEY, version=None, identity=None, federated_client_id=None)
    made = body(own, account(system=True, user=(OTHER,)))
    assert set(made) == {"properties"}
    # An empty text is what takes the place of an identity that is set.
    assert made["properties"]["encryption"]["identity"] == {"userAssignedIdentity": ""}


def test_a_federation_that_somebody_set_is_ended_in_words() -> None:
    own = EncryptWithKey(key=KEY, version=None, identity=OURS, federated_client_id=None)
    made = body(own, replace(account(), federated_client_id=APPLICATION))
    expected = {"userAssignedIdentity": OURS, "federatedIdentityClientId": ""}
    assert made["properties"]["encryption"]["identity"] == expected


def test_queues_and_tables_that_are_covered_stay_covered_in_words() -> None:
    covered = replace(account(), encryption_services=("blob", "queue", "table"), covered_services=("blob", "queue"))
    services = body(ENCRYPT, covered)["properties"]["encryption"]["services"]
    assert services == {
        "blob": {"enabled": True},
        "queue": {"enabled": True, "keyType": "Account"},
        "table": {"enabled": True},
    }


def test_moving_a_version_leaves_identities_alone() -> None:
    move = SetKeyVersion(key=KEY, version="a" * 32, identity=OURS, federated_client_id=None)
    made = body(move, account())
    assert set(made) == {"properties"}
    assert made["properties"]["encryption"]["keyvaultproperties"]["keyversion"] == "a" * 32
    assert made["properties"]["encryption"]["identity"] == {"userAssignedIdentity": OURS}


def test_leaving_names_microsofts_key_and_nothing_of_ours() -> None:
    services = {"blob": {"enabled": True}, "file": {"enabled": True}}
    expected = {"properties": {"encryption": {"keySource": "Microsoft.Storage", "services": services}}}
    assert body(ReturnToMicrosoftManagedKeys(), account()) == expected


def document() -> dict[str, Any]:
    return {
        "id": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/data",
        "location": "westeurope",
        "identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {OURS: {"principalId": "p"}}},
        "properties": {
            "encryption": {
                "keySource": "Microsoft.Keyvault",
                "services": {
                    "file": {"keyType": "Account", "enabled": True},
                    "blob": {"keyType": "Account", "enabled": True},
                    "queue": {"keyType": "Service", "enabled": True},
                    "table": {"keyType": "Account", "enabled": True},
                },
                "keyvaultproperties": {
                    "currentVersionedKeyIdentifier": f"https://Contoso.vault.azure.net:443/keys/CMK/{'A' * 32}",
                    "lastKeyRotationTimestamp": "2024-06-20T04:47:12.8177092Z",
                    "currentVersionedKeyExpirationTimestamp": "1970-01-01T00:00:00.0000000Z",
                    "keyvaulturi": "https://contoso.vault.azure.net/",
                    "keyname": "cmk",
                },
                "identity": {"userAssignedIdentity": OURS, "federatedIdentityClientId": APPLICATION.upper()},
            }
        },
    }


def swap_case(value: Any) -> Any:
    match value:
        case dict():
            return {(key if "/" in key else key.swapcase()): swap_case(inner) for key, inner in value.items()}
        case _:
            return value


@pytest.mark.parametrize("change", [lambda value: value, swap_case])
def test_an_answer_is_read_whatever_the_case_of_its_names(change: Any) -> None:
    found = observe(change(document()), PUBLIC)
    assert found.system_assigned
    assert found.user_assigned == (OURS,)
    assert found.current_key == KeyIdentifier("contoso.vault.azure.net", "CMK", "a" * 32)
    assert found.rotated_at == datetime(2024, 6, 20, 4, 47, 12, 817709, tzinfo=UTC)
    assert found.follows_latest
    assert found.key_version is None
    assert found.federated_client_id == APPLICATION
    assert {one.lower() for one in found.covered_services} == {"blob", "file", "table"}


@pytest.mark.parametrize("value", [None, [], "x", {}, {"id": 1, "location": "x"}, {"id": "x"}])
def test_an_answer_that_is_no_account_is_unexpected(value: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        observe(value, PUBLIC)


def test_an_account_that_says_little_is_read_as_microsofts() -> None:
    found = observe({"id": "x", "location": "y", "properties": None, "identity": {"type": "None"}}, PUBLIC)
    assert (found.key_source, found.system_assigned, found.user_assigned) == ("Microsoft.Storage", False, ())


def test_a_key_outside_key_vault_is_not_ours() -> None:
    changed = document()
    properties = changed["properties"]["encryption"]["keyvaultproperties"]
    properties["currentVersionedKeyIdentifier"] = "https://x.managedhsm.azure.net/keys/cmk/1"
    assert observe(changed, PUBLIC).current_key is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-06-20T04:47:12.8177092Z", datetime(2024, 6, 20, 4, 47, 12, 817709, tzinfo=UTC)),
        ("2024-06-20T04:47:12Z", datetime(2024, 6, 20, 4, 47, 12, tzinfo=UTC)),
        ("2024-06-20T04:47:12.5+00:00", datetime(2024, 6, 20, 4, 47, 12, 500000, tzinfo=UTC)),
        ("2024-06-20T06:47:12.1234567+02:00", datetime(2024, 6, 20, 4, 47, 12, 123456, tzinfo=UTC)),
        ("2024-06-20T04:47:12", datetime(2024, 6, 20, 4, 47, 12, tzinfo=UTC)),
        ("1970-01-01T00:00:00.0000000Z", None),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_in_all_their_forms(text: str | None, expected: datetime | None) -> None:
    assert read_timestamp(text) == expected


def test_an_unreadable_time_is_unexpected() -> None:
    with pytest.raises(UnexpectedAnswer):
        read_timestamp("yesterday")
