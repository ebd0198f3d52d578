"""Roles of the local Azure: what an assignment allows, and where."""

from datetime import timedelta
from pathlib import Path

import pytest

from local.clock import Clock
from local.roles import ROLES, covers, find_grant
from local.world import RoleAssignment, World

VAULT = "/subscriptions/1/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
READ = "Microsoft.KeyVault/vaults/keys/read"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Clock(tmp_path / "clock"))


@pytest.mark.parametrize(
    ("scope", "target", "reached"),
    [
        (VAULT, VAULT, True),
        (VAULT, f"{VAULT}/keys/cmk", True),
        (VAULT.upper(), f"{VAULT}/keys/cmk", True),
        (VAULT, f"{VAULT}2", False),
        (f"{VAULT}/keys/cmk", VAULT, False),
        ("/subscriptions/1", VAULT, True),
    ],
)
def test_an_assignment_reaches_everything_below_its_scope(scope: str, target: str, reached: bool) -> None:
    assert covers(scope, target) is reached


def test_a_role_on_data_allows_nothing_of_the_resource(world: World) -> None:
    world.role_assignments.append(RoleAssignment("p", "Key Vault Crypto User", VAULT))
    assert find_grant(world, "p", VAULT, READ, on_data=True) is not None
    assert find_grant(world, "p", VAULT, READ) is None
    assert find_grant(world, "q", VAULT, READ, on_data=True) is None


def test_a_contributor_does_everything_but_grant(world: World) -> None:
    world.role_assignments.append(RoleAssignment("p", "Contributor", VAULT))
    assert find_grant(world, "p", VAULT, "Microsoft.KeyVault/vaults/write") is not None
    assert find_grant(world, "p", VAULT, "Microsoft.Authorization/roleAssignments/read") is not None
    assert find_grant(world, "p", VAULT, "Microsoft.Authorization/roleAssignments/write") is None


def test_a_grant_counts_only_once_it_is_in_effect(world: World) -> None:
    later = world.clock.now() + timedelta(minutes=5)
    world.role_assignments.append(RoleAssignment("p", "Key Vault Crypto User", VAULT, effective_at=later))
    assert find_grant(world, "p", VAULT, READ, on_data=True) is None
    world.clock.advance(timedelta(minutes=6))
    assert find_grant(world, "p", VAULT, READ, on_data=True) is not None


def test_definition_ids_are_unique() -> None:
    assert len({role.definition_id for role in ROLES.values()}) == len(ROLES)
