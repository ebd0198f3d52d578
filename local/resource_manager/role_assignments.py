"""Role assignments at any scope: how a customer's administrator grants and takes away the use of a key."""

import re
from datetime import timedelta
from typing import Any, Final

from local.resource_manager.calls import Answer, ArmCall, check_members
from local.resource_manager.errors import ArmError
from local.roles import ROLES, ROLES_BY_DEFINITION_ID, covers
from local.world import RoleAssignment, World

KIND: Final = "Microsoft.Authorization/roleAssignments"
_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PROPERTIES: Final = (
    "roleDefinitionId",
    "principalId",
    "principalType",
    "description",
    "condition",
    "conditionVersion",
)


async def put_assignment(call: ArmCall) -> Answer:
    """PUT: 201 for a new assignment, 200 for the same once more, 409 for the same grant under another name."""
    scope, name = call.parts["scope"], call.parts["name"]
    call.authorise(f"{KIND}/write", scope)
    if not _GUID.fullmatch(name):
        raise ArmError(
            400, "InvalidRoleAssignmentId", f"The role assignment ID '{name}' is not valid. It must be a GUID."
        )
    properties = call.body("properties").get("properties") or {}
    check_members(properties, _PROPERTIES, "RoleAssignmentProperties")
    role = ROLES_BY_DEFINITION_ID.get(str(properties.get("roleDefinitionId", "")).lower().rpartition("/")[2])
    if role is None:
        raise ArmError(
            400,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{properties.get('roleDefinitionId')}' does not exist.",
        )
    principal = str(properties.get("principalId", ""))
    if not properties.get("principalType") and principal not in _principals(call.world, call.tenant_id):
        # Naming the type makes Azure skip this check, because a new principal takes time to be seen.
        raise ArmError(
            400,
            "PrincipalNotFound",
            f"Principal {principal.replace('-', '')} does not exist in the directory {call.tenant_id}.",
        )
    for each in call.world.role_assignments:
        if (each.principal_id, each.role, each.scope.casefold()) == (principal, role.name, scope.casefold()):
            if each.name == name:
                return Answer(200, _document(each))
            raise ArmError(
                409,
                "RoleAssignmentExists",
                f"The role assignment already exists. The ID of the existing role assignment is {each.name}.",
            )
    effective_at = call.world.clock.now() + timedelta(seconds=call.world.role_propagation_seconds)
    assignment = RoleAssignment(principal, role.name, scope, name=name, effective_at=effective_at)
    call.world.role_assignments.append(assignment)
    return Answer(201, _document(assignment))


async def get_assignment(call: ArmCall) -> Answer:
    """GET."""
    call.authorise(f"{KIND}/read", call.parts["scope"])
    assignment = _find(call)
    if assignment is None:
        raise ArmError(404, "RoleAssignmentNotFound", f"The role assignment '{call.parts['name']}' is not found.")
    return Answer(200, _document(assignment))


async def list_assignments(call: ArmCall) -> Answer:
    """List the assignments that hold at the scope, inherited ones included."""
    scope = call.parts["scope"]
    call.authorise(f"{KIND}/read", scope)
    return Answer(
        200, {"value": [_document(each) for each in call.world.role_assignments if covers(each.scope, scope)]}
    )


async def delete_assignment(call: ArmCall) -> Answer:
    """DELETE: 200 with what it was, 204 where there was none."""
    call.authorise(f"{KIND}/delete", call.parts["scope"])
    assignment = _find(call)
    if assignment is None:
        return Answer(204)
    call.world.role_assignments.remove(assignment)
    return Answer(200, _document(assignment))


def _find(call: ArmCall) -> RoleAssignment | None:
    wanted = (call.parts["scope"].casefold(), call.parts["name"].lower())
    for each in call.world.role_assignments:
        if (each.scope.casefold(), each.name.lower()) == wanted:
            return each
    return None


def _principals(world: World, tenant_id: str) -> set[str]:
    tenant = world.tenants.get(tenant_id)
    known = {each.object_id for each in tenant.service_principals.values()} if tenant else set()
    return known | {each.principal_id for each in world.managed_identities.values() if each.tenant_id == tenant_id}


def _document(assignment: RoleAssignment) -> dict[str, Any]:
    scope = assignment.scope
    subscription = "/".join(scope.split("/")[:3])
    definition = ROLES[assignment.role].definition_id
    return {
        "id": f"{scope}/providers/{KIND}/{assignment.name}",
        "name": assignment.name,
        "type": KIND,
        "properties": {
            "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{definition}",
            "principalId": assignment.principal_id,
            "principalType": "ServicePrincipal",
            "scope": scope,
        },
    }
