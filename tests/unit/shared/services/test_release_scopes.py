"""Releasing an account whose encryption scopes are on the customer's key: they come first, proven, one by one."""

import pytest

from shared.domain.account_observation import ReturnToMicrosoftManagedKeys
from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.errors import Refused, Unavailable
from shared.services.resources import release_resource
from tests.unit.shared.services.stage import ACCOUNT, CONTOSO, ORIGIN, Stage, protected_account


async def release(stage: Stage) -> None:
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)


async def with_scopes(*names: str) -> Stage:
    stage = await protected_account()
    for name in names:
        stage.world.accounts.put_scope(ACCOUNT, name, stage.version)
    return stage


async def test_scopes_on_the_key_are_released_before_the_account_and_written_down() -> None:
    stage = await with_scopes("one", "two")
    stage.world.accounts.put_scope(ACCOUNT, "plain")
    await release(stage)
    accounts = stage.world.accounts
    accounts.break_before("update", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await stage.reconcile()
    assert accounts.released_scopes == ["one", "two"]
    assert (await stage.account()).current_key == stage.version
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED
    assert accounts.released_scopes == ["one", "two"]
    assert isinstance(accounts.updates[-2], ReturnToMicrosoftManagedKeys)
    told = [entry.data for entry in await stage.entries() if "encryptionScope" in entry.data]
    assert [(one["encryptionScope"], one["scopeVersion"]) for one in told] == [
        ("one", stage.version.version),
        ("two", stage.version.version),
    ]
    await stage.assert_told_truly()


async def test_more_scopes_than_steps_of_one_run_are_all_released() -> None:
    names = [f"scope{number}" for number in range(15)]
    stage = await with_scopes(*names)
    await release(stage)
    await stage.work_off()
    assert stage.world.accounts.released_scopes == names
    assert (await stage.resource()).state is ResourceState.RELEASED


async def test_nothing_is_released_while_the_version_of_a_scope_does_not_unwrap() -> None:
    stage = await with_scopes("one")
    newer = await stage.rotate()
    await stage.work_off()
    assert (await stage.account()).current_key == newer
    stage.world.vault.change(stage.version, enabled=False)
    await release(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.RELEASING
    assert [one.reason for one in resource.findings] == [Reason.CURRENT_KEY_UNUSABLE]
    assert resource.findings[0].detail == f"Encryption scope one: Version {stage.version.version}."
    assert stage.world.accounts.calls["release_scope"] == 0
    assert (await stage.account()).current_key == newer


async def test_a_scope_that_appears_during_the_release_keeps_it_from_being_declared() -> None:
    stage = await protected_account()
    await release(stage)
    accounts, version = stage.world.accounts, stage.version
    original = accounts.update

    async def update(*args: object, **members: object) -> object:
        answer = await original(*args, **members)  # type: ignore[arg-type]  # passed through
        accounts.update = original  # type: ignore[method-assign]  # put back
        accounts.put_scope(ACCOUNT, "late", version)
        return answer

    accounts.update = update  # type: ignore[method-assign,assignment]  # somebody is faster
    await stage.work_off()
    # The account has lost its way to the vault, so that a person must look; what counts is that nothing is declared.
    assert accounts.calls["release_scope"] > 0
    assert (await stage.resource()).state is ResourceState.RELEASING
    assert [one.reason for one in (await stage.resource()).findings] == [Reason.KEY_REFUSED_BY_STORAGE]


async def test_scopes_that_cannot_be_read_keep_the_account_on_its_key() -> None:
    stage = await with_scopes("one")
    refusal = Refused("no", http_status=403, azure_code="AuthorizationFailed")
    stage.world.accounts.break_before("read_scopes", *[refusal] * 10)
    await release(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert (resource.state, (await stage.account()).current_key) == (ResourceState.RELEASING, stage.version)
    assert [one.reason for one in resource.findings] == [Reason.PROVIDER_ROLE_MISSING]


async def test_a_scope_that_azure_refuses_to_release_is_a_finding() -> None:
    stage = await with_scopes("one")
    refusal = Refused("no", http_status=409, azure_code="ScopeLocked")
    stage.world.accounts.break_before("release_scope", *[refusal] * 10)
    await release(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.RELEASING
    assert [one.reason for one in resource.findings] == [Reason.SCOPE_LOCKED]


async def test_a_lost_answer_to_a_scopes_release_changes_nothing_in_the_end() -> None:
    stage = await with_scopes("one", "two")
    stage.world.accounts.break_after("release_scope", Unavailable("no answer"))
    await release(stage)
    await stage.work_off()
    assert stage.world.accounts.released_scopes == ["one", "two"]
    assert (await stage.resource()).state is ResourceState.RELEASED
    await stage.assert_told_truly()


async def test_scopes_are_not_read_while_nothing_is_released() -> None:
    stage = await with_scopes("one")
    await stage.rotate()
    await stage.work_off()
    await stage.sweep()
    await stage.work_off()
    assert stage.world.accounts.calls["read_scopes"] == 0
