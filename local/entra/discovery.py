"""Entra's discovery documents, as clients read them before their first token request."""

from typing import Any, Final

from local.entra.tokens import v2_issuer
from local.names import ENTRA_HOST

NAMELESS_TENANTS: Final = frozenset({"common", "organizations"})


def openid_configuration(tenant: str) -> dict[str, Any]:
    """Build the OpenID configuration of a tenant, or the template that `common` and `organizations` answer."""
    base = f"https://{ENTRA_HOST}/{tenant}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": v2_issuer("{tenantid}" if tenant in NAMELESS_TENANTS else tenant),
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "ver"],
        "kerberos_endpoint": f"{base}/kerberos",
        "tenant_region_scope": None if tenant in NAMELESS_TENANTS else "WW",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


def instance_discovery(authorization_endpoint: str) -> dict[str, Any]:
    """Answer which hosts are the same cloud; only the public cloud is imitated."""
    base = authorization_endpoint.removesuffix("/oauth2/v2.0/authorize")
    return {
        "tenant_discovery_endpoint": f"{base}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": ENTRA_HOST,
                "preferred_cache": "login.windows.net",
                "aliases": [ENTRA_HOST, "login.windows.net", "login.microsoft.com", "sts.windows.net"],
            }
        ],
    }
