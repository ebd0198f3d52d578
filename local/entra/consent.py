"""The admin consent page: where a customer's administrator accepts the multitenant application.

Both forms of the address are served: `/{tenant}/v2.0/adminconsent` and the older `/{tenant}/adminconsent`.
Whoever opens the page is taken for an administrator; where the address names no tenant (`organizations`, `common`),
the page asks for one, as signing in would. Accepting creates the service principal and redirects with the answer.
"""

import uuid
from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from local.entra.errors import EntraError, application_not_found, parameter_missing
from local.entra.federation import find_tenant
from local.world import Application, ServicePrincipal, Tenant, World

_NAMELESS: Final = frozenset({"organizations", "common"})

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>body {{ font: 16px system-ui, sans-serif; max-width: 34rem; margin: 4rem auto; padding: 0 1rem }}
button {{ font: inherit; padding: .4rem 1.2rem; margin-right: .5rem }}</style></head>
<body><h1>{title}</h1>{body}</body></html>
"""

_FORM: Final = """<p><strong>{application}</strong> asks for consent on behalf of your organization.</p>
<p>Application (client) id: <code>{client_id}</code><br>Answers to: <code>{redirect_uri}</code></p>
<form method="post">{tenant}<p><button name="decision" value="accept">Accept</button>
<button name="decision" value="cancel">Cancel</button></p></form>"""


def create_service_principal(tenant: Tenant, client_id: str) -> ServicePrincipal:
    """Install an application in a tenant; what is there already stays as it is."""
    tenant.removed_service_principals.discard(client_id)
    return tenant.service_principals.setdefault(client_id, ServicePrincipal(client_id, str(uuid.uuid4())))


def answer_consent(
    world: World, tenant_name: str, *, version_2: bool, query: Mapping[str, str], form: Mapping[str, str] | None
) -> web.Response:
    """Show the page, or act on the administrator's decision (`form`). Refusals are pages too, never redirects."""
    try:
        application = _check(world, tenant_name, version_2=version_2, query=query)
        if form is None:
            return _page("Permissions requested", _render_form(world, tenant_name, application, query))
        tenant = find_tenant(world, form.get("tenant", "") if tenant_name in _NAMELESS else tenant_name)
        if not application.multitenant and application.tenant_id != tenant.tenant_id:
            raise application_not_found(application.client_id, tenant.display_name)
        answer = _decide(tenant, application, version_2=version_2, query=query, form=form)
    except EntraError as error:
        return _page("Sorry, but we're having trouble signing you in.", f"<p>{escape(str(error))}</p>", error.status)
    separator = "&" if "?" in query["redirect_uri"] else "?"
    return web.Response(status=302, headers={"Location": f"{query['redirect_uri']}{separator}{urlencode(answer)}"})


def _check(world: World, tenant_name: str, *, version_2: bool, query: Mapping[str, str]) -> Application:
    for name in ("client_id", "redirect_uri", *(("scope",) if version_2 else ())):
        if not query.get(name):
            raise parameter_missing(name)
    if tenant_name not in _NAMELESS or (version_2 and tenant_name == "common"):
        # Version 2 does not take `common`; it is then a tenant's name that nobody has.
        find_tenant(world, tenant_name)
    application = world.applications.get(query["client_id"])
    if application is None:
        raise application_not_found(query["client_id"], tenant_name)
    if query["redirect_uri"] not in application.redirect_uris:
        raise EntraError(
            50011,
            f"The redirect URI '{query['redirect_uri']}' specified in the request does not match the redirect URIs "
            f"configured for the application '{application.client_id}'. Make sure the redirect URI sent in the "
            "request matches one added to your application in the Azure portal.",
        )
    return application


def _decide(
    tenant: Tenant,
    application: Application,
    *,
    version_2: bool,
    query: Mapping[str, str],
    form: Mapping[str, str],
) -> dict[str, str]:
    if form.get("decision") == "accept":
        create_service_principal(tenant, application.client_id)
        answer = {"admin_consent": "True", "tenant": tenant.tenant_id}
        if version_2:
            answer["scope"] = query["scope"]
    elif form.get("decision") == "cancel" and version_2:
        answer = {
            "error": "consent_required",
            "error_description": "AADSTS65004: User declined to consent to access the app.",
            "admin_consent": "True",
            "tenant": tenant.tenant_id,
        }
    elif form.get("decision") == "cancel":
        answer = {"error": "permission_denied", "error_description": "The admin canceled the request"}
    else:
        raise parameter_missing("decision")
    return answer if "state" not in query else {**answer, "state": query["state"]}


def _render_form(world: World, tenant_name: str, application: Application, query: Mapping[str, str]) -> str:
    choice = ""
    if tenant_name in _NAMELESS:
        options = "".join(
            f'<option value="{escape(tenant.tenant_id)}">{escape(tenant.display_name)}</option>'
            for tenant in world.tenants.values()
        )
        choice = f'<p><label>Your organization <select name="tenant">{options}</select></label></p>'
    return _FORM.format(
        application=escape(application.display_name),
        client_id=escape(application.client_id),
        redirect_uri=escape(query["redirect_uri"]),
        tenant=choice,
    )


def _page(title: str, body: str, status: int = 200) -> web.Response:
    return web.Response(
        status=status, text=_PAGE.format(title=escape(title), body=body), content_type="text/html", charset="utf-8"
    )
