"""Key Vault's refusals: HTTP status, code and inner code, with the texts that Azure sends.

`KeyVaultError` is raised by the rules and answered by the service; Resource Manager reads `status` and `inner_code`
when an account's own access to a key fails. Texts follow recorded or reported answers where there are any.
"""

from typing import Any, Final

from local.entra.tokens import Claims
from local.world import Vault

_RECOVERY_HINT: Final = (
    "If you recently deleted this key you may be able to recover it using the correct recovery command. For help "
    "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
)


class KeyVaultError(Exception):
    """A refusal by a vault."""

    def __init__(self, status: int, code: str, inner_code: str | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.inner_code = inner_code
        self.message = message

    def document(self) -> dict[str, Any]:
        """Build the JSON body; `innererror` is spelt in lower case and left out where there is none."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.inner_code is not None:
            error["innererror"] = {"code": self.inner_code}
        return {"error": error}


def unauthorized(message: str) -> KeyVaultError:
    """401; the service adds the challenge."""
    return KeyVaultError(401, "Unauthorized", None, message)


def bad_parameter(message: str) -> KeyVaultError:
    """400 for anything malformed in the request."""
    return KeyVaultError(400, "BadParameter", None, message)


def forbidden(inner_code: str | None, message: str) -> KeyVaultError:
    """403; the reason is the inner code."""
    return KeyVaultError(403, "Forbidden", inner_code, message)


def key_not_found(identifier: str) -> KeyVaultError:
    """`identifier` is the name, or `name/version`."""
    message = f"A key with (name/id) {identifier} was not found in this key vault. {_RECOVERY_HINT}"
    return KeyVaultError(404, "KeyNotFound", None, message)


def deleted_key_not_found(name: str) -> KeyVaultError:
    """404 under `/deletedkeys`."""
    return KeyVaultError(404, "KeyNotFound", None, f"Deleted Key not found: {name}")


def deleted_but_recoverable(name: str) -> KeyVaultError:
    """409 for a name that a soft-deleted key still holds."""
    return KeyVaultError(
        409,
        "Conflict",
        "ObjectIsDeletedButRecoverable",
        f"Key {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, "
        "the key can only be recovered or purged.",
    )


def describe_caller(claims: Claims) -> str:
    """Describe the caller as the texts of refusals do."""
    return f"appid={claims.application_id};oid={claims.object_id};iss={claims.issuer}"


def refused_by_firewall(vault: Vault, claims: Claims, address: str) -> KeyVaultError:
    """The text tells whether trusted services are let past the firewall."""
    if vault.firewall.bypass == "None":
        reason = "Client address is not authorized and caller was ignored because bypass is set to None."
    else:
        reason = "Client address is not authorized and caller is not a trusted service."
    return forbidden(
        "ForbiddenByFirewall",
        f"{reason}\r\nClient address: {address}\r\nCaller: {describe_caller(claims)}\r\n"
        f"Vault: {vault.name};location={vault.location}",
    )


def refused_by_rbac(vault: Vault, claims: Claims, action: str, scope: str) -> KeyVaultError:
    """403 where no role assignment allows the action."""
    return forbidden(
        "ForbiddenByRbac",
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
        "definitions were changed recently, please observe propagation time.\r\n"
        f"Caller: {describe_caller(claims)}\r\nAction: '{action}'\r\nResource: '{scope.lower()}'\r\n"
        f"Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\n"
        f"Vault: {vault.name};location={vault.location}\r\n",
    )


def refused_by_policy(vault: Vault, claims: Claims, permission: str, inner_code: str) -> KeyVaultError:
    """403 where no access policy gives the permission."""
    return forbidden(
        inner_code,
        f"The user, group or application '{describe_caller(claims)}' does not have keys {permission} permission on "
        f"key vault '{vault.name};location={vault.location}'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287",
    )


def throttled() -> KeyVaultError:
    """429; reported without a Retry-After header."""
    return KeyVaultError(
        429,
        "Throttled",
        None,
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
    )
