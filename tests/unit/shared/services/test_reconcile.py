"""Reconciling a resource: what converges, what is refused, what is announced, and what a run costs."""

from datetime import timedelta

import pytest

from shared.domain.account_observation import STORAGE_MANAGED, SetKeyVersion
from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.errors import Refused, StaleWrite, Throttled, Unavailable
from shared.services.reconcile_resource import reconcile_resource
from shared.services.resources import release_resource
from tests.fakes import IDENTITY, SUBSCRIPTION
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    OTHER_IDENTITY,
    Stage,
    account_id,
    protect,
    protected_account,
    unprotected_account,
    verified_key,
)

REFUSALS = {
    "KeyVaultPolicyError": Reason.PURGE_PROTECTION_MISSING,
    "KeyVaultAuthenticationFailure": Reason.KEY_REFUSED_BY_STORAGE,
    "AuthorizationFailed": Reason.PROVIDER_ROLE_MISSING,
    "LinkedAuthorizationFailed": Reason.PROVIDER_ROLE_MISSING,
    "RequestDisallowedByPolicy": Reason.POLICY_DENIED,
    "ScopeLocked": Reason.SCOPE_LOCKED,
    "SomethingNew": Reason.APPLY_REFUSED,
}


def refusal(code: str) -> Refused:
    return Refused(f"updating: {code}", http_status=403, azure_code=code)


async def release(stage: Stage) -> None:
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)


async def test_a_converged_run_reads_the_account_once_and_writes_nothing_anywhere() -> None:
    stage = await protected_account()
    world = stage.world
    ports = (world.state, world.claims, world.timeline, world.fleet, world.queue, world.accounts, world.vault)
    for port in ports:
        port.calls.clear()
    await stage.reconcile()
    assert dict(world.accounts.calls) == {"read": 1}
    assert world.state.writes == 0
    assert not world.claims.calls
    assert not world.timeline.calls
    assert not world.vault.calls
    assert not world.queue.items
    assert dict(world.fleet.calls) == {"read_pace": 1}


async def test_identities_of_the_account_survive_protection_and_release() -> None:
    stage = await protected_account()
    assert set((await stage.account()).user_assigned) == {OTHER_IDENTITY, IDENTITY}
    await release(stage)
    await stage.work_off()
    account = await stage.account()
    assert account.user_assigned == (OTHER_IDENTITY,)
    assert account.system_assigned


async def test_an_identity_that_was_there_before_is_left_there() -> None:
    stage = await verified_key()
    stage.world.accounts.add(ACCOUNT, user_assigned=(IDENTITY,))
    await protect(stage)
    await stage.work_off()
    await release(stage)
    await stage.work_off()
    account = await stage.account()
    assert account.key_source == STORAGE_MANAGED
    assert account.user_assigned == (IDENTITY,)


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_refused_update_is_a_finding_that_is_announced_once(code: str) -> None:
    stage = await unprotected_account()
    stage.world.accounts.break_before("update", *[refusal(code)] * 100)
    operation = await protect(stage)
    await stage.work_off()
    assert stage.world.accounts.calls["update"] > 3  # it was tried again and again
    resource = await stage.resource()
    assert resource.state is ResourceState.FAILED
    assert [finding.reason for finding in resource.findings] == [REFUSALS[code]]
    assert stage.announced().count("ResourceFailed") == 1
    ended = await stage.operation(operation.operation_id)
    assert (ended.succeeded, ended.error_code) == (False, REFUSALS[code].value)


async def test_another_refusal_is_news() -> None:
    stage = await unprotected_account()
    stage.world.accounts.break_before("update", refusal("ScopeLocked"), refusal("RequestDisallowedByPolicy"))
    await protect(stage)
    await stage.work_off()
    assert stage.announced().count("ResourceFailed") == 2
    assert (await stage.resource()).state is ResourceState.PROTECTED


@pytest.mark.parametrize("error", [Unavailable("no answer"), Throttled("429"), refusal("SomethingNew")])
async def test_an_update_that_took_effect_but_answered_an_error_is_found_out(
    error: Unavailable | Throttled | Refused,
) -> None:
    stage = await unprotected_account()
    stage.world.accounts.break_after("update", error)
    await protect(stage)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert len(stage.world.accounts.updates) == 1
    assert stage.announced().count("ResourceProtected") == 1


async def test_an_account_whose_reading_is_refused_is_a_finding_not_a_crash() -> None:
    stage = await unprotected_account()
    stage.world.accounts.break_before("read", refusal("AuthorizationFailed"))
    await protect(stage)
    await stage.reconcile()
    assert [finding.reason for finding in (await stage.resource()).findings] == [Reason.PROVIDER_ROLE_MISSING]


async def test_what_azure_does_with_a_versionless_update_is_learnt_once_per_subscription() -> None:
    stage = await unprotected_account()
    stage.world.accounts.moves_at_once = False
    stage.world.accounts.add(account_id("contosomore"))
    await protect(stage)
    await protect(stage, name="more", account=account_id("contosomore"))
    await stage.work_off()
    stage.world.accounts.updates.clear()
    await stage.rotate()
    await stage.work_off()
    versionless = [one for one in stage.world.accounts.updates if isinstance(one, SetKeyVersion) and not one.version]
    assert len(versionless) == 3  # one that moved nothing, and one per account to return to automatic updates
    assert (await stage.world.fleet.read_pace(SUBSCRIPTION)).versionless_moves is False
    assert stage.world.fleet.calls["write_pace"] == 1
    assert stage.announced().count("ResourceRotated") == 2


async def test_a_rotation_that_azure_makes_at_once_needs_one_update() -> None:
    stage = await protected_account()
    newer = await stage.rotate()
    stage.world.accounts.updates.clear()
    await stage.work_off()
    assert len(stage.world.accounts.updates) == 1
    assert (await stage.account()).current_key == newer
    assert (await stage.world.fleet.read_pace(SUBSCRIPTION)).versionless_moves is True


async def test_a_version_that_azure_chose_itself_is_recorded_looked_at_and_never_moved_back() -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.break_before("read_key", *[Unavailable("no answer")] * 3)
    stage.world.accounts.change(ACCOUNT, current_key=newer)
    for _ in range(3):
        await stage.reconcile()
    assert (await stage.account()).current_key == newer
    await stage.work_off()
    await stage.sweep()
    await stage.work_off()
    assert (await stage.key()).latest_version == newer.version
    assert (await stage.account()).current_key == newer


async def test_a_lost_race_starts_again_from_reading() -> None:
    stage = await unprotected_account()
    await protect(stage)
    stage.world.state.break_before("commit", StaleWrite("another writer was first"))
    await stage.reconcile()
    assert (await stage.resource()).state is ResourceState.PROTECTED


async def test_an_account_gone_twice_is_gone_for_good_and_its_claim_is_freed() -> None:
    stage = await protected_account()
    stage.world.accounts.remove(ACCOUNT)
    assert await reconcile_resource(stage.bundle, CONTOSO, "data", origin=ORIGIN) == timedelta(seconds=60)
    assert (await stage.resource()).is_live
    stage.world.clock.advance(timedelta(seconds=60))
    await stage.reconcile()
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.GONE
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is None
    assert stage.announced().count("ResourceGone") == 1
