"""User-assigned managed identities, read only: they are seeded, not created here."""

from typing import Final

from local.entra.federation import find_identity
from local.names import LOCATION
from local.resource_manager.calls import Answer, ArmCall
from local.resource_manager.errors import resource_not_found
from local.resource_manager.scopes import check_group

KIND: Final = "Microsoft.ManagedIdentity/userAssignedIdentities"


async def get_identity(call: ArmCall) -> Answer:
    """GET."""
    resource_id = f"{call.group_id}/providers/{KIND}/{call.parts['name']}"
    call.authorise(f"{KIND}/read", resource_id)
    check_group(call.world, call.parts["subscription"], call.parts["group"])
    identity = find_identity(call.world, resource_id)
    if identity is None:
        raise resource_not_found(KIND, call.parts["name"], call.parts["group"])
    return Answer(
        200,
        {
            "id": identity.resource_id,
            "name": identity.resource_id.rpartition("/")[2],
            "type": KIND,
            "location": LOCATION,
            "tags": {},
            "properties": {
                "tenantId": identity.tenant_id,
                "principalId": identity.principal_id,
                "clientId": identity.client_id,
            },
        },
    )
