"""Tokens and the federated chain, as the services use them without HTTP."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from local import names, seed
from local.clock import Clock
from local.entra.consent import create_service_principal
from local.entra.errors import EntraError
from local.entra.federation import federated_token
from local.entra.tokens import Claims, TokenExpired, TokenIssuer, TokenRejected
from local.world import Application, FederatedCredential, World

CONTOSO = "20000000-0000-4000-8000-000000000001"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = seed.new_world(Clock(tmp_path / "clock"))
    tenant = seed.put_tenant(made, CONTOSO, "Contoso")
    create_service_principal(tenant, names.POOL_CLIENT_ID)
    return made


def walk(world: World, **changes: str) -> Claims:
    given = {
        "identity_resource_id": names.KEYS_IDENTITY_RESOURCE_ID,
        "application_client_id": names.POOL_CLIENT_ID,
        "tenant_id": CONTOSO,
        "resource": names.VAULT_RESOURCE,
        **changes,
    }
    return federated_token(world, **given)


def test_a_token_is_verified_by_any_issuer_of_the_same_world(world: World) -> None:
    token = TokenIssuer(world).issue(tenant_id=CONTOSO, audience=names.VAULT_RESOURCE, claims={"oid": "o"})
    claims = TokenIssuer(world).verify(token, audience=f"{names.VAULT_RESOURCE}/")
    assert (claims.tenant_id, claims.object_id) == (CONTOSO, "o")


def test_a_token_for_another_audience_is_rejected(world: World) -> None:
    token = TokenIssuer(world).issue(tenant_id=CONTOSO, audience=names.MANAGEMENT_RESOURCE, claims={})
    with pytest.raises(TokenRejected, match="audience"):
        TokenIssuer(world).verify(token, audience=names.VAULT_RESOURCE)


def test_a_token_of_another_world_is_rejected(world: World, tmp_path: Path) -> None:
    stranger = seed.new_world(Clock(tmp_path / "other"))
    token = TokenIssuer(stranger).issue(tenant_id=CONTOSO, audience=names.VAULT_RESOURCE, claims={})
    with pytest.raises(TokenRejected, match="signature"):
        TokenIssuer(world).verify(token, audience=names.VAULT_RESOURCE)


def test_a_token_expires_by_world_time(world: World) -> None:
    token = TokenIssuer(world).issue(tenant_id=CONTOSO, audience=names.VAULT_RESOURCE, claims={})
    world.clock.advance(timedelta(hours=1))
    with pytest.raises(TokenExpired):
        TokenIssuer(world).verify(token, audience=names.VAULT_RESOURCE)


@pytest.mark.parametrize("token", ["", "a.b.c", "nonsense", "e30.e30."])
def test_what_is_no_token_is_rejected(world: World, token: str) -> None:
    with pytest.raises(TokenRejected, match="malformed"):
        TokenIssuer(world).verify(token, audience=names.VAULT_RESOURCE)


def test_an_azure_service_reaches_the_customers_vault_as_the_application(world: World) -> None:
    claims = walk(world)
    principal = world.tenants[CONTOSO].service_principals[names.POOL_CLIENT_ID]
    assert claims.object_id == principal.object_id
    assert (claims.tenant_id, claims.application_id, claims.audience) == (
        CONTOSO,
        names.POOL_CLIENT_ID,
        names.VAULT_RESOURCE,
    )


def test_the_identity_is_found_without_case(world: World) -> None:
    assert walk(world, identity_resource_id=names.KEYS_IDENTITY_RESOURCE_ID.upper())


def disable(world: World) -> None:
    world.tenants[CONTOSO].service_principals[names.POOL_CLIENT_ID].enabled = False


def block(world: World) -> None:
    world.tenants[CONTOSO].service_principals[names.POOL_CLIENT_ID].blocked_by_policy = True


def remove(world: World) -> None:
    seed.remove_service_principal(world.tenants[CONTOSO], names.POOL_CLIENT_ID)


def forget_federation(world: World) -> None:
    world.applications[names.POOL_CLIENT_ID].federated_credentials.clear()


def break_subject(world: World) -> None:
    world.applications[names.POOL_CLIENT_ID].federated_credentials[0].subject = names.KEYS_IDENTITY_CLIENT_ID


def move_identity(world: World) -> None:
    identity = world.managed_identities[names.KEYS_IDENTITY_RESOURCE_ID.casefold()]
    identity.tenant_id = CONTOSO
    credential = FederatedCredential("x", f"https://{names.ENTRA_HOST}/{CONTOSO}/v2.0", identity.principal_id)
    seed.put_federated_credential(world, names.POOL_CLIENT_ID, credential)


@pytest.mark.parametrize(
    ("disturb", "code"),
    [
        (disable, 7000112),
        (block, 53003),
        (remove, 7000229),
        (forget_federation, 70021),
        (break_subject, 700213),
        (move_identity, 700236),
    ],
)
def test_each_broken_link_has_its_own_code(world: World, disturb: Callable[[World], None], code: int) -> None:
    disturb(world)
    with pytest.raises(EntraError) as refused:
        walk(world)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tenant_id": "99999999-0000-4000-8000-000000000001"}, 90002),
        ({"application_client_id": names.API_CLIENT_ID}, 700016),
        ({"identity_resource_id": names.APP_IDENTITY_RESOURCE_ID}, 700213),
        ({"resource": "https://nothing.example"}, 500011),
    ],
)
def test_a_chain_that_names_the_wrong_thing_breaks(world: World, changes: dict[str, str], code: int) -> None:
    with pytest.raises(EntraError) as refused:
        walk(world, **changes)
    assert refused.value.code == code


def test_registering_an_application_again_keeps_its_federation(world: World) -> None:
    again = Application(names.POOL_CLIENT_ID, names.PROVIDER_TENANT_ID, "renamed")
    seed.put_application(world, again)
    assert walk(world)


def test_a_reset_world_is_the_same_object_with_the_same_keys(world: World) -> None:
    token = TokenIssuer(world).issue(tenant_id=CONTOSO, audience=names.VAULT_RESOURCE, claims={})
    seed.reset_world(world)
    assert set(world.tenants) == {names.PROVIDER_TENANT_ID}
    assert TokenIssuer(world).verify(token, audience=names.VAULT_RESOURCE)
