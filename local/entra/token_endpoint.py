"""Entra's token endpoint for client credentials: a federated assertion (the app's way), or a client secret.

Checks come in Entra's order: the request, the tenant, the application in it, its credential, then the resource
asked for. Only `EntraError` leaves it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from local.entra.errors import EntraError, application_not_found, parameter_missing
from local.entra.federation import (
    application_claims,
    check_assertion,
    find_service_principal,
    find_tenant,
    resolve_resource,
)
from local.entra.tokens import TokenIssuer
from local.world import Application, World

JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_LIFETIME: Final = timedelta(seconds=3599)
_DEFAULT_SCOPE: Final = "/.default"
# Clients may add the OpenID scopes; they mean nothing for an application on its own.
_OPENID_SCOPES: Final = frozenset({"openid", "profile", "offline_access"})


def answer_token_request(world: World, tenant_id: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Answer a token request; raises `EntraError`."""
    if not form.get("grant_type"):
        raise parameter_missing("grant_type")
    if form["grant_type"] != "client_credentials":
        raise EntraError(70003, f"The app requested an unsupported grant type '{form['grant_type']}'.")
    for name in ("client_id", "scope"):
        if not form.get(name):
            raise parameter_missing(name)
    resource = _resource(form["scope"])
    tenant = find_tenant(world, tenant_id)
    client_id = form["client_id"]
    principal = find_service_principal(world, tenant, client_id)
    application = world.applications[client_id]
    if not application.multitenant and application.tenant_id != tenant_id:
        raise application_not_found(client_id, tenant.display_name)
    _authenticate(world, application, form)
    audience = resolve_resource(world, tenant, resource)
    token = TokenIssuer(world).issue(
        tenant_id=tenant_id,
        audience=audience,
        claims=application_claims(principal, tenant),
        lifetime=TOKEN_LIFETIME,
    )
    seconds = int(TOKEN_LIFETIME.total_seconds())
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}


def _resource(scope: str) -> str:
    scopes = [each for each in scope.split() if each not in _OPENID_SCOPES]
    if len(scopes) != 1 or not scopes[0].endswith(_DEFAULT_SCOPE):
        raise EntraError(
            1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
            "/.default suffixed to the resource identifier (application ID URI).",
        )
    return scopes[0].removesuffix(_DEFAULT_SCOPE)


def _authenticate(world: World, application: Application, form: Mapping[str, str]) -> None:
    if form.get("client_assertion"):
        if form.get("client_assertion_type") != JWT_BEARER:
            raise parameter_missing("client_assertion_type")
        check_assertion(world, application, form["client_assertion"])
    elif form.get("client_secret"):
        if form["client_secret"] not in application.secrets:
            raise EntraError(
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{application.client_id}'.",
            )
    else:
        raise EntraError(
            7000216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        )
