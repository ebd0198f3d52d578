"""The identity block of a storage account: what a request makes of it.

A PATCH merges: `{}` adds a user-assigned identity, null removes one, others stay; a `type` that leaves out a kind of
identity drops that kind, even one that encryption uses (recorded of Azure). A PUT replaces.
"""

import json
import uuid
from typing import Any, Final

from local.entra.federation import find_identity
from local.resource_manager.errors import ArmError, invalid_content, invalid_values
from local.world import World

_TYPES: Final = {
    frozenset[str](): "None",
    frozenset({"SystemAssigned"}): "SystemAssigned",
    frozenset({"UserAssigned"}): "UserAssigned",
    frozenset({"SystemAssigned", "UserAssigned"}): "SystemAssigned,UserAssigned",
}
_READ_ONLY: Final = {"principalId", "tenantId"}


def assigned_ids(requested: Any) -> list[str]:
    """The user-assigned identities that a request names to be kept or added; raises 400 for malformed blocks."""
    if requested is None:
        return []
    if not isinstance(requested, dict) or set(requested) - {"type", "userAssignedIdentities"} - _READ_ONLY:
        raise invalid_content("Could not find member on object of type 'Identity'")
    assigned = requested.get("userAssignedIdentities") or {}
    if not isinstance(assigned, dict):
        raise invalid_content("userAssignedIdentities must be an object")
    for resource_id, value in assigned.items():
        if value is not None and value != {}:
            raise ArmError(
                400,
                "InvalidIdentityValues",
                f"Invalid value for the identities '{resource_id}'. The 'UserAssignedIdentities' property keys should "
                "only be empty json objects, null or the resource exisiting property.",
                gateway=True,
            )
    return [resource_id for resource_id, value in assigned.items() if value is not None]


def change_identity(
    world: World,
    account_id: str,
    current: dict[str, Any] | None,
    requested: dict[str, Any],
    *,
    tenant_id: str,
    replace: bool,
) -> dict[str, Any] | None:
    """Work out the identity block after a request; None where an account never had one."""
    before = current or {"type": "None"}
    kinds = _kinds(requested.get("type"))
    after: dict[str, Any] = {}
    if "UserAssigned" in kinds:
        kept = {} if replace else dict(before.get("userAssignedIdentities") or {})
        after["userAssignedIdentities"] = _merge(world, account_id, kept, requested.get("userAssignedIdentities") or {})
        if not after["userAssignedIdentities"]:
            raise invalid_values("identity.userAssignedIdentities")
    if "SystemAssigned" in kinds:
        after["principalId"] = before.get("principalId") or str(uuid.uuid4())
        after["tenantId"] = before.get("tenantId") or tenant_id
    after["type"] = _TYPES[kinds]
    return None if current is None and not kinds else after


def _kinds(text: Any) -> frozenset[str]:
    kinds = frozenset(each.strip() for each in str(text).split(",")) - {"None"}
    if not isinstance(text, str) or kinds not in _TYPES:
        raise invalid_values("identity.type")
    return kinds


def _merge(world: World, account_id: str, kept: dict[str, Any], requested: dict[str, Any]) -> dict[str, Any]:
    for resource_id, value in requested.items():
        present = next((each for each in kept if each.casefold() == resource_id.casefold()), None)
        if value is None:
            kept.pop(present or resource_id, None)
        elif present is None:
            identity = find_identity(world, resource_id)
            if identity is None:
                raise _unknown_identity(account_id, resource_id)
            kept[resource_id] = {"principalId": identity.principal_id, "clientId": identity.client_id}
    return kept


def _unknown_identity(account_id: str, resource_id: str) -> ArmError:
    inner = {"error": {"code": "BadRequest", "message": f"Resource '{resource_id}' was not found."}}
    return ArmError(
        400,
        "FailedIdentityOperation",
        f"Identity operation for resource '{account_id}' failed with error 'Failed to perform resource identity "
        f"operation. Status: 'BadRequest'. Response: '{json.dumps(inner)}'.'.",
        gateway=True,
    )
