"""Entra's errors: the AADSTS numbers that CrossKey can meet, with the HTTP status and OAuth error of each.

`EntraError` is raised by the rules (`federation`, `service`) and answered as the JSON document the SDKs parse.
Statuses and texts follow recorded answers; Microsoft may change numbers and texts, so a client must know an
"other" as well.
"""

import uuid
from datetime import datetime
from typing import Any, Final, NamedTuple


class _Kind(NamedTuple):
    status: int
    error: str


_INVALID_CLIENT: Final = _Kind(401, "invalid_client")
_INVALID_REQUEST: Final = _Kind(400, "invalid_request")
_UNAUTHORIZED_CLIENT: Final = _Kind(400, "unauthorized_client")

_KINDS: Final[dict[int, _Kind]] = {
    50027: _INVALID_REQUEST,  # malformed assertion
    50011: _INVALID_REQUEST,  # redirect address not registered
    53003: _Kind(400, "access_denied"),  # blocked by Conditional Access
    65004: _Kind(400, "consent_required"),  # consent declined
    70003: _Kind(400, "unsupported_grant_type"),
    70011: _Kind(400, "invalid_scope"),
    70021: _INVALID_REQUEST,  # no federated credential at all
    90002: _Kind(400, "invalid_tenant"),
    500011: _Kind(400, "invalid_resource"),
    700016: _UNAUTHORIZED_CLIENT,  # application never installed in the tenant
    700024: _INVALID_CLIENT,  # assertion outside its valid time
    700027: _INVALID_CLIENT,  # signature of the assertion
    700211: _INVALID_CLIENT,  # no match on issuer
    700213: _INVALID_CLIENT,  # no match on subject
    700226: _INVALID_CLIENT,  # assertion is an Entra token, but no managed identity's
    700236: _INVALID_CLIENT,  # assertion comes from another tenant than the application's
    900144: _INVALID_REQUEST,  # a required parameter is missing
    1002012: _Kind(400, "invalid_scope"),
    7000112: _UNAUTHORIZED_CLIENT,  # application disabled in the tenant
    7000215: _INVALID_CLIENT,
    7000216: _INVALID_CLIENT,  # no credential sent
    7000229: _INVALID_CLIENT,  # service principal missing in the tenant
    7002121: _INVALID_CLIENT,  # no match on audience
}


class EntraError(Exception):
    """A refusal by Entra. `code` is the AADSTS number, `message` the sentence after it."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        self.status, self.error = _KINDS[code]
        super().__init__(f"AADSTS{code}: {message}")

    def document(self, now: datetime, *, trace_id: str, correlation_id: str | None) -> dict[str, Any]:
        """Build the JSON body of the answer."""
        correlation_id = correlation_id or str(uuid.uuid4())
        timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
        return {
            "error": self.error,
            "error_description": (
                f"AADSTS{self.code}: {self.message}\r\nTrace ID: {trace_id}\r\n"
                f"Correlation ID: {correlation_id}\r\nTimestamp: {timestamp}"
            ),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }


def tenant_not_found(tenant: str) -> EntraError:
    """The tenant does not exist."""
    return EntraError(
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
    )


def application_not_found(client_id: str, tenant_name: str) -> EntraError:
    """The application was never installed in the tenant."""
    return EntraError(
        700016,
        f"Application with identifier '{client_id}' was not found in the directory '{tenant_name}'. This can happen "
        "if the application has not been installed by the administrator of the tenant or consented to by any user in "
        "the tenant. You may have sent your authentication request to the wrong tenant.",
    )


def service_principal_missing(client_id: str, tenant_id: str) -> EntraError:
    """The application's service principal was removed from the tenant."""
    return EntraError(
        7000229,
        f"The client application {client_id} is missing service principal in the tenant {tenant_id}. See "
        "instructions here: https://go.microsoft.com/fwlink/?linkid=2225119",
    )


def resource_not_found(resource: str, tenant_name: str) -> EntraError:
    """The tenant knows no such resource."""
    return EntraError(
        500011,
        f"The resource principal named {resource} was not found in the tenant named {tenant_name}. This can happen "
        "if the application has not been installed by the administrator of the tenant or consented to by any user in "
        "the tenant. You might have sent your authentication request to the wrong tenant.",
    )


def parameter_missing(name: str) -> EntraError:
    """The request lacks a field."""
    return EntraError(900144, f"The request body must contain the following parameter: '{name}'.")
