"""Who may have a token: the checks that Entra makes when an application presents a federated assertion.

`federated_token` is the whole chain that Azure's own services walk to reach a customer's vault (managed identity,
then assertion, then the multitenant application in the customer's tenant); the token endpoint uses the same
checks for the app's own requests. All comparisons are case-sensitive, as Entra's are.
"""

from datetime import UTC, datetime

from local.entra.errors import (
    EntraError,
    application_not_found,
    resource_not_found,
    service_principal_missing,
    tenant_not_found,
)
from local.entra.tokens import Claims, TokenExpired, TokenIssuer, TokenRejected, identity_claims, v2_issuer
from local.names import (
    EVENT_GRID_RESOURCE,
    MANAGED_HSM_RESOURCE,
    MANAGEMENT_RESOURCE,
    STORAGE_RESOURCE,
    TOKEN_EXCHANGE_AUDIENCE,
    VAULT_RESOURCE,
)
from local.world import Application, ManagedIdentity, ServicePrincipal, Tenant, World

AZURE_RESOURCES = frozenset(
    {
        VAULT_RESOURCE,
        MANAGED_HSM_RESOURCE,
        MANAGEMENT_RESOURCE,
        "https://management.core.windows.net",
        EVENT_GRID_RESOURCE,
        STORAGE_RESOURCE,
    }
)


def find_tenant(world: World, tenant_id: str) -> Tenant:
    """Find a tenant by its id; raises AADSTS90002."""
    tenant = world.tenants.get(tenant_id)
    if tenant is None:
        raise tenant_not_found(tenant_id)
    return tenant


def find_service_principal(world: World, tenant: Tenant, client_id: str) -> ServicePrincipal:
    """Find the application's usable service principal in the tenant; raises the reason why there is none."""
    principal = tenant.service_principals.get(client_id)
    if principal is None or client_id not in world.applications:
        # Both codes are seen in the field: 700016 where the application never was, 7000229 where it was removed.
        if client_id in tenant.removed_service_principals:
            raise service_principal_missing(client_id, tenant.tenant_id)
        raise application_not_found(client_id, tenant.display_name)
    if not principal.enabled:
        name = world.applications[client_id].display_name
        raise EntraError(7000112, f"Application '{client_id}'({name}) is disabled.")
    if principal.blocked_by_policy:
        raise EntraError(
            53003,
            "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        )
    return principal


def resolve_resource(world: World, tenant: Tenant, resource: str) -> str:
    """Map what a client asks for to the audience of the token; raises AADSTS500011."""
    plain = resource.rstrip("/")
    if plain in AZURE_RESOURCES:
        return plain
    for application in world.applications.values():
        names = {application.client_id, f"api://{application.client_id}", application.identifier_uri}
        known_here = application.client_id in tenant.service_principals
        if plain in names and known_here:
            return application.client_id
    raise resource_not_found(resource, tenant.display_name)


def check_assertion(world: World, application: Application, assertion: str) -> Claims:
    """Check a client assertion against the application's federated credentials; raises the matching AADSTS error."""
    try:
        claims = TokenIssuer(world).decode(assertion)
    except TokenExpired as error:
        now = world.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        starts, ends = (_instant(error.claims[name]) for name in ("nbf", "exp"))
        raise EntraError(
            700024,
            f"Client assertion is not within its valid time range. Current time: {now}, assertion valid from "
            f"{starts}, expiry time of assertion {ends}.",
        ) from error
    except TokenRejected as error:
        if str(error) == "malformed token":
            raise EntraError(50027, "JWT token is invalid or malformed.") from error
        raise EntraError(
            700027,
            f"The certificate with identifier used to sign the client assertion is not registered on "
            f"application. [Reason - The key was not found., for app Id '{application.client_id}'].",
        ) from error
    match_assertion(application, claims)
    return claims


def match_assertion(application: Application, claims: Claims) -> None:
    """Match genuine claims with a federated credential; issuer, then subject, then audience."""
    candidates = application.federated_credentials
    if not candidates:
        raise EntraError(
            70021,
            f"No matching federated identity record found for presented assertion. Assertion Issuer: "
            f"'{claims.issuer}'. Assertion Subject: '{claims.subject}'. Assertion Audience: '{claims.audience}'. "
            "https://docs.microsoft.com/en-us/azure/active-directory/develop/workload-identity-federation",
        )
    for code, member, presented in (
        (700211, "issuer", claims.issuer),
        (700213, "subject", claims.subject),
        (7002121, "audience", claims.audience),
    ):
        candidates = [credential for credential in candidates if getattr(credential, member) == presented]
        if not candidates:
            raise EntraError(
                code,
                f"No matching federated identity record found for presented assertion {member} '{presented}'. Check "
                "your federated identity credential Subject, Audience and Issuer against the presented assertion. "
                "https://docs.microsoft.com/entra/workload-id/workload-identity-federation",
            )
    if not claims.is_managed_identity:
        raise EntraError(700226, "Only managed identity tokens may be presented for a Microsoft Entra issuer.")
    if claims.tenant_id != application.tenant_id:
        raise EntraError(
            700236,
            f"Entra ID tokens issued by issuer '{claims.issuer}' may not be used for federated identity credential "
            "flows for applications or managed identities registered in this tenant.",
        )


def application_claims(principal: ServicePrincipal, tenant: Tenant) -> dict[str, object]:
    """The claims of an app-only token of this service principal."""
    claims: dict[str, object] = {
        "appid": principal.client_id,
        "azp": principal.client_id,
        "oid": principal.object_id,
        "sub": principal.object_id,
        "tid": tenant.tenant_id,
        "idtyp": "app",
    }
    return {**claims, "roles": list(principal.app_roles)} if principal.app_roles else claims


def find_identity(world: World, resource_id: str) -> ManagedIdentity | None:
    """Find a managed identity by its resource id, which ARM compares without case."""
    wanted = resource_id.casefold()
    return next((each for each in world.managed_identities.values() if each.resource_id.casefold() == wanted), None)


def federated_token(
    world: World, *, identity_resource_id: str, application_client_id: str, tenant_id: str, resource: str
) -> Claims:
    """Walk the chain by which an Azure service reaches a resource in a customer's tenant.

    Answers the claims of the token that the service would get; raises `EntraError` where the chain breaks.
    """
    tenant = find_tenant(world, tenant_id)
    principal = find_service_principal(world, tenant, application_client_id)
    identity = find_identity(world, identity_resource_id)
    if identity is None:
        raise application_not_found(identity_resource_id, tenant.display_name)
    assertion = Claims(
        iss=v2_issuer(identity.tenant_id),
        aud=TOKEN_EXCHANGE_AUDIENCE,
        tid=identity.tenant_id,
        **identity_claims(identity),
    )
    match_assertion(world.applications[application_client_id], assertion)
    audience = resolve_resource(world, tenant, resource)
    now = int(world.clock.time())
    claims = application_claims(principal, tenant)
    return Claims(iss=f"https://sts.windows.net/{tenant_id}/", aud=audience, iat=now, nbf=now, exp=now + 3600, **claims)


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
