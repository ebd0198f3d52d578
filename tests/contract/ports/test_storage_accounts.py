"""What every port of storage accounts does when all goes well: reading, the four updates, and what they leave alone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.account_observation import (
    AccountUpdate,
    ObservedAccount,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.identifiers import StorageAccountId, same_arm_id
from shared.errors import Refused
from tests.contract.ports.stage import Stage

FIVE_SECONDS = timedelta(seconds=5)


def move(stage: Stage, version: str | None) -> SetKeyVersion:
    return SetKeyVersion(key=stage.key, version=version, identity=stage.identity, federated_client_id=stage.application)


def folded(account: ObservedAccount) -> set[str]:
    assert len({one.lower() for one in account.user_assigned}) == len(account.user_assigned)
    return {one.lower() for one in account.user_assigned}


async def update(stage: Stage, change: AccountUpdate) -> ObservedAccount:
    """One update of the account as it is now; the answer must be what a read shows afterwards."""
    answer = await stage.bundle.accounts.update(stage.account, change, present=await stage.present())
    assert await stage.present() == answer
    return answer


async def test_an_account_or_group_that_is_not_there_is_none(stage: Stage) -> None:
    assert await stage.bundle.accounts.read(stage.account) is None
    elsewhere = replace(stage.account, resource_group="rg-nowhere")
    assert await stage.bundle.accounts.read(elsewhere) is None


async def test_an_account_is_found_whatever_the_case_of_its_group(stage: Stage) -> None:
    stage.put_account()
    found = await stage.bundle.accounts.read(
        replace(stage.account, resource_group=stage.account.resource_group.upper())
    )
    assert found is not None
    assert same_arm_id(found.resource_id, str(stage.account))


async def test_a_new_account_is_on_microsofts_keys(stage: Stage) -> None:
    stage.put_account(stage.other_identity)
    found = await stage.present()
    assert found.key_source == "Microsoft.Storage"
    assert (found.location, found.system_assigned, folded(found)) == (
        "westeurope",
        True,
        {stage.other_identity.lower()},
    )
    assert (found.vault_uri, found.key_name, found.current_key, found.rotated_at) == (None, None, None, None)
    assert (found.encryption_identity, found.federated_client_id) == (None, None)
    assert (found.covered_services, found.encryption_services) == (("blob", "file"), ("blob", "file"))


async def test_an_encrypted_account_follows_the_key_by_itself(stage: Stage) -> None:
    version = stage.add_version()
    stage.put_account()
    after = await update(stage, stage.encrypt())
    assert after.key_source == "Microsoft.Keyvault"
    assert (after.key_version, after.follows_latest) == ("", True)
    assert after.current_key == version
    assert (after.vault_uri, after.key_name) == (version.vault_uri, version.key_name)
    assert after.federated_client_id == stage.application
    assert after.encryption_identity is not None
    assert same_arm_id(after.encryption_identity, stage.identity)
    assert after.rotated_at is not None
    assert abs(after.rotated_at - stage.now()) < FIVE_SECONDS


async def test_encrypting_adds_our_identity_to_those_that_are_there(stage: Stage) -> None:
    stage.add_version()
    stage.put_account(stage.other_identity)
    after = await update(stage, stage.encrypt())
    assert after.system_assigned
    assert folded(after) == {stage.other_identity.lower(), stage.identity.lower()}


async def test_an_identity_that_is_there_in_another_spelling_is_not_added_twice(stage: Stage) -> None:
    stage.add_version()
    stage.put_account(stage.identity)
    shouted = replace(stage.encrypt(), identity=stage.identity.replace("resourceGroups", "resourcegroups"))
    assert folded(await update(stage, shouted)) == {stage.identity.lower()}


async def test_an_identity_that_somebody_added_meanwhile_stays(stage: Stage) -> None:
    stage.add_version()
    stage.put_account()
    before = await stage.present()
    await stage.assign_identity(stage.other_identity)
    after = await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=before)
    assert folded(after) == {stage.other_identity.lower(), stage.identity.lower()}


async def test_an_account_without_identities_gets_ours_alone(stage: Stage) -> None:
    stage.add_version()
    stage.put_account(system_assigned=False)
    after = await update(stage, stage.encrypt())
    assert (after.system_assigned, folded(after)) == (False, {stage.identity.lower()})


async def test_a_version_can_be_pinned_and_let_go_again(stage: Stage) -> None:
    first = stage.add_version()
    stage.put_account(stage.other_identity)
    encrypted = await update(stage, stage.encrypt())
    stage.advance(FIVE_SECONDS)
    newer = stage.add_version()
    pinned = await update(stage, move(stage, newer.version))
    assert (pinned.current_key, pinned.key_version, pinned.follows_latest) == (newer, newer.version, False)
    assert encrypted.rotated_at is not None
    assert pinned.rotated_at is not None
    assert pinned.rotated_at > encrypted.rotated_at
    back = await update(stage, move(stage, first.version))
    assert (back.current_key, back.key_version) == (first, first.version)
    following = await update(stage, move(stage, None))
    assert (following.current_key, following.key_version, following.follows_latest) == (newer, "", True)
    assert folded(following) == {stage.other_identity.lower(), stage.identity.lower()}


async def test_a_version_can_be_pinned_from_the_start(stage: Stage) -> None:
    older = stage.add_version()
    stage.advance(FIVE_SECONDS)
    stage.add_version()
    stage.put_account()
    after = await update(stage, stage.encrypt(older.version))
    assert (after.current_key, after.key_version) == (older, older.version)


async def test_an_account_returns_to_microsofts_keys_with_its_identities(stage: Stage) -> None:
    stage.add_version()
    stage.put_account(stage.other_identity)
    await update(stage, stage.encrypt())
    released = await update(stage, ReturnToMicrosoftManagedKeys())
    assert (released.key_source, released.current_key, released.follows_latest) == ("Microsoft.Storage", None, True)
    assert (released.encryption_identity, released.federated_client_id) == (None, None)
    assert folded(released) == {stage.other_identity.lower(), stage.identity.lower()}
    assert released.covered_services == ("blob", "file")


@pytest.mark.parametrize("system_assigned", [True, False])
async def test_only_the_identity_that_is_named_is_taken_off(stage: Stage, system_assigned: bool) -> None:
    stage.put_account(stage.other_identity, stage.identity, system_assigned=system_assigned)
    after = await update(stage, RemoveIdentity(identity=stage.identity.upper()))
    assert (after.system_assigned, folded(after)) == (system_assigned, {stage.other_identity.lower()})


@pytest.mark.parametrize("system_assigned", [True, False])
async def test_the_last_identity_can_be_taken_off(stage: Stage, system_assigned: bool) -> None:
    stage.put_account(stage.identity, system_assigned=system_assigned)
    after = await update(stage, RemoveIdentity(identity=stage.identity))
    assert (after.system_assigned, after.user_assigned) == (system_assigned, ())


async def test_what_is_described_is_what_is_sent(stage: Stage) -> None:
    version = stage.add_version()
    stage.put_account(stage.other_identity)
    changes: list[AccountUpdate] = [
        stage.encrypt(),
        move(stage, version.version),
        move(stage, None),
        ReturnToMicrosoftManagedKeys(),
        RemoveIdentity(identity=stage.identity),
    ]
    plans = []
    for change in changes:
        before = await stage.present()
        plans.append(stage.bundle.accounts.describe(stage.account, change, present=before))
        assert len(stage.sent_updates()) == len(plans) - 1
        await stage.bundle.accounts.update(stage.account, change, present=before)
    assert stage.sent_updates() == plans
    url = f"https://management.azure.com{stage.account}?api-version=2023-05-01"
    assert {(plan["method"], plan["url"]) for plan in plans} == {("PATCH", url)}
    versions = [plan["body"]["properties"]["encryption"]["keyvaultproperties"]["keyversion"] for plan in plans[:3]]
    # Automatic update is an empty text; a member that is left out would keep what is pinned.
    assert versions == ["", version.version, ""]
    assert ["identity" in plan["body"] for plan in plans] == [True, False, False, False, True]


async def test_what_would_be_refused_is_described_all_the_same(stage: Stage) -> None:
    stage.put_account()
    before = await stage.present()
    plan = stage.bundle.accounts.describe(stage.account, stage.encrypt(), present=before)
    with pytest.raises(Refused):
        await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=before)
    assert stage.sent_updates() == [plan]


async def test_every_account_of_a_subscription_is_read_by_pages(stage: Stage) -> None:
    accounts = {StorageAccountId(stage.account.subscription_id, "rg-crosskey", f"data{n}") for n in range(60)}
    for account in accounts:
        stage.put_account(account=account)
    found = [one async for one in stage.bundle.accounts.read_subscription(stage.account.subscription_id)]
    assert len(found) == 60
    assert {StorageAccountId.parse(one.resource_id).claim for one in found} == {one.claim for one in accounts}


async def test_a_subscription_without_accounts_is_empty(stage: Stage) -> None:
    found = stage.bundle.accounts.read_subscription(stage.account.subscription_id)
    assert [one async for one in found] == []
