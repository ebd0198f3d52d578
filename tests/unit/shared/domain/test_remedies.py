"""Remedies: the exact command for every finding a customer can mend, safe to paste whatever the names are."""

import re
import shlex
from dataclasses import replace

import pytest

from shared.domain.identifiers import KeyIdentifier
from shared.domain.reasons import Owner, Reason, owner_of
from shared.domain.remedies import ownership_tag, remedy
from tests.unit.shared.domain.test_key_checks import FAILING
from tests.unit.shared.domain.values import APPLICATION, CUSTOMER, KEY, SUBSCRIPTION

OF_A_KEY_CHECK = sorted(
    {reason for _, reason, _ in FAILING}
    | {Reason.NEAR_EXPIRY, Reason.ROLE_PROPAGATING, Reason.KEY_CLAIMED_ELSEWHERE}
    | {Reason.ROTATION_OVERDUE, Reason.SUBSCRIPTION_MISSING, Reason.KEY_REFUSED_BY_STORAGE, Reason.KEY_UNSEEN}
)
HOSTILE = "x'; rm -rf ~; echo $(id) `id` \"&& reboot"
HOSTILE_KEY = replace(
    KEY, identifier=KeyIdentifier(f"{HOSTILE}.vault.azure.net", HOSTILE), vault_resource_id=f"/subscriptions/{HOSTILE}"
)
HOSTILE_CUSTOMER = replace(CUSTOMER, application=HOSTILE, tenant_id=HOSTILE, ownership_nonce=HOSTILE)


@pytest.mark.parametrize("reason", [one for one in OF_A_KEY_CHECK if owner_of(one) is Owner.CUSTOMER])
def test_every_finding_of_a_key_check_that_the_customer_can_mend_has_a_remedy(reason: Reason) -> None:
    assert remedy(reason, customer=CUSTOMER, key=KEY)


@pytest.mark.parametrize("reason", [one for one in OF_A_KEY_CHECK if owner_of(one) is Owner.PROVIDER])
def test_what_only_the_provider_can_mend_asks_nothing_of_the_customer(reason: Reason) -> None:
    assert (remedy(reason, customer=CUSTOMER, key=KEY) or "Nothing to do").startswith("Nothing to do")


def test_where_nothing_is_wrong_there_is_nothing_to_mend() -> None:
    assert remedy(None, customer=CUSTOMER, key=KEY) is None


def test_a_remedy_that_names_a_key_needs_one() -> None:
    assert remedy(Reason.KEY_DISABLED, customer=CUSTOMER, key=None) is None
    assert remedy(Reason.CONSENT_MISSING, customer=CUSTOMER, key=None) is not None


def test_a_reason_without_a_command_has_no_remedy() -> None:
    assert remedy(Reason.SCOPE_LOCKED, customer=CUSTOMER, key=KEY) is None


def test_the_tag_names_the_application_and_holds_the_customers_nonce() -> None:
    assert ownership_tag(CUSTOMER) == (f"crosskey-{APPLICATION}", "nonce-of-contoso")
    command = remedy(Reason.OWNERSHIP_UNPROVEN, customer=CUSTOMER, key=KEY)
    assert command is not None
    assert f"--tags crosskey-{APPLICATION}=nonce-of-contoso " in command


def test_the_role_is_assigned_on_the_vault_that_was_named_or_on_the_one_that_is_found() -> None:
    vault = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/contoso-keys"
    named = remedy(Reason.ROLE_MISSING, customer=CUSTOMER, key=replace(KEY, vault_resource_id=vault))
    found = remedy(Reason.ROLE_MISSING, customer=CUSTOMER, key=KEY)
    assert named is not None
    assert found is not None
    assert named.endswith(f"--scope {vault}")
    assert found.endswith('--scope "$(az keyvault show --name contoso-keys --query id --output tsv)"')


def test_the_commands_of_a_key_name_its_vault_and_itself() -> None:
    command = remedy(Reason.KEY_DISABLED, customer=CUSTOMER, key=KEY)
    assert command == "az keyvault key set-attributes --vault-name contoso-keys --name cmk --enabled true"


@pytest.mark.parametrize("reason", OF_A_KEY_CHECK)
def test_no_name_can_smuggle_a_command_into_a_remedy(reason: Reason) -> None:
    text = remedy(reason, customer=HOSTILE_CUSTOMER, key=HOSTILE_KEY)
    assert text is not None
    # What a shell would see outside of quotes: nothing of the hostile names but what is quoted whole.
    rest = text
    for value in (HOSTILE, f"/subscriptions/{HOSTILE}", "=".join(ownership_tag(HOSTILE_CUSTOMER))):
        rest = rest.replace(shlex.quote(value), "QUOTED")
    assert not re.search(r"rm -rf|\$\(id\)|`id`|reboot", rest)
