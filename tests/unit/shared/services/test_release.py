"""Releasing a resource: what must be proven first, what is let go, and that the claim comes last."""

from datetime import timedelta

import pytest

from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.errors import CredentialRefused, Refused, Unavailable
from shared.services.resources import release_resource
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    Stage,
    account_id,
    protect,
    protected_account,
    unprotected_account,
)


async def release(stage: Stage) -> None:
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)


async def test_a_release_stops_while_the_version_in_use_does_not_unwrap() -> None:
    stage = await protected_account()
    stage.world.vault.change(stage.version, enabled=False)
    await release(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert (await stage.account()).current_key == stage.version
    assert resource.state is ResourceState.RELEASING
    assert [finding.reason for finding in resource.findings] == [Reason.CURRENT_KEY_UNUSABLE]
    assert stage.announced().count("ResourceFailed") == 1
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None


async def test_a_stopped_release_goes_on_once_the_version_unwraps_again() -> None:
    stage = await protected_account()
    stage.world.vault.change(stage.version, enabled=False)
    await release(stage)
    await stage.work_off()
    stage.world.vault.change(stage.version, enabled=True)
    waits_until = (await stage.resource()).queued_until
    assert waits_until is not None
    stage.world.clock.advance(waits_until - stage.world.clock.now())
    await stage.sweep()
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.RELEASED
    assert not resource.findings
    assert (await stage.operation(resource.operation_id)).succeeded


async def test_an_expired_version_still_unwraps_so_it_can_be_left() -> None:
    stage = await protected_account()
    stage.world.vault.change(stage.version, expires=stage.world.clock.now())
    await release(stage)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED


async def test_a_release_during_an_outage_of_the_vault_waits_and_blames_nobody() -> None:
    stage = await protected_account()
    stage.world.vault.break_before("unwrap", *[Unavailable("no answer")] * 3)
    await release(stage)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED
    assert "ResourceFailed" not in stage.announced()


async def test_our_own_broken_credential_is_no_finding_about_the_customers_key() -> None:
    stage = await protected_account()
    stage.world.vault.break_before("unwrap", *[CredentialRefused("no match", aadsts=700213)] * 2)
    await release(stage)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED
    assert "ResourceFailed" not in stage.announced()


async def test_a_claim_is_freed_after_everything_else() -> None:
    stage = await protected_account()
    await release(stage)
    stage.world.claims.break_before("find", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await stage.reconcile()
    resource = await stage.resource()
    assert resource.state is ResourceState.RELEASED
    assert (await stage.operation(resource.operation_id)).succeeded
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None
    await stage.work_off()
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None


async def test_a_resource_asked_for_again_while_its_release_ends_keeps_its_claim(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = await protected_account()
    await release(stage)
    find = stage.world.claims.find

    async def find_meanwhile(kind: str, identifier: str) -> object:
        monkeypatch.setattr(stage.world.claims, "find", find)
        stage.world.clock.advance(timedelta(seconds=1))
        await protect(stage)
        return await find(kind, identifier)

    monkeypatch.setattr(stage.world.claims, "find", find_meanwhile)
    await stage.reconcile()
    assert (await stage.resource()).state is ResourceState.PENDING
    assert await find("resource", ACCOUNT.claim) is not None


async def test_a_release_asked_for_after_refusals_is_tried_as_if_there_had_been_none() -> None:
    stage = await unprotected_account()
    locked = Refused("locked", http_status=409, azure_code="ScopeLocked")
    stage.world.accounts.break_before("update", *[locked] * 4)
    await protect(stage)
    await stage.work_off()
    await release(stage)
    resource = await stage.resource()
    assert (resource.refusals, resource.queued_until) == (0, None)


async def test_the_release_of_what_somebody_put_on_another_key_lets_go_of_it_untouched() -> None:
    stage = await protected_account(drift_policy="report")
    foreign = stage.world.vault.add_version(stage.vault, "theirs")
    stage.world.accounts.change(ACCOUNT, key_name="theirs", current_key=foreign)
    await stage.reconcile()
    await release(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.RELEASED
    assert [finding.reason for finding in resource.findings] == [Reason.ANOTHER_KEY_IN_USE]
    assert (await stage.account()).current_key == foreign


async def test_a_registration_blocked_by_another_key_can_be_withdrawn() -> None:
    stage = await protected_account()
    other = account_id("contosoother")
    foreign = stage.world.vault.add_version(stage.vault, "theirs")
    stage.world.accounts.add(
        other, key_source="Microsoft.Keyvault", vault_uri=foreign.vault_uri, key_name="theirs", current_key=foreign
    )
    await protect(stage, name="other", account=other)
    await stage.work_off()
    assert (await stage.resource("other")).state is ResourceState.BLOCKED
    await release_resource(stage.bundle, CONTOSO, "other", if_match=None, origin=ORIGIN)
    await stage.work_off()
    assert (await stage.resource("other")).state is ResourceState.RELEASED
    assert (await stage.account(other)).current_key == foreign
    assert await stage.world.claims.find("resource", other.claim) is None
