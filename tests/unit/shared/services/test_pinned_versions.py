"""A pinned version is itself what is read, proven and judged; nothing moves to one that is not proven."""

from datetime import timedelta

import pytest

from shared.domain.identifiers import KeyIdentifier
from shared.domain.key_health import is_ready
from shared.domain.model import HealthState, ResourceState
from shared.domain.reasons import Reason
from shared.domain.work import WorkKind
from shared.services.check_key import MARGIN
from shared.services.keys import put_key
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protected_account, verified_key

TWICE = timedelta(seconds=30) + MARGIN


async def pin(stage: Stage, version: KeyIdentifier, *, policy: str = "pinned") -> None:
    await put_key(
        stage.bundle,
        CONTOSO,
        "primary",
        key_identifier=str(version if policy == "pinned" else version.versionless),
        version_policy=policy,
        vault_resource_id=None,
        if_match=None,
        origin=ORIGIN,
    )


async def look_twice(stage: Stage, *, thorough: bool = False) -> None:
    for _ in range(2):
        await stage.check(thorough=thorough)
        stage.world.clock.advance(TWICE)
    await stage.work_off()


async def test_a_pinned_version_that_does_not_exist_moves_nothing() -> None:
    stage = await protected_account()
    requests = len(stage.world.accounts.requests)
    await pin(stage, stage.cmk.with_version("f" * 32))
    assert not is_ready(await stage.key())
    await stage.work_off()
    key, resource = await stage.key(), await stage.resource()
    assert len(stage.world.accounts.requests) == requests
    assert (await stage.account()).current_key == stage.version
    assert not is_ready(key)
    assert key.health.state is HealthState.DELETED
    assert [finding.reason for finding in resource.findings] == [Reason.KEY_NOT_READY]


@pytest.mark.parametrize("fault", [{"enabled": False}, {"operations": frozenset({"wrapKey"})}, {"key_type": "EC"}])
async def test_a_pinned_version_that_is_not_fit_moves_nothing(fault: dict[str, object]) -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(newer, **fault)
    requests = len(stage.world.accounts.requests)
    await pin(stage, newer)
    await stage.work_off()
    assert len(stage.world.accounts.requests) == requests
    assert (await stage.account()).current_key == stage.version
    assert not is_ready(await stage.key())


async def test_a_version_is_proven_before_anything_is_pinned_to_it() -> None:
    stage = await protected_account()
    middle = stage.world.vault.add_version(stage.vault, "cmk")
    await stage.rotate()
    await stage.work_off()
    stage.world.vault.change(middle, expires=stage.world.clock.now() + timedelta(days=3))
    assert (await stage.key()).canary(str(middle.version)) is None
    stage.world.queue.take()
    await pin(stage, middle)
    await stage.reconcile()  # before the check: the resource may come first
    assert (await stage.account()).current_key != middle
    await stage.work_off()
    key = await stage.key()
    assert (await stage.account()).current_key == middle
    assert (await stage.account()).key_version == middle.version
    assert key.canary(str(middle.version)) is not None
    # What expires is the pinned version, not the newest.
    assert key.expires_at == stage.world.clock.now() + timedelta(days=3)
    assert key.health.state is HealthState.EXPIRING


@pytest.mark.parametrize("thorough", [False, True])
async def test_disabling_the_pinned_version_is_noticed_though_a_newer_one_is_good(thorough: bool) -> None:
    stage = await protected_account(policy="pinned")
    stage.world.vault.add_version(stage.vault, "cmk")
    await look_twice(stage)
    assert (await stage.key()).health.state is HealthState.HEALTHY
    stage.world.vault.change(stage.version, enabled=False)
    await look_twice(stage, thorough=thorough)
    assert (await stage.key()).health.state is HealthState.DISABLED
    assert stage.announced().count("KeyAccessLost") == 1


async def test_the_expiry_of_the_pinned_version_is_noticed_though_a_newer_one_is_good() -> None:
    stage = await protected_account(policy="pinned")
    stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(stage.version, expires=stage.world.clock.now())
    await look_twice(stage)
    assert (await stage.key()).health.state is HealthState.EXPIRED
    assert stage.announced().count("KeyExpired") == 1


async def test_a_newer_version_is_none_of_a_pinned_keys_business() -> None:
    stage = await protected_account(policy="pinned")
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(newer, enabled=False)
    await look_twice(stage)
    key = await stage.key()
    assert (key.health.state, key.health.reasons) == (HealthState.HEALTHY, ())
    assert (await stage.account()).current_key == stage.version
    assert not {"KeyNewVersion", "KeyAccessLost"} & set(stage.announced())


@pytest.mark.parametrize("policy", ["latest", "pinned"])
async def test_a_policy_change_queues_a_check_of_the_key(policy: str) -> None:
    stage = await verified_key(policy="pinned" if policy == "latest" else "latest")
    stage.world.queue.take()
    await pin(stage, stage.version, policy=policy)
    assert (WorkKind.CHECK_KEY, "primary") in [(item.kind, item.name) for item in stage.world.queue.items]


async def test_following_again_takes_the_newest_version_and_azures_automatic_update() -> None:
    stage = await protected_account(policy="pinned")
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    await pin(stage, stage.version, policy="latest")
    await stage.work_off()
    account = await stage.account()
    assert (account.current_key, account.follows_latest) == (newer, True)
    assert (await stage.resource()).state is ResourceState.PROTECTED
