"""A vault that keeps CrossKey out and lets Azure Storage in: protected by trial, followed and left on Azure's word."""

from datetime import timedelta

import pytest

from shared.domain.account_observation import STORAGE_MANAGED
from shared.domain.model import HealthState, OwnershipState, ResourceState, VerificationState
from shared.domain.reasons import Reason
from shared.services.attest import attest_ownership
from shared.services.resources import release_resource
from tests.fakes import APPLICATION, CUSTOMER_TENANT
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    Stage,
    account_id,
    protect,
    protected_account,
    registered_key,
)

PASSES = "Client address is not authorized and caller is not a trusted service."
NOBODY = "Client address is not authorized and caller was ignored because bypass is set to None."
OTHER = account_id("contosofiles")
REASON = "Confirmed by telephone with their security officer."


async def closed_vault(firewall: str = PASSES, *, attested: bool = True) -> Stage:
    """Contoso's key behind a firewall that keeps CrossKey out, and two accounts on Microsoft-managed keys."""
    stage = await registered_key()
    stage.vault.firewall_detail = firewall
    if attested:
        await attest_ownership(stage.bundle, CONTOSO, "primary", reason=REASON, origin=ORIGIN)
    await stage.work_off()
    for account in (ACCOUNT, OTHER):
        stage.world.accounts.add(account)
    return stage


async def tried(firewall: str = PASSES) -> Stage:
    stage = await closed_vault(firewall)
    await protect(stage)
    await stage.work_off()
    return stage


async def sweep_for(stage: Stage, length: timedelta) -> None:
    until = stage.world.clock.now() + length
    while stage.world.clock.now() < until:
        stage.world.clock.advance(timedelta(minutes=30))
        await stage.sweep()
        await stage.work_off()


async def test_the_first_update_is_the_trial_and_its_success_confirms_the_key() -> None:
    stage = await tried()
    key, resource = await stage.key(), await stage.resource()
    assert (key.verification.state, key.ownership.state) == (VerificationState.LIMITED, OwnershipState.ATTESTED)
    assert key.health.state is HealthState.UNOBSERVABLE
    assert next(one.result for one in key.verification.checks if one.check == "trialUpdate") == "pass"
    assert resource.state is ResourceState.PROTECTED
    account = await stage.account()
    assert (account.current_version, account.follows_latest) == (stage.version.version, True)
    assert (await stage.customer()).onboarded_at is not None
    await stage.assert_told_truly()


async def test_a_confirmed_limited_key_is_quiet() -> None:
    stage = await tried()
    await sweep_for(stage, timedelta(hours=2))
    writes, requests = stage.world.state.writes, len(stage.world.accounts.requests)
    announced = stage.announced()
    await sweep_for(stage, timedelta(hours=26))
    assert (stage.world.state.writes, len(stage.world.accounts.requests)) == (writes, requests)
    assert stage.announced() == announced
    assert "AttentionNeeded" not in announced


async def test_an_unattested_key_behind_a_firewall_encrypts_nothing() -> None:
    stage = await closed_vault(attested=False)
    await protect(stage)
    await sweep_for(stage, timedelta(hours=2))
    assert (await stage.resource()).state is ResourceState.BLOCKED
    assert stage.world.accounts.requests == []


async def test_a_firewall_that_lets_nobody_pass_is_not_even_tried() -> None:
    stage = await tried(NOBODY)
    assert (await stage.key()).verification.state is VerificationState.FAILED
    assert (await stage.resource()).state is ResourceState.BLOCKED
    assert stage.world.accounts.requests == []


async def test_a_refusal_fails_the_resource_and_the_key_and_holds_others_back_until_it_is_mended() -> None:
    stage = await closed_vault()
    stage.vault.granted.clear()
    await protect(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.FAILED
    assert [finding.reason for finding in resource.findings] == [Reason.KEY_REFUSED_BY_STORAGE]
    assert (await stage.key()).verification.state is VerificationState.FAILED
    requests = len(stage.world.accounts.requests)
    await protect(stage, name="files", account=OTHER)
    await stage.work_off()
    assert (await stage.resource("files")).state is ResourceState.BLOCKED
    assert len(stage.world.accounts.requests) == requests
    stage.vault.granted.add(APPLICATION)
    await sweep_for(stage, timedelta(hours=8))
    assert (await stage.key()).verification.state is VerificationState.LIMITED
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert (await stage.resource("files")).state is ResourceState.PROTECTED
    assert stage.announced().count("ResourceFailed") == 1
    await stage.assert_told_truly()


async def test_a_refused_trial_that_is_released_makes_room_for_another() -> None:
    stage = await closed_vault()
    stage.vault.granted.clear()
    await protect(stage)
    await stage.work_off()
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    stage.vault.granted.add(APPLICATION)
    await protect(stage, name="files", account=OTHER)
    await sweep_for(stage, timedelta(hours=1))
    assert (await stage.resource()).state is ResourceState.RELEASED
    assert (await stage.resource("files")).state is ResourceState.PROTECTED


async def test_azures_own_rotation_is_followed() -> None:
    stage = await tried()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.clock.advance(timedelta(days=1))
    stage.world.accounts.change(ACCOUNT, current_key=newer, rotated_at=stage.world.clock.now())
    requests = len(stage.world.accounts.requests)
    await stage.sweep()
    await stage.work_off()
    observed = (await stage.resource()).observed
    assert observed is not None
    assert observed.version_in_use == newer.version
    assert stage.announced().count("ResourceRotated") == 1
    assert len(stage.world.accounts.requests) == requests


async def test_a_release_is_tried_without_a_proof_of_ours() -> None:
    stage = await tried()
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED
    assert (await stage.account()).key_source == STORAGE_MANAGED


async def test_azures_refusal_of_a_release_is_the_answer() -> None:
    stage = await tried()
    stage.world.vault.change(stage.version, enabled=False)
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.RELEASING
    assert [finding.reason for finding in resource.findings] == [Reason.KEY_REFUSED_BY_STORAGE]
    assert (await stage.account()).current_key == stage.version


async def test_a_key_that_was_reached_still_needs_its_proof_before_a_release() -> None:
    stage = await protected_account()
    stage.vault.firewall_detail = PASSES
    requests = len(stage.world.accounts.requests)
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASING
    assert len(stage.world.accounts.requests) == requests


async def test_a_vault_that_opens_is_checked_fully_and_the_account_stays_where_it_is() -> None:
    stage = await tried()
    requests = len(stage.world.accounts.requests)
    stage.vault.firewall_detail = None
    await sweep_for(stage, timedelta(hours=1))
    key = await stage.key()
    assert (key.verification.state, key.latest_version) == (VerificationState.VERIFIED, stage.version.version)
    assert (await stage.resource()).state is ResourceState.PROTECTED
    assert len(stage.world.accounts.requests) == requests


async def test_withdrawn_consent_is_seen_through_the_firewall() -> None:
    stage = await tried()
    stage.world.credentials.withdraw(CUSTOMER_TENANT, APPLICATION)
    for _ in range(2):
        await stage.check(thorough=True)
        stage.world.clock.advance(timedelta(minutes=1))
    assert (await stage.key()).health.state is HealthState.CONSENT_LOST
    await stage.work_off()
    assert stage.announced().count("KeyAccessLost") == 1


@pytest.mark.parametrize(("detail", "bypass"), [(PASSES, "may still reach"), (NOBODY, "cannot reach")])
async def test_the_finding_says_whether_storage_is_let_through(detail: str, bypass: str) -> None:
    stage = await closed_vault(detail, attested=False)
    line = next(one for one in (await stage.key()).verification.checks if one.check == "vaultReachable")
    assert bypass in line.message
