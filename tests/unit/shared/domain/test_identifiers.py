"""Identifiers: what is accepted comes out in one spelling, and nothing that leads elsewhere is accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.identifiers import (
    MalformedIdentifier,
    StorageAccountId,
    customer_id,
    guid,
    object_name,
    same_arm_id,
)

VERSION = "0123456789abcdef0123456789abcdef"
GOOD = "https://contoso.vault.azure.net/keys/cmk"
SUBSCRIPTION = "50000000-0000-4000-8000-000000000005"
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/contosodata"
CONTROL = [chr(code) for code in [*range(0x20), 0x7F]]

MALFORMED_ACCOUNTS = [
    "",
    "/",
    "contosodata",
    ACCOUNT[1:],
    f"https://management.azure.com{ACCOUNT}",
    f"{ACCOUNT}/",
    f"{ACCOUNT}/blobServices/default",
    f"/{ACCOUNT}",
    ACCOUNT.replace("Microsoft.Storage", "Microsoft.Compute"),
    ACCOUNT.replace("storageAccounts", "disks"),
    ACCOUNT.replace("subscriptions", "tenants"),
    ACCOUNT.replace("providers", "provider"),
    ACCOUNT.replace("resourceGroups", "groups"),
    ACCOUNT.replace(SUBSCRIPTION, "not-a-guid"),
    ACCOUNT.replace(SUBSCRIPTION, f"{{{SUBSCRIPTION}}}"),
    ACCOUNT.replace("/rg/", "//"),
    ACCOUNT.replace("/rg/", "/../"),
    ACCOUNT.replace("/rg/", "/rg./"),
    ACCOUNT.replace("/rg/", "/r g/"),
    ACCOUNT.replace("/rg/", "/r%2fg/"),
    ACCOUNT.replace("/rg/", "/rg?x=y/"),
    ACCOUNT.replace("/rg/", f"/{'r' * 91}/"),
    ACCOUNT.replace("contosodata", "co"),
    ACCOUNT.replace("contosodata", "c" * 25),
    ACCOUNT.replace("contosodata", "contoso-data"),
    ACCOUNT.replace("contosodata", "contoso.data"),
    ACCOUNT.replace("contosodata", "contosodata?api-version=2020"),
    ACCOUNT.replace("contosodata", "contosodata#"),
    ACCOUNT.replace("contosodata", "contosodata\n"),
    ACCOUNT.replace("contosodata", "cont\u043esodata"),
    ACCOUNT.replace("/rg/", "/rg\u00e9/"),
    ACCOUNT.replace("/", "\\"),
    ACCOUNT + "0" * 512,
]


@pytest.mark.parametrize("text", MALFORMED_ACCOUNTS)
def test_what_is_no_storage_account_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedIdentifier, match="must be /subscriptions/"):
        StorageAccountId.parse(text)


def test_arm_ids_compare_without_case_and_keep_the_groups_spelling() -> None:
    shouted = StorageAccountId.parse(ACCOUNT.upper())
    assert shouted.claim == StorageAccountId.parse(ACCOUNT).claim
    assert shouted.resource_group == "RG"
    assert same_arm_id(ACCOUNT, ACCOUNT.upper() + "/")
    assert not same_arm_id(ACCOUNT, ACCOUNT + "2")


@given(
    st.uuids().map(str),
    st.from_regex(r"[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]", fullmatch=True),
    st.from_regex(r"[a-z0-9]{3,24}", fullmatch=True),
)
def test_a_storage_account_id_survives_being_written_and_read(subscription: str, group: str, name: str) -> None:
    account = StorageAccountId(subscription, group, name)
    assert StorageAccountId.parse(str(account)) == account


@pytest.mark.parametrize("text", ["abc", "contoso", "contoso-test", "0-0", "a" * 63])
def test_a_good_customer_id_is_taken_as_it_is(text: str) -> None:
    assert customer_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab",
        "-ab",
        "ab-",
        "a" * 64,
        "Contoso",
        "con toso",
        "con_toso",
        "con.toso",
        "a/b",
        "..",
        "contoso\n",
        "contös",
    ],
)
def test_a_malformed_customer_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedIdentifier, match="3 to 63"):
        customer_id(text)


@pytest.mark.parametrize("text", ["a", "0", "primary", "a-b", "a" * 63])
def test_a_good_object_name_is_taken_as_it_is(text: str) -> None:
    assert object_name(text) == text


@pytest.mark.parametrize("text", ["", "-", "a-", "-a", "A", "a" * 64, "a:b", "a/b", "a b", "key\n", "\u0131"])
def test_a_malformed_object_name_is_refused(text: str) -> None:
    with pytest.raises(MalformedIdentifier, match="1 to 63"):
        object_name(text)


@given(st.uuids())
def test_a_guid_is_folded_to_lower_case(value: object) -> None:
    assert guid(str(value).upper()) == str(value)


@pytest.mark.parametrize(
    "text", ["", "common", SUBSCRIPTION[:-1], f"{{{SUBSCRIPTION}}}", SUBSCRIPTION.replace("-", ""), f"{SUBSCRIPTION}\n"]
)
def test_a_malformed_guid_is_refused(text: str) -> None:
    with pytest.raises(MalformedIdentifier, match="GUID"):
        guid(text)
