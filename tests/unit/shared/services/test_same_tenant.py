"""Customers in the provider's own tenant: no federation, and accounts that use the key as themselves."""

import pytest

from shared.domain.account_observation import STORAGE_MANAGED, VAULT_MANAGED
from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.errors import BadInput
from shared.services.consent import confirm_consent
from shared.services.customers import put_customer
from shared.services.keys import put_key
from shared.services.resources import put_resource, release_resource
from tests.fakes import APPLICATION, IDENTITY, PROVIDER_TENANT, make_world
from tests.unit.shared.services.stage import ACCOUNT, CONTOSO, ORIGIN, OTHER_IDENTITY, VAULT, Stage
from tests.unit.shared.services.test_new_accounts import create


async def own_customer() -> Stage:
    """A customer that is the provider itself: its key is verified, its identity may use the vault."""
    world = make_world()
    vault = world.vault.add_vault(VAULT, PROVIDER_TENANT, APPLICATION, IDENTITY)
    version = world.vault.add_version(vault, "cmk")
    stage = Stage(world, vault, version)
    await put_customer(
        world.bundle, CONTOSO, display_name="Us", tenant_id=PROVIDER_TENANT, if_match=None, origin=ORIGIN
    )
    world.credentials.consent(PROVIDER_TENANT, APPLICATION)
    await confirm_consent(world.bundle, CONTOSO, origin=ORIGIN)
    await put_key(
        world.bundle,
        CONTOSO,
        "primary",
        key_identifier=str(version.versionless),
        version_policy="latest",
        vault_resource_id=None,
        if_match=None,
        origin=ORIGIN,
    )
    await stage.tag()
    await stage.work_off()
    return stage


async def protect(stage: Stage, *, identity: str = "systemAssigned", drift_policy: str = "repair") -> None:
    await put_resource(
        stage.bundle,
        CONTOSO,
        "data",
        resource_id=str(ACCOUNT),
        key="primary",
        drift_policy=drift_policy,
        identity=identity,
        if_match=None,
        origin=ORIGIN,
    )
    await stage.work_off()


async def self_protected(*, drift_policy: str = "repair") -> Stage:
    """An account that uses the key as itself."""
    stage = await own_customer()
    stage.world.accounts.add(ACCOUNT, system_assigned=True, user_assigned=(OTHER_IDENTITY,))
    stage.vault.granted.add(str(ACCOUNT))
    await protect(stage, drift_policy=drift_policy)
    return stage


async def state_and_reasons(stage: Stage) -> tuple[ResourceState, list[Reason]]:
    resource = await stage.resource()
    return resource.state, [one.reason for one in resource.findings if one.reason is not Reason.SERVICES_NOT_COVERED]


async def test_the_key_is_checked_in_the_providers_tenant_without_federation_on_the_account() -> None:
    stage = await own_customer()
    stage.world.accounts.add(ACCOUNT)
    await protect(stage, identity="userAssigned")
    account = await stage.account()
    assert (account.current_key, account.federated_client_id) == (stage.version, None)
    assert account.encryption_identity == IDENTITY
    assert await state_and_reasons(stage) == (ResourceState.PROTECTED, [])


async def test_an_account_can_be_made_on_a_key_of_the_same_tenant() -> None:
    stage = await own_customer()
    await create(stage)
    await stage.work_off()
    account = await stage.account()
    assert (account.current_key, account.federated_client_id) == (stage.version, None)


async def test_an_account_uses_the_key_as_itself_and_gets_no_identity_of_ours() -> None:
    stage = await self_protected()
    account = await stage.account()
    assert (account.key_source, account.encryption_identity, account.federated_client_id) == (VAULT_MANAGED, None, None)
    assert account.user_assigned == (OTHER_IDENTITY,)
    assert await state_and_reasons(stage) == (ResourceState.PROTECTED, [])
    assert (await stage.resource()).identity_added is None
    writes = stage.world.state.writes
    await stage.reconcile()
    assert stage.world.state.writes == writes


async def test_a_rotation_leaves_the_account_its_own_identity() -> None:
    stage = await self_protected()
    newer = await stage.rotate()
    await stage.work_off()
    account = await stage.account()
    assert (account.current_key, account.encryption_identity) == (newer, None)
    assert stage.announced().count("ResourceRotated") == 1


async def test_releasing_leaves_every_identity_where_it_is() -> None:
    stage = await self_protected()
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    account = await stage.account()
    assert (account.key_source, account.system_assigned) == (STORAGE_MANAGED, True)
    assert account.user_assigned == (OTHER_IDENTITY,)
    assert (await stage.resource()).state is ResourceState.RELEASED


async def test_another_encryption_identity_is_drift_and_is_repaired() -> None:
    stage = await self_protected()
    stage.vault.granted.add(OTHER_IDENTITY)
    stage.world.accounts.change(ACCOUNT, encryption_identity=OTHER_IDENTITY)
    await stage.reconcile()
    await stage.work_off()
    assert (await stage.account()).encryption_identity is None
    assert stage.announced().count("ResourceDrifted") == 1
    assert (await stage.resource()).state is ResourceState.PROTECTED


@pytest.mark.parametrize("drift_policy", ["repair", "report"])
async def test_an_identity_that_is_taken_off_is_drift_that_a_person_must_mend(drift_policy: str) -> None:
    stage = await self_protected(drift_policy=drift_policy)
    stage.world.accounts.change(ACCOUNT, system_assigned=False)
    for _ in range(2):
        await stage.reconcile()
        await stage.work_off()
    assert stage.announced().count("ResourceDrifted") == 1
    assert await state_and_reasons(stage) == (ResourceState.BLOCKED, [Reason.SYSTEM_IDENTITY_MISSING])
    stage.world.accounts.change(ACCOUNT, system_assigned=True)
    await stage.reconcile()
    await stage.work_off()
    assert await state_and_reasons(stage) == (ResourceState.PROTECTED, [])


async def test_an_account_without_a_system_assigned_identity_is_a_finding_and_is_not_touched() -> None:
    stage = await own_customer()
    stage.world.accounts.add(ACCOUNT)
    await protect(stage)
    assert await state_and_reasons(stage) == (ResourceState.BLOCKED, [Reason.SYSTEM_IDENTITY_MISSING])
    assert not stage.world.accounts.requests


async def test_an_account_that_the_vault_does_not_let_in_is_a_finding() -> None:
    stage = await own_customer()
    stage.world.accounts.add(ACCOUNT, system_assigned=True)
    await protect(stage)
    assert await state_and_reasons(stage) == (ResourceState.FAILED, [Reason.KEY_REFUSED_BY_STORAGE])


async def test_a_registration_can_change_from_our_identity_to_the_accounts_own() -> None:
    stage = await own_customer()
    stage.world.accounts.add(ACCOUNT, system_assigned=True)
    await protect(stage, identity="userAssigned")
    stage.vault.granted.add(str(ACCOUNT))
    first = (await stage.resource()).operation_id
    await protect(stage)
    resource, account = await stage.resource(), await stage.account()
    assert (resource.state, account.encryption_identity) == (ResourceState.PROTECTED, None)
    assert resource.operation_id != first
    assert resource.identity_added == IDENTITY
    assert "ResourceDrifted" not in stage.announced()


async def test_a_new_account_cannot_use_the_key_as_itself() -> None:
    stage = await own_customer()
    with pytest.raises(BadInput) as error:
        await create(stage, identity="systemAssigned")
    assert (error.value.code, error.value.target) == ("SystemIdentityForNewAccount", "identity")
