"""Registering customers and keys, and removing keys again."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.model import Customer, Key
from shared.domain.work import WorkKind
from shared.errors import BadInput, Conflict, NotFound, PreconditionFailed
from shared.services.customers import get_customer, put_customer
from shared.services.keys import get_key, put_key, remove_key, verify_key
from shared.services.resources import release_resource
from shared.stores import Stored
from tests.fakes import APPLICATION, CUSTOMER_TENANT, PROVIDER_TENANT, FakeWorld, make_world
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protected_account, registered_key, verified_key


async def put_contoso(world: FakeWorld, **changes: Any) -> tuple[Stored[Customer], bool]:
    wish = {"display_name": "Contoso", "tenant_id": CUSTOMER_TENANT, "if_match": None, **changes}
    return await put_customer(world.bundle, CONTOSO, origin=ORIGIN, **wish)


async def put(stage: Stage, name: str = "primary", customer_id: str = CONTOSO, **changes: Any) -> tuple[Any, bool]:
    wish: dict[str, Any] = {
        "key_identifier": str(stage.cmk),
        "version_policy": "latest",
        "vault_resource_id": None,
        "if_match": None,
        **changes,
    }
    return await put_key(stage.bundle, customer_id, name, origin=ORIGIN, **wish)


async def remove(stage: Stage, if_match: str | None = None) -> None:
    await remove_key(stage.bundle, CONTOSO, "primary", if_match=if_match, origin=ORIGIN)


async def test_a_new_customer_gets_an_application_and_a_secret_of_its_own() -> None:
    world = make_world()
    stored, is_new = await put_contoso(world)
    other, _ = await put_customer(
        world.bundle, "fabrikam", display_name="F", tenant_id=CUSTOMER_TENANT, if_match=None, origin=ORIGIN
    )
    assert is_new
    assert stored.value.application == APPLICATION
    assert stored.value.ownership_nonce != other.value.ownership_nonce


async def test_the_same_customer_again_writes_nothing() -> None:
    world = make_world()
    first, _ = await put_contoso(world)
    second, is_new = await put_contoso(world, display_name="  Contoso ", tenant_id=CUSTOMER_TENANT.upper())
    assert (second, is_new) == (first, False)
    assert world.state.writes == 1


async def test_the_tenant_of_a_customer_is_fixed() -> None:
    world = make_world()
    await put_contoso(world)
    with pytest.raises(Conflict) as raised:
        await put_contoso(world, tenant_id=PROVIDER_TENANT)
    assert (raised.value.code, raised.value.target) == ("TenantFixed", "tenantId")


async def test_a_renamed_customer_keeps_everything_else() -> None:
    world = make_world()
    before, _ = await put_contoso(world)
    after, is_new = await put_contoso(world, display_name="Contoso Ltd", if_match=before.etag)
    assert not is_new
    assert after.value.display_name == "Contoso Ltd"
    assert after.value.ownership_nonce == before.value.ownership_nonce


async def test_a_customer_that_changed_meanwhile_is_not_overwritten() -> None:
    world = make_world()
    before, _ = await put_contoso(world)
    await put_contoso(world, display_name="Contoso Ltd")
    with pytest.raises(PreconditionFailed):
        await put_contoso(world, display_name="Contoso AG", if_match=before.etag)


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"display_name": " "}, "displayName"),
        ({"display_name": "x" * 201}, "displayName"),
        ({"tenant_id": "x"}, "tenantId"),
    ],
)
async def test_a_malformed_customer_names_the_field_and_stores_nothing(changes: dict[str, str], target: str) -> None:
    world = make_world()
    with pytest.raises(BadInput) as raised:
        await put_contoso(world, **changes)
    assert raised.value.target == target
    assert world.state.writes == 0


async def test_a_customers_phase_and_counts_follow_from_its_rows() -> None:
    stage = await protected_account()
    view = await get_customer(stage.bundle, CONTOSO)
    assert view.phase == "active"
    assert view.keys_by_health == {"healthy": 1}
    assert view.resources_by_state == {"protected": 1}


async def test_registering_a_key_asks_its_vault_nothing_and_queues_the_check() -> None:
    stage = await registered_key()
    assert not stage.world.vault.calls
    assert WorkKind.CHECK_KEY in {item.kind for item in stage.world.queue.items}


async def test_the_same_key_again_writes_nothing() -> None:
    stage = await verified_key()
    writes = stage.world.state.writes
    _, is_new = await put(stage)
    assert not is_new
    assert stage.world.state.writes == writes


async def test_the_identifier_of_a_registered_key_is_fixed() -> None:
    stage = await verified_key()
    with pytest.raises(Conflict) as raised:
        await put(stage, key_identifier="https://contoso-keys.vault.azure.net/keys/another")
    assert raised.value.code == "KeyIdentifierFixed"


async def test_a_key_that_somebody_proved_cannot_be_registered_again() -> None:
    stage = await verified_key()
    await put_customer(
        stage.bundle, "fabrikam", display_name="F", tenant_id=CUSTOMER_TENANT, if_match=None, origin=ORIGIN
    )
    for customer_id, name in (("fabrikam", "primary"), (CONTOSO, "secondary")):
        with pytest.raises(Conflict) as raised:
            await put(stage, name, customer_id)
        assert raised.value.code == "KeyClaimed"


async def test_another_version_policy_queues_the_keys_resources() -> None:
    stage = await protected_account()
    await put(stage, version_policy="pinned", key_identifier=str(stage.version))
    assert [item.name for item in stage.world.queue.items if item.kind is WorkKind.RECONCILE_RESOURCE] == ["data"]
    await stage.work_off()
    assert (await stage.account()).key_version == stage.version.version


@pytest.mark.parametrize(
    ("changes", "target", "code"),
    [
        ({"key_identifier": "https://evil.example/keys/cmk"}, "keyIdentifier", "VaultHostNotAllowed"),
        ({"key_identifier": "cmk"}, "keyIdentifier", "KeyIdentifierMalformed"),
        ({"version_policy": "newest"}, "versionPolicy", "VersionPolicyUnknown"),
        ({"version_policy": "pinned"}, "keyIdentifier", "KeyVersionExpected"),
        ({"vault_resource_id": "/subscriptions/x"}, "vaultResourceId", "VaultResourceIdMalformed"),
    ],
)
async def test_a_malformed_key_names_the_field_and_stores_nothing(
    changes: dict[str, str], target: str, code: str
) -> None:
    stage = await verified_key()
    writes = stage.world.state.writes
    with pytest.raises(BadInput) as raised:
        await put(stage, "other", **changes)
    assert (raised.value.target, raised.value.code) == (target, code)
    assert stage.world.state.writes == writes


async def test_a_key_of_nobody_is_refused_before_anything_is_stored() -> None:
    stage = await verified_key()
    with pytest.raises(NotFound):
        await put(stage, customer_id="fabrikam")


async def test_if_match_guards_a_key() -> None:
    stage = await registered_key()
    stored, _ = await put(stage)
    await stage.check()
    with pytest.raises(PreconditionFailed):
        await put(stage, version_policy="pinned", key_identifier=str(stage.version), if_match=stored.etag)
    with pytest.raises(PreconditionFailed):
        await remove(stage, if_match=stored.etag)


async def test_verifying_answers_the_report_of_the_look_just_made() -> None:
    stage = await verified_key()
    stage.world.vault.change(stage.version, enabled=False)
    view = await verify_key(stage.bundle, CONTOSO, "primary", origin=ORIGIN)
    assert "keyEnabled" in {check.check for check in view.checks if check.result == "fail"}


async def test_a_key_names_the_versions_that_live_resources_use() -> None:
    stage = await protected_account()
    assert (await get_key(stage.bundle, CONTOSO, "primary")).versions_in_use == [stage.version.version]
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    assert (await get_key(stage.bundle, CONTOSO, "primary")).versions_in_use == []


async def test_a_key_that_protects_something_is_not_removed() -> None:
    stage = await protected_account()
    with pytest.raises(Conflict) as raised:
        await remove(stage)
    assert raised.value.code == "KeyInUse"
    assert isinstance(await stage.key(), Key)


async def test_a_removed_key_frees_its_claim_for_others() -> None:
    stage = await verified_key()
    await remove(stage)
    assert await stage.world.claims.find("key", stage.cmk.claim) is None
    stage.world.clock.advance(timedelta(seconds=1))
    _, is_new = await put(stage, "secondary")
    assert is_new
    await stage.work_off()
    await stage.assert_told_truly()


async def test_a_key_proven_again_while_its_removal_ends_keeps_its_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = await verified_key()
    remove_unchanged = stage.world.claims.remove_unchanged

    async def meanwhile(claim: Any) -> None:
        stage.world.clock.advance(timedelta(seconds=1))
        await put(stage)
        await stage.check()
        await remove_unchanged(claim)

    monkeypatch.setattr(stage.world.claims, "remove_unchanged", meanwhile)
    await remove(stage)
    assert (await stage.key()).ownership.state == "proven"
    assert await stage.world.claims.find("key", stage.cmk.claim) is not None
