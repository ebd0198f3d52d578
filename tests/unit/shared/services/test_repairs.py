"""A repair proves in its own run that the version wraps and unwraps now, whatever was proven earlier."""

import pytest

from shared.domain.account_observation import STORAGE_MANAGED, VAULT_MANAGED
from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.errors import Refused, Unavailable
from tests.fakes import FakeWorld
from tests.unit.shared.services.stage import ACCOUNT, Stage, protected_account


async def taken_off_the_key() -> Stage:
    stage = await protected_account()
    stage.world.accounts.change(
        ACCOUNT,
        key_source=STORAGE_MANAGED,
        vault_uri=None,
        key_name=None,
        key_version=None,
        current_key=None,
        encryption_identity=None,
        federated_client_id=None,
    )
    return stage


def calls(world: FakeWorld) -> tuple[int, int, int]:
    return world.vault.calls["wrap"], world.vault.calls["unwrap"], world.accounts.calls["update"]


async def test_a_repair_wraps_and_unwraps_in_the_same_run() -> None:
    stage = await taken_off_the_key()
    wraps, unwraps, updates = calls(stage.world)
    await stage.reconcile()
    assert calls(stage.world) == (wraps + 1, unwraps + 1, updates + 1)
    assert (await stage.account()).key_source == VAULT_MANAGED
    assert (await stage.resource()).state is ResourceState.PROTECTED


@pytest.mark.parametrize("operation", ["wrap", "unwrap"])
async def test_a_repair_is_not_sent_while_the_vault_refuses(operation: str) -> None:
    stage = await taken_off_the_key()
    refusal = Refused("no", http_status=403, azure_code="Forbidden", inner_code="KeyOperationForbidden")
    stage.world.vault.break_before(operation, refusal)
    updates = stage.world.accounts.calls["update"]
    await stage.reconcile()
    resource = await stage.resource()
    assert stage.world.accounts.calls["update"] == updates
    assert (await stage.account()).key_source == STORAGE_MANAGED
    assert [finding.reason for finding in resource.findings] == [Reason.CURRENT_KEY_UNUSABLE]
    assert resource.worker is None


async def test_a_version_that_lost_wrapping_after_it_was_verified_is_not_repaired_to() -> None:
    stage = await taken_off_the_key()
    stage.world.vault.change(stage.version, operations=frozenset({"unwrapKey"}))
    updates = stage.world.accounts.calls["update"]
    await stage.reconcile()
    assert stage.world.accounts.calls["update"] == updates
    assert (await stage.account()).key_source == STORAGE_MANAGED


@pytest.mark.parametrize("operation", ["wrap", "unwrap"])
async def test_a_repair_that_meets_an_outage_waits_and_then_ends(operation: str) -> None:
    stage = await taken_off_the_key()
    stage.world.vault.break_before(operation, Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await stage.reconcile()
    assert (await stage.account()).key_source == STORAGE_MANAGED
    await stage.reconcile()
    assert (await stage.resource()).state is ResourceState.PROTECTED
    await stage.work_off()
    assert "ResourceFailed" not in stage.announced()


async def test_a_repair_that_was_refused_once_is_proven_again_before_it_is_sent_again() -> None:
    stage = await taken_off_the_key()
    stage.world.accounts.break_before("update", Refused("no", http_status=403, azure_code="ScopeLocked"))
    await stage.reconcile()
    assert (await stage.resource()).state is ResourceState.FAILED
    stage.world.vault.change(stage.version, enabled=False)
    updates = stage.world.accounts.calls["update"]
    await stage.reconcile()
    assert stage.world.accounts.calls["update"] == updates
    assert (await stage.account()).key_source == STORAGE_MANAGED
