"""What a vault decides: who may do what, which version is meant, and whether a version may wrap or unwrap.

Pure over the world, without HTTP. Called by the vault's own service and by Resource Manager, whose storage accounts
really use the key when they are updated; both get the same refusals as `KeyVaultError`.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

from local.entra.tokens import Claims
from local.key_vault.crypto import unwrap_bytes, wrap_bytes
from local.key_vault.errors import (
    forbidden,
    key_not_found,
    refused_by_firewall,
    refused_by_policy,
    refused_by_rbac,
    unauthorized,
)
from local.roles import find_grant
from local.world import KeyVersion, RoleAssignment, Vault, VaultKey, World

HOST_SUFFIX: Final = ".vault.azure.net"
# Azure accepts these issuers beside the vault's own tenant; clients see them in the text of the refusal.
_MICROSOFT_ISSUERS: Final = (
    "https://sts.windows.net/f8cdef31-a31e-4b4a-93e4-5f571e91255a/",
    "https://sts.windows.net/e2d54eb5-3869-4f70-8578-dee5fc7331f4/",
    "https://sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/",
)


@dataclass(frozen=True)
class Action:
    """One thing a caller may do: its name under Azure RBAC and under access policies."""

    data_action: str
    permission: str


_KEYS: Final = "Microsoft.KeyVault/vaults/keys"
_POLICIES: Final = "Microsoft.KeyVault/vaults/keyrotationpolicies"
GET: Final = Action(f"{_KEYS}/read", "get")
LIST: Final = Action(f"{_KEYS}/read", "list")
CREATE: Final = Action(f"{_KEYS}/create/action", "create")
IMPORT: Final = Action(f"{_KEYS}/import/action", "import")
UPDATE: Final = Action(f"{_KEYS}/update/action", "update")
DELETE: Final = Action(f"{_KEYS}/delete", "delete")
RECOVER: Final = Action(f"{_KEYS}/recover/action", "recover")
PURGE: Final = Action(f"{_KEYS}/purge/action", "purge")
ROTATE: Final = Action(f"{_KEYS}/rotate/action", "rotate")
WRAP: Final = Action(f"{_KEYS}/wrap/action", "wrapKey")
UNWRAP: Final = Action(f"{_KEYS}/unwrap/action", "unwrapKey")
GET_ROTATION_POLICY: Final = Action(f"{_POLICIES}/read", "getrotationpolicy")
SET_ROTATION_POLICY: Final = Action(f"{_POLICIES}/write", "setrotationpolicy")


def find_vault(world: World, host: str) -> Vault | None:
    """Find the vault behind a host name; None is what a client sees as a failing name resolution."""
    name = host.lower().removesuffix(HOST_SUFFIX)
    if name == host.lower():
        return None
    found = world.vaults.get(name)
    return found or next((vault for vault in world.vaults.values() if vault.name.lower() == name), None)


def authorise(
    world: World,
    vault: Vault,
    claims: Claims,
    action: Action,
    *,
    key_name: str | None = None,
    trusted_service: bool = False,
) -> RoleAssignment | None:
    """Let the caller through or raise 401 (tenant) or 403 (firewall, role, policy), in Azure's order.

    Answers the role assignment that allowed it; None under access policies. `trusted_service` is true for
    Azure Storage itself, never for an app.
    """
    _check_tenant(vault, claims)
    _check_firewall(world, vault, claims, trusted_service=trusted_service)
    if vault.rbac:
        scope = f"{vault.resource_id}/keys/{key_name}" if key_name else vault.resource_id
        grant = find_grant(world, claims.object_id, scope, action.data_action, on_data=True)
        if grant is None:
            raise refused_by_rbac(vault, claims, action.data_action, scope)
        return grant
    allowed = {
        permission.lower()
        for policy in vault.access_policies
        if policy.object_id == claims.object_id
        for permission in policy.permissions
    }
    if allowed.isdisjoint({"all", action.permission.lower()}):
        raise refused_by_policy(vault, claims, action.permission, world.access_policy_refusal)
    return None


def _check_tenant(vault: Vault, claims: Claims) -> None:
    if claims.tenant_id.lower() == vault.tenant_id.lower():
        return
    expected = ", ".join((f"https://sts.windows.net/{vault.tenant_id}/", *_MICROSOFT_ISSUERS))
    raise unauthorized(f"AKV10032: Invalid issuer. Expected one of {expected}, found {claims.issuer}.")


def _check_firewall(world: World, vault: Vault, claims: Claims, *, trusted_service: bool) -> None:
    firewall = vault.firewall
    if firewall.default_action == "Allow" or (trusted_service and firewall.bypass == "AzureServices"):
        return
    address = ipaddress.ip_address(world.client_address)
    networks = (ipaddress.ip_network(each, strict=False) for each in firewall.allowed_addresses)
    if trusted_service or not any(address in network for network in networks):
        raise refused_by_firewall(vault, claims, world.client_address)


def find_key(vault: Vault, name: str) -> VaultKey:
    """Find a key by name, without case; raises 404, also for a key that is soft-deleted."""
    found = vault.keys.get(name) or next((key for key in vault.keys.values() if key.name.lower() == name.lower()), None)
    if found is None:
        raise key_not_found(name)
    return found


def get_key(vault: Vault, name: str, version: str | None = None) -> tuple[VaultKey, KeyVersion]:
    """Find a key and one version: the named one, or the newest, whether it is enabled or not; raises 404."""
    key = find_key(vault, name)
    if not version:
        return key, key.versions[-1]
    for candidate in key.versions:
        if candidate.version == version.lower():
            return key, candidate
    raise key_not_found(f"{name}/{version}")


def wrap(
    world: World, vault: Vault, name: str, version: str | None, *, algorithm: str, plain: bytes
) -> tuple[str, bytes]:
    """Wrap with a version; answers the identifier of the version used and the wrapped bytes.

    A disabled version still wraps, as reported of Azure, so that a wrap proves nothing about revocation; outside its
    validity window it does not.
    """
    key, used = get_key(vault, name, version)
    _check_permitted(used, "wrapKey")
    now = world.clock.time()
    if used.exp is not None and now >= used.exp:
        raise forbidden("KeyExpired", "Operation wrapKey is not allowed on an expired key.")
    if used.nbf is not None and now < used.nbf:
        raise forbidden("KeyNotYetValid", "Operation wrapKey is not allowed on a key that is not yet valid.")
    return key_identifier(vault, key, used), wrap_bytes(used.private_key, algorithm, plain)


def unwrap(vault: Vault, name: str, version: str | None, *, algorithm: str, wrapped: bytes) -> tuple[str, bytes]:
    """Unwrap with a version; answers the identifier of the version used and the plain bytes.

    An expired or not yet valid version unwraps; a disabled one does not.
    """
    key, used = get_key(vault, name, version)
    _check_permitted(used, "unwrapKey")
    if not used.enabled:
        raise forbidden("KeyDisabled", "Operation unwrapKey is not allowed on a disabled key.")
    return key_identifier(vault, key, used), unwrap_bytes(used.private_key, algorithm, wrapped)


def _check_permitted(version: KeyVersion, operation: str) -> None:
    if operation not in version.key_ops:
        raise forbidden("KeyOperationForbidden", f"Operation {operation} is not permitted on this key.")


def vault_uri(vault: Vault) -> str:
    """The vault's address without a trailing slash."""
    return f"https://{vault.name}{HOST_SUFFIX}"


def key_identifier(vault: Vault, key: VaultKey, version: KeyVersion | None = None) -> str:
    """The identifier of a key, or of one of its versions."""
    identifier = f"{vault_uri(vault)}/keys/{key.name}"
    return identifier if version is None else f"{identifier}/{version.version}"


def recovery_level(vault: Vault) -> str:
    """What `recoveryLevel` says about soft delete and purge protection."""
    if vault.soft_delete_days == 0:
        return "Purgeable"
    level = "Recoverable" if vault.soft_delete_days == 90 else "CustomizedRecoverable"
    return level if vault.purge_protection else f"{level}+Purgeable"
