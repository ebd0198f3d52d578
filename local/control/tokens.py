"""Tokens without credentials: whoever can reach the control API may be anybody in the local Azure."""

import uuid
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, HTTPException

from local import names, seed
from local.control.context import Local
from local.control.models import TokenAnswer, TokenRequest
from local.entra.federation import application_claims, find_service_principal, find_tenant
from local.entra.tokens import TokenIssuer
from local.roles import ROLES
from local.world import RoleAssignment, Tenant, World

router = APIRouter(tags=["tokens"])


@router.post("/tokens")
async def issue_token(local: Local, request: TokenRequest) -> TokenAnswer:
    """Issue a token for the API (default), a vault, Resource Manager; `grants` gives its user roles first."""
    tenant = _find_tenant(local.world, request.tenant)
    claims = _claims(local.world, tenant, request)
    unknown = {grant.role for grant in request.grants} - set(ROLES)
    if unknown:
        raise HTTPException(422, f"Roles {sorted(unknown)} are not known here; known are {sorted(ROLES)}.")
    for grant in request.grants:
        seed.put_role_assignment(local.world, RoleAssignment(str(claims["oid"]), grant.role, grant.scope))
    lifetime = timedelta(seconds=request.lifetime_seconds)
    token = TokenIssuer(local.world).issue(
        tenant_id=tenant.tenant_id, audience=request.audience, claims=claims, lifetime=lifetime
    )
    return TokenAnswer(
        access_token=token,
        tenant_id=tenant.tenant_id,
        object_id=str(claims["oid"]),
        expires_on=int(local.world.clock.time()) + request.lifetime_seconds,
    )


def user_object_id(tenant_id: str, user: str) -> str:
    """The object id of a user: the same for the same name in the same tenant."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://{names.ENTRA_HOST}/{tenant_id}/users/{user}"))


def _find_tenant(world: World, name: str) -> Tenant:
    if name == "provider":
        return find_tenant(world, names.PROVIDER_TENANT_ID)
    for tenant in world.tenants.values():
        if name.casefold() == tenant.display_name.casefold():
            return tenant
    return find_tenant(world, name)


def _claims(world: World, tenant: Tenant, request: TokenRequest) -> dict[str, Any]:
    roles = {"roles": request.roles} if request.roles else {}
    if request.client_id is not None:
        return {**application_claims(find_service_principal(world, tenant, request.client_id), tenant), **roles}
    object_id = user_object_id(tenant.tenant_id, request.user)
    return {"oid": object_id, "sub": object_id, "name": request.user, "appid": names.API_CLIENT_ID, **roles}
