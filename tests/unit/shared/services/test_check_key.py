"""Checking a key: what is recorded, what follows, and what a look costs."""

from datetime import timedelta

import pytest

from shared.domain.entries import Notification
from shared.domain.model import ConsentState, HealthState, OwnershipState, VerificationState
from shared.domain.reasons import Reason
from shared.domain.work import WorkKind
from shared.errors import NotFound, StaleWrite, Unavailable
from shared.services.check_key import check_key
from shared.stores import Claim
from tests.fakes import APPLICATION, CUSTOMER_TENANT, PROVIDER_TENANT
from tests.unit.shared.services.crash import How, Killed, interrupted
from tests.unit.shared.services.stage import (
    CONTOSO,
    ORIGIN,
    Stage,
    protected_account,
    registered_key,
    verified_key,
)


async def claim_by_somebody_else(stage: Stage) -> None:
    claim = Claim(
        kind="key",
        identifier=stage.cmk.claim,
        customer_id="fabrikam",
        row="key:primary",
        claimed_at=stage.world.clock.now(),
    )
    await stage.world.claims.claim(claim)


async def test_a_good_key_is_verified_proven_and_announced_once() -> None:
    stage = await verified_key()
    key = await stage.key()
    assert key.verification.state is VerificationState.VERIFIED
    assert key.ownership.state is OwnershipState.PROVEN
    assert key.health.state is HealthState.HEALTHY
    assert key.latest_version == stage.version.version
    assert stage.announced().count("KeyVerified") == 1


async def test_a_vault_of_another_tenant_is_asked_nothing_but_whose_it_is() -> None:
    stage = await registered_key()
    stage.vault.tenant_id = PROVIDER_TENANT
    stage.world.vault.calls.clear()
    stage.world.credentials.calls.clear()
    checks = (await stage.check(thorough=True)).checks
    assert {check.reason for check in checks if check.reason} == {Reason.VAULT_IN_ANOTHER_TENANT}
    assert dict(stage.world.vault.calls) == {"read_challenge": 1}
    assert not stage.world.credentials.calls


@pytest.mark.parametrize("thorough", [False, True])
async def test_a_second_look_at_an_unchanged_key_writes_nothing(thorough: bool) -> None:
    stage = await verified_key()
    await stage.check(thorough=True)
    writes = stage.world.state.writes
    await stage.check(thorough=thorough)
    assert stage.world.state.writes == writes
    assert stage.world.claims.calls["claim"] == 1
    assert not stage.world.queue.items


@pytest.mark.parametrize("fault", ["disabled", "untagged", "deleted", "denied", "withdrawn", "gone"])
async def test_a_second_look_at_a_key_that_stays_unfit_writes_nothing(fault: str) -> None:
    stage = await registered_key()
    stage.world.clock.advance(timedelta(hours=1))
    match fault:
        case "disabled":
            stage.world.vault.change(stage.cmk, enabled=False)
        case "deleted":
            stage.vault.deleted_keys.add("cmk")
        case "denied":
            stage.vault.granted.clear()
        case "withdrawn":
            stage.world.credentials.withdraw(CUSTOMER_TENANT, APPLICATION)
        case "gone":
            stage.world.vault.remove_vault(stage.vault)
    await stage.check(thorough=True)
    writes = stage.world.state.writes
    await stage.check(thorough=True)
    assert stage.world.state.writes == writes


async def test_a_look_that_needs_no_probe_reads_the_key_and_nothing_else() -> None:
    stage = await verified_key()
    stage.world.vault.calls.clear()
    await stage.check()
    assert dict(stage.world.vault.calls) == {"read_key": 1}


async def test_the_key_is_claimed_before_its_ownership_is_recorded() -> None:
    stage = await registered_key()
    await stage.tag()
    for at in range(1, 40):
        process, interruption = interrupted(stage.bundle, at, How.KILLED_BEFORE)
        try:
            await check_key(process, CONTOSO, "primary", origin=ORIGIN)
        except Killed:
            proven = (await stage.key()).ownership.state is OwnershipState.PROVEN
            claim = await stage.world.claims.find("key", stage.cmk.claim)
            assert claim is not None or not proven, interruption.struck
    assert (await stage.key()).ownership.state is OwnershipState.PROVEN


async def test_a_key_claimed_elsewhere_is_not_proven_and_stays_the_others() -> None:
    stage = await registered_key()
    await stage.tag()
    await claim_by_somebody_else(stage)
    checks = (await stage.check(thorough=True)).checks
    assert {check.reason for check in checks if check.reason} == {Reason.KEY_CLAIMED_ELSEWHERE}
    assert (await stage.key()).ownership.state is OwnershipState.UNPROVEN
    claim = await stage.world.claims.find("key", stage.cmk.claim)
    assert claim is not None
    assert claim.customer_id == "fabrikam"


async def test_an_untagged_key_is_not_claimed() -> None:
    stage = await registered_key()
    await stage.check(thorough=True)
    assert await stage.world.claims.find("key", stage.cmk.claim) is None


async def test_a_lost_race_starts_again_from_reading() -> None:
    stage = await registered_key()
    await stage.tag()
    stage.world.state.break_before("commit", StaleWrite("another writer was first"))
    await stage.check()
    assert (await stage.key()).verification.state is VerificationState.VERIFIED


async def test_a_race_lost_again_and_again_is_raised() -> None:
    stage = await registered_key()
    stage.world.state.break_before("commit", *[StaleWrite("another writer was first")] * 10)
    with pytest.raises(StaleWrite):
        await stage.check()


async def test_a_key_that_was_removed_meanwhile_is_not_found() -> None:
    stage = await registered_key()
    with pytest.raises(NotFound):
        await check_key(stage.bundle, CONTOSO, "secondary", origin=ORIGIN)


async def test_a_new_version_is_announced_once_and_moves_the_resources() -> None:
    stage = await protected_account()
    newer = await stage.rotate()
    await stage.check()
    assert (await stage.key()).latest_version == newer.version
    queued = [(item.kind, item.name) for item in stage.world.queue.items]
    assert queued.count((WorkKind.RECONCILE_RESOURCE, "data")) == 1
    await stage.work_off()
    assert stage.announced().count("KeyNewVersion") == 1


async def test_a_new_version_that_the_vault_does_not_wrap_with_is_not_taken_over() -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(newer, operations=frozenset({"unwrapKey"}))
    await stage.check()
    assert (await stage.key()).latest_version == stage.version.version


@pytest.mark.parametrize("call", ["wrap", "unwrap"])
async def test_a_new_version_is_not_taken_over_on_an_outage(call: str) -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.break_before(call, Unavailable("no answer"))
    await stage.check()
    assert (await stage.key()).latest_version == stage.version.version
    await stage.check()
    assert (await stage.key()).latest_version == newer.version


async def test_the_newest_usable_version_counts_when_the_newest_is_disabled() -> None:
    stage = await registered_key()
    await stage.tag()
    middle, newest = (stage.world.vault.add_version(stage.vault, "cmk") for _ in range(2))
    stage.world.vault.change(newest, enabled=False)
    await stage.work_off()
    assert (await stage.key()).latest_version == middle.version


async def test_versions_outside_their_window_are_passed_over() -> None:
    stage = await registered_key()
    await stage.tag()
    later, newest = (stage.world.vault.add_version(stage.vault, "cmk") for _ in range(2))
    stage.world.vault.change(later, not_before=stage.world.clock.now() + timedelta(days=1))
    stage.world.vault.change(newest, expires=stage.world.clock.now())
    await stage.work_off()
    assert (await stage.key()).latest_version == stage.version.version


async def test_a_key_of_which_no_version_is_usable_is_judged_by_the_newest() -> None:
    stage = await registered_key()
    newest = stage.world.vault.add_version(stage.vault, "cmk")
    for version in (stage.version, newest):
        stage.world.vault.change(version, enabled=False)
    await stage.check()
    assert (await stage.key()).health.reasons[0] is Reason.KEY_DISABLED


async def test_disabling_a_version_that_nothing_uses_any_more_is_no_revocation() -> None:
    stage = await protected_account()
    await stage.rotate()
    await stage.work_off()
    stage.world.vault.change(stage.version, enabled=False)
    for _ in range(2):
        await stage.check(thorough=True)
        stage.world.clock.advance(timedelta(minutes=1))
    key = await stage.key()
    assert key.health.state is HealthState.HEALTHY
    assert key.verification.state is VerificationState.VERIFIED


async def test_disabling_the_version_that_a_resource_is_still_on_is_a_revocation() -> None:
    stage = await protected_account()
    newer = await stage.rotate()  # the resource has not been moved yet
    assert (await stage.resource()).observed is not None
    stage.world.vault.change(stage.version, enabled=False)
    for _ in range(2):
        await stage.check(thorough=True)
        stage.world.clock.advance(timedelta(minutes=1))
    key = await stage.key()
    assert key.latest_version == newer.version
    assert (key.health.state, key.health.reasons) == (HealthState.DISABLED, (Reason.VERSION_IN_USE_DISABLED,))


async def test_a_revocation_seen_once_is_looked_at_again_and_then_announced_once() -> None:
    stage = await verified_key()
    stage.vault.deleted_keys.add("cmk")
    await stage.check()
    assert (await stage.key()).health.state is HealthState.HEALTHY
    await stage.work_off()
    await stage.check()
    await stage.work_off()
    assert (await stage.key()).health.state is HealthState.DELETED
    assert stage.announced().count("KeyAccessLost") == 1


async def test_a_revoked_key_that_comes_back_is_restored_at_the_first_look() -> None:
    stage = await verified_key()
    stage.world.vault.change(stage.cmk, enabled=False)
    await stage.check()
    await stage.work_off()
    stage.world.vault.change(stage.cmk, enabled=True)
    await stage.check()
    await stage.work_off()
    assert (await stage.key()).health.state is HealthState.HEALTHY
    assert stage.announced()[-2:] == ["KeyAccessLost", "KeyAccessRestored"]


@pytest.mark.parametrize("how", How)
async def test_a_check_interrupted_at_any_call_is_made_good_by_the_next(how: How) -> None:
    for at in range(1, 100):
        stage = await registered_key()
        await stage.tag()
        process, interruption = interrupted(stage.bundle, at, how)
        try:
            await stage.work_off(process)
        except Killed:
            await stage.work_off()
        await stage.sweep()
        await stage.work_off()
        key, customer = await stage.key(), await stage.customer()
        assert key.verification.state is VerificationState.VERIFIED, interruption.struck
        assert key.ownership.state is OwnershipState.PROVEN, interruption.struck
        assert customer.consent.state is ConsentState.GRANTED
        assert customer.onboarded_at is not None, interruption.struck
        assert sorted(stage.announced()) == [Notification.CUSTOMER_ONBOARDED, Notification.KEY_VERIFIED]
        await stage.assert_told_truly()
        assert not stage.raised
        if interruption.struck is None:
            return
    raise AssertionError("a check never ran through")


async def test_an_unfit_new_version_is_a_warning_and_everything_stays() -> None:
    stage = await verified_key()
    stage.world.clock.advance(timedelta(minutes=1))
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(newer, operations=frozenset({"wrapKey"}))
    checked = await stage.check()
    assert checked.key.value.latest_version == stage.version.version
    assert checked.key.value.health.state is HealthState.HEALTHY
    assert checked.key.value.verification.state is VerificationState.VERIFIED
    warning = next(check for check in checked.checks if check.check == "newVersion")
    assert warning.reason is Reason.NEW_VERSION_UNUSABLE
    assert str(newer.version) in warning.detail
    assert stage.announced().count("KeyAccessLost") == 0
