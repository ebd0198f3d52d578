"""Control of what exists: tenants, applications, identities, vaults, accounts, roles. PUT creates or changes."""

from typing import Any

from fastapi import APIRouter, HTTPException

from local import names, seed
from local.control.context import Local
from local.control.models import (
    ApplicationSpec,
    EventSubscriptionSpec,
    FederatedCredentialSpec,
    Guid,
    IdentitySpec,
    RoleAssignmentSpec,
    ServicePrincipalSpec,
    StorageAccountSpec,
    TenantSpec,
    VaultSpec,
)
from local.entra.consent import create_service_principal
from local.entra.federation import find_tenant
from local.event_grid.deliveries import HandshakeRefused
from local.roles import ROLES
from local.world import (
    AccessPolicy,
    Application,
    EventSubscription,
    FederatedCredential,
    Firewall,
    ManagedIdentity,
    RoleAssignment,
    ServicePrincipal,
    Vault,
)

router = APIRouter(tags=["what exists"])


@router.put("/tenants/{tenant_id}")
async def put_tenant(local: Local, tenant_id: Guid, spec: TenantSpec) -> dict[str, Any]:
    """Create or rename a tenant."""
    tenant = seed.put_tenant(local.world, tenant_id, spec.display_name)
    return {"tenantId": tenant.tenant_id, "displayName": tenant.display_name}


@router.put("/tenants/{tenant_id}/servicePrincipals/{client_id}")
async def put_service_principal(
    local: Local, tenant_id: Guid, client_id: Guid, spec: ServicePrincipalSpec
) -> dict[str, Any]:
    """Install an application in a tenant without consent, disable it, block it, or grant it roles."""
    principal = create_service_principal(find_tenant(local.world, tenant_id), client_id)
    for name, value in spec.model_dump(exclude_none=True, by_alias=False).items():
        setattr(principal, name, value)
    return _principal(principal)


@router.get("/tenants/{tenant_id}/servicePrincipals/{client_id}")
async def read_service_principal(local: Local, tenant_id: Guid, client_id: Guid) -> dict[str, Any]:
    """An application's presence in a tenant; its object id is what the customer grants roles to."""
    principal = find_tenant(local.world, tenant_id).service_principals.get(client_id)
    if principal is None:
        raise HTTPException(404, f"Application {client_id} is not installed in tenant {tenant_id}.")
    return _principal(principal)


@router.delete("/tenants/{tenant_id}/servicePrincipals/{client_id}", status_code=204)
async def remove_service_principal(local: Local, tenant_id: Guid, client_id: Guid) -> None:
    """Remove an application from a tenant, as its administrator can."""
    if not seed.remove_service_principal(find_tenant(local.world, tenant_id), client_id):
        raise HTTPException(404, f"Application {client_id} is not installed in tenant {tenant_id}.")


@router.put("/applications/{client_id}")
async def put_application(local: Local, client_id: Guid, spec: ApplicationSpec) -> dict[str, Any]:
    """Register or change an application; its federated credentials stay."""
    find_tenant(local.world, spec.tenant_id)
    seed.put_application(local.world, Application(client_id=client_id, **spec.model_dump(by_alias=False)))
    return {"clientId": client_id, **spec.model_dump(exclude={"secrets"})}


@router.put("/federatedCredentials")
async def put_federated_credential(local: Local, spec: FederatedCredentialSpec) -> dict[str, Any]:
    """Add or replace a federated credential. Wrong values are taken, as Entra takes them."""
    if spec.application_client_id not in local.world.applications:
        raise HTTPException(404, f"There is no application {spec.application_client_id}.")
    credential = FederatedCredential(spec.name, spec.issuer, spec.subject, spec.audience)
    seed.put_federated_credential(local.world, spec.application_client_id, credential)
    return spec.model_dump()


@router.delete("/federatedCredentials/{client_id}/{name}", status_code=204)
async def remove_federated_credential(local: Local, client_id: Guid, name: str) -> None:
    """Remove a federated credential."""
    application = local.world.applications.get(client_id)
    if application is None or all(each.name != name for each in application.federated_credentials):
        raise HTTPException(404, f"Application {client_id} has no federated credential {name}.")
    application.federated_credentials = [each for each in application.federated_credentials if each.name != name]


@router.put("/managedIdentities")
async def put_identity(local: Local, spec: IdentitySpec) -> dict[str, Any]:
    """Create a user-assigned managed identity."""
    seed.put_identity(local.world, ManagedIdentity(**spec.model_dump(by_alias=False)))
    return spec.model_dump()


@router.put("/roleAssignments")
async def put_role_assignment(local: Local, spec: RoleAssignmentSpec) -> dict[str, Any]:
    """Give a role, in effect at once."""
    if spec.role not in ROLES:
        raise HTTPException(422, f"Role '{spec.role}' is not known here; known are {sorted(ROLES)}.")
    seed.put_role_assignment(local.world, RoleAssignment(spec.principal_id, spec.role, spec.scope))
    return spec.model_dump()


@router.delete("/roleAssignments", status_code=204)
async def remove_role_assignment(local: Local, principal_id: Guid, role: str, scope: str) -> None:
    """Take a role away."""
    if not seed.remove_role_assignment(local.world, principal_id, role, scope):
        raise HTTPException(404, f"{principal_id} does not have role '{role}' at {scope}.")


@router.put("/vaults/{name}")
async def put_vault(local: Local, name: str, spec: VaultSpec) -> dict[str, Any]:
    """Create or change a key vault."""
    vault = local.world.vaults.get(name.lower())
    if vault is None:
        if spec.tenant_id is None:
            raise HTTPException(422, "A new vault needs its tenantId.")
        find_tenant(local.world, spec.tenant_id)
        resource_id = f"/subscriptions/{spec.tenant_id}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/"
        vault = Vault(name.lower(), f"{resource_id}{name}", spec.tenant_id, names.LOCATION)
        local.world.vaults[name.lower()] = vault
    _change_vault(vault, spec)
    return {
        "name": vault.name,
        "resourceId": vault.resource_id,
        "vaultUri": f"https://{vault.name}.vault.azure.net/",
    }


@router.put("/storageAccounts")
async def put_storage_account(local: Local, spec: StorageAccountSpec) -> dict[str, Any]:
    """Create a storage account with Microsoft-managed keys; answers its document."""
    identity: dict[str, Any] | None = None
    if spec.identity is not None:
        for resource_id in spec.identity.user_assigned_identities:
            if resource_id.casefold() not in local.world.managed_identities:
                raise HTTPException(422, f"There is no managed identity {resource_id}.")
        assigned: dict[str, Any] = {each: {} for each in spec.identity.user_assigned_identities}
        identity = {"type": spec.identity.type, "userAssignedIdentities": assigned}
    account = seed.put_storage_account(
        local.world, spec.resource_id, location=spec.location, tags=spec.tags, identity=identity
    )
    return account.document


@router.put("/eventSubscriptions")
async def put_event_subscription(local: Local, spec: EventSubscriptionSpec) -> dict[str, Any]:
    """Subscribe a webhook to a vault's events; answers when the handshake is done."""
    subscription = EventSubscription(
        name=spec.name,
        vault_id=spec.vault_id,
        endpoint_url=spec.endpoint_url,
        schema=spec.schema_name,
        delivery_headers=dict(spec.delivery_headers),
        included_event_types=spec.included_event_types,
    )
    try:
        await local.event_grid.subscribe(subscription)
    except HandshakeRefused as error:
        raise HTTPException(409, str(error)) from error
    return {**spec.model_dump(exclude={"delivery_headers"}), "provisioningState": subscription.provisioning_state}


def _principal(principal: ServicePrincipal) -> dict[str, Any]:
    return {
        "clientId": principal.client_id,
        "objectId": principal.object_id,
        "enabled": principal.enabled,
        "blockedByPolicy": principal.blocked_by_policy,
        "appRoles": principal.app_roles,
    }


def _change_vault(vault: Vault, spec: VaultSpec) -> None:
    plain = ("tenant_id", "resource_id", "location", "soft_delete_days", "purge_protection", "rbac", "tags")
    for name in plain:
        value = getattr(spec, name)
        if value is not None:
            setattr(vault, name, value)
    if spec.access_policies is not None:
        vault.access_policies = [AccessPolicy(each.object_id, set(each.permissions)) for each in spec.access_policies]
    if spec.firewall is not None:
        vault.firewall = Firewall(**spec.firewall.model_dump(by_alias=False))
