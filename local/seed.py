"""Puts things into a world: the provider's side at the start, and whatever tests and the demo ask for.

The control API and `run` both come here, so that a seeded thing is the same whoever seeded it. Every function
creates what is missing and changes what is there.
"""

import secrets
import uuid
from typing import Any

from local import names
from local.clock import Clock
from local.entra.consent import create_service_principal
from local.entra.tokens import v2_issuer
from local.world import (
    Application,
    FederatedCredential,
    ManagedIdentity,
    RoleAssignment,
    StorageAccount,
    Tenant,
    World,
)


def new_world(clock: Clock) -> World:
    """Make a world that holds the provider's side and nothing else."""
    world = World(clock=clock)
    seed_provider(world)
    return world


def reset_world(world: World) -> None:
    """Return a world to its first state, in place: services hold on to the object. Keys and addresses stay."""
    fresh = World(clock=world.clock, signing_key=world.signing_key, proxy_url=world.proxy_url, ca_file=world.ca_file)
    world.clock.reset()
    seed_provider(fresh)
    vars(world).update(vars(fresh))


def seed_provider(world: World) -> None:
    """Create the provider's tenant, applications, identities, federated credential and roles."""
    put_tenant(world, names.PROVIDER_TENANT_ID, names.PROVIDER_TENANT_NAME)
    world.subscriptions[names.PROVIDER_SUBSCRIPTION_ID] = names.PROVIDER_TENANT_ID
    world.resource_groups.add(names.RESOURCE_GROUP_ID.casefold())
    put_application(
        world,
        Application(
            client_id=names.API_CLIENT_ID,
            tenant_id=names.PROVIDER_TENANT_ID,
            display_name="CrossKey API",
            identifier_uri=f"api://{names.API_CLIENT_ID}",
        ),
    )
    put_application(
        world,
        Application(
            client_id=names.POOL_CLIENT_ID,
            tenant_id=names.PROVIDER_TENANT_ID,
            display_name=f"CrossKey {names.POOL_NAME}",
            redirect_uris=[names.CONSENT_REDIRECT_URI],
        ),
    )
    for resource_id, client_id, principal_id in (
        (names.KEYS_IDENTITY_RESOURCE_ID, names.KEYS_IDENTITY_CLIENT_ID, names.KEYS_IDENTITY_PRINCIPAL_ID),
        (names.APP_IDENTITY_RESOURCE_ID, names.APP_IDENTITY_CLIENT_ID, names.APP_IDENTITY_PRINCIPAL_ID),
    ):
        put_identity(world, ManagedIdentity(resource_id, client_id, principal_id, names.PROVIDER_TENANT_ID))
    put_federated_credential(
        world,
        names.POOL_CLIENT_ID,
        FederatedCredential(
            name=names.KEYS_IDENTITY_NAME,
            issuer=v2_issuer(names.PROVIDER_TENANT_ID),
            subject=names.KEYS_IDENTITY_PRINCIPAL_ID,
        ),
    )
    scope = f"/subscriptions/{names.PROVIDER_SUBSCRIPTION_ID}"
    for role in ("CrossKey Operator", "EventGrid Data Sender"):
        put_role_assignment(world, RoleAssignment(names.APP_IDENTITY_PRINCIPAL_ID, role, scope))


def put_tenant(world: World, tenant_id: str, display_name: str) -> Tenant:
    """Create or rename a tenant."""
    tenant = world.tenants.setdefault(tenant_id, Tenant(tenant_id, display_name))
    tenant.display_name = display_name
    return tenant


def put_application(world: World, application: Application) -> None:
    """Register an application, with its service principal in its home tenant. Federated credentials stay."""
    before = world.applications.get(application.client_id)
    if before is not None:
        application.federated_credentials = before.federated_credentials
    world.applications[application.client_id] = application
    create_service_principal(world.tenants[application.tenant_id], application.client_id)


def remove_service_principal(tenant: Tenant, client_id: str) -> bool:
    """Remove an application from a tenant, as its administrator can; answers whether it was there."""
    removed = tenant.service_principals.pop(client_id, None)
    if removed is not None:
        tenant.removed_service_principals.add(client_id)
    return removed is not None


def put_identity(world: World, identity: ManagedIdentity) -> None:
    """Create a user-assigned identity."""
    world.managed_identities[identity.resource_id.casefold()] = identity


def put_federated_credential(world: World, client_id: str, credential: FederatedCredential) -> None:
    """Add a federated credential to an application, or replace the one of the same name."""
    application = world.applications[client_id]
    kept = [each for each in application.federated_credentials if each.name != credential.name]
    application.federated_credentials = [*kept, credential]


def put_role_assignment(world: World, assignment: RoleAssignment) -> None:
    """Give a role; the same role at the same scope is given once."""
    remove_role_assignment(world, assignment.principal_id, assignment.role, assignment.scope)
    world.role_assignments.append(assignment)


def remove_role_assignment(world: World, principal_id: str, role: str, scope: str) -> bool:
    """Take a role away; answers whether it was there."""
    wanted = (principal_id, role, scope.casefold())
    kept = [each for each in world.role_assignments if (each.principal_id, each.role, each.scope.casefold()) != wanted]
    removed = len(kept) < len(world.role_assignments)
    world.role_assignments = kept
    return removed


def put_storage_account(
    world: World, resource_id: str, *, location: str, tags: dict[str, str], identity: dict[str, Any] | None
) -> StorageAccount:
    """Create a storage account that is encrypted with Microsoft-managed keys, as Resource Manager would answer it."""
    name = resource_id.rpartition("/")[2]
    created = world.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    service = {"keyType": "Account", "enabled": True, "lastEnabledTime": created}
    document: dict[str, Any] = {
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "kind": "StorageV2",
        "id": resource_id,
        "name": name,
        "type": "Microsoft.Storage/storageAccounts",
        "location": location,
        "tags": dict(tags),
        "properties": {
            "keyCreationTime": {"key1": created, "key2": created},
            "allowCrossTenantReplication": False,
            "privateEndpointConnections": [],
            "minimumTlsVersion": "TLS1_2",
            "allowBlobPublicAccess": False,
            "networkAcls": {
                "ipv6Rules": [],
                "bypass": "AzureServices",
                "virtualNetworkRules": [],
                "ipRules": [],
                "defaultAction": "Allow",
            },
            "supportsHttpsTrafficOnly": True,
            "encryption": {
                "services": {"file": dict(service), "blob": dict(service)},
                "keySource": "Microsoft.Storage",
            },
            "accessTier": "Hot",
            "provisioningState": "Succeeded",
            "creationTime": created,
            "primaryEndpoints": {
                kind: f"https://{name}.{kind}.core.windows.net/" for kind in ("dfs", "blob", "queue", "table", "file")
            },
            "primaryLocation": location,
            "statusOfPrimary": "available",
        },
    }
    if identity is not None:
        document["identity"] = _complete_identity(world, identity)
    account = StorageAccount(resource_id, document, account_key=secrets.token_bytes(32))
    world.storage_accounts[resource_id.casefold()] = account
    return account


def _complete_identity(world: World, identity: dict[str, Any]) -> dict[str, Any]:
    """Fill in what Resource Manager adds: principal and tenant of the system's identity, ids of the user-assigned."""
    complete: dict[str, Any] = {"type": identity["type"]}
    if "SystemAssigned" in identity["type"]:
        complete |= {"principalId": str(uuid.uuid4()), "tenantId": names.PROVIDER_TENANT_ID}
    if identity.get("userAssignedIdentities"):
        known = {each: world.managed_identities[each.casefold()] for each in identity["userAssignedIdentities"]}
        complete["userAssignedIdentities"] = {
            resource_id: {"principalId": each.principal_id, "clientId": each.client_id}
            for resource_id, each in known.items()
        }
    return complete
