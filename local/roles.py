"""Azure's built-in roles, as far as CrossKey and its customers meet them: may this principal do that?

Roles are known by name; `RoleAssignment.role` holds such a name. Used by Resource Manager (actions), Key Vault and
Event Grid (data actions). Names, ids and actions are those of Azure's built-in roles; the last entry is the custom
role with exactly the actions that CrossKey itself uses.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from local.world import RoleAssignment, World


@dataclass(frozen=True)
class Role:
    """One role definition: what it allows on the resource, on its data, and what it leaves out."""

    name: str
    definition_id: str
    actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    excluded_actions: tuple[str, ...] = ()


_KEYS: Final = "Microsoft.KeyVault/vaults/keys"
_IDENTITIES: Final = "Microsoft.ManagedIdentity/userAssignedIdentities"

_CATALOGUE: Final = (
    Role("Owner", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", actions=("*",)),
    Role(
        "Contributor",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        actions=("*",),
        excluded_actions=("Microsoft.Authorization/*/write", "Microsoft.Authorization/*/delete"),
    ),
    Role("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", actions=("*/read",)),
    Role(
        "User Access Administrator",
        "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        actions=("*/read", "Microsoft.Authorization/*"),
    ),
    Role(
        "Storage Account Contributor",
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",
        actions=("Microsoft.Storage/storageAccounts/*", "Microsoft.Resources/subscriptions/resourceGroups/read"),
    ),
    Role(
        "Managed Identity Operator",
        "f1a07417-d97a-45cb-824c-7a7467783830",
        actions=(
            f"{_IDENTITIES}/*/read",
            f"{_IDENTITIES}/read",
            f"{_IDENTITIES}/*/assign/action",
            f"{_IDENTITIES}/assign/action",
        ),
    ),
    Role("Key Vault Contributor", "f25e0fa2-a7c8-4377-a976-54943a77a395", actions=("Microsoft.KeyVault/*",)),
    Role(
        "Key Vault Administrator",
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        actions=("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/read"),
        data_actions=("Microsoft.KeyVault/vaults/*",),
    ),
    Role(
        "Key Vault Crypto Officer",
        "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
        actions=("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/read"),
        data_actions=(f"{_KEYS}/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"),
    ),
    Role(
        "Key Vault Crypto User",
        "12338af0-0e69-4776-bea7-57ae8d297424",
        data_actions=(
            f"{_KEYS}/read",
            f"{_KEYS}/update/action",
            f"{_KEYS}/backup/action",
            f"{_KEYS}/encrypt/action",
            f"{_KEYS}/decrypt/action",
            f"{_KEYS}/wrap/action",
            f"{_KEYS}/unwrap/action",
            f"{_KEYS}/sign/action",
            f"{_KEYS}/verify/action",
        ),
    ),
    Role(
        "Key Vault Crypto Service Encryption User",
        "e147488a-f6f5-4113-8e2d-b22465e65bf6",
        actions=(
            "Microsoft.EventGrid/eventSubscriptions/write",
            "Microsoft.EventGrid/eventSubscriptions/read",
            "Microsoft.EventGrid/eventSubscriptions/delete",
        ),
        data_actions=(f"{_KEYS}/read", f"{_KEYS}/wrap/action", f"{_KEYS}/unwrap/action"),
    ),
    Role(
        "Key Vault Reader",
        "21090545-7ca7-4776-b22c-e363652d74d2",
        actions=("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/read"),
        data_actions=("Microsoft.KeyVault/vaults/*/read",),
    ),
    Role(
        "EventGrid EventSubscription Contributor",
        "428e0ff0-5e57-4d9c-a221-2c70d0e0a443",
        actions=("Microsoft.EventGrid/eventSubscriptions/*",),
    ),
    Role(
        "EventGrid Data Sender",
        "d5a91429-5739-47e2-a06b-3470a27159e7",
        data_actions=("Microsoft.EventGrid/events/send/action",),
    ),
    Role(
        "CrossKey Operator",
        "10000000-0000-4000-8000-0000000000c1",
        actions=(
            "Microsoft.Storage/storageAccounts/read",
            "Microsoft.Storage/storageAccounts/write",
            "Microsoft.Storage/storageAccounts/encryptionScopes/read",
            "Microsoft.Storage/storageAccounts/encryptionScopes/write",
            f"{_IDENTITIES}/read",
            f"{_IDENTITIES}/assign/action",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
    ),
)

ROLES: Final = {role.name: role for role in _CATALOGUE}
ROLES_BY_DEFINITION_ID: Final = {role.definition_id: role for role in _CATALOGUE}


@cache
def _matches(pattern: str, action: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) is not None


def covers(scope: str, target: str) -> bool:
    """Whether an assignment at `scope` reaches `target`; ARM ids, compared without case and by whole segments."""
    outer, inner = scope.casefold().rstrip("/"), target.casefold().rstrip("/")
    return inner == outer or inner.startswith(f"{outer}/")


def find_grant(
    world: World, principal_id: str, scope: str, action: str, *, on_data: bool = False
) -> RoleAssignment | None:
    """Find the assignment that lets the principal perform the action at the scope, if there is one in effect."""
    now = world.clock.now()
    for assignment in world.role_assignments:
        if assignment.principal_id != principal_id or not covers(assignment.scope, scope):
            continue
        if assignment.effective_at is not None and now < assignment.effective_at:
            continue
        role = ROLES[assignment.role]
        allowed = role.data_actions if on_data else role.actions
        if any(_matches(each, action) for each in allowed) and not any(
            _matches(each, action) for each in role.excluded_actions
        ):
            return assignment
    return None
