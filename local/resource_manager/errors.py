"""Refusals of Resource Manager and of the Storage resource provider: status, code and text.

Errors that Resource Manager makes itself carry `x-ms-failure-cause: gateway`; a provider's own do not. Texts follow
recorded answers. The codes of Storage for a key it cannot use are known only in part: `KeyVaultPolicyError` is
recorded, the text of `KeyVaultAuthenticationFailure` is reported, the other codes below are the local Azure's guess.
"""

from typing import Any

from local.entra.tokens import Claims


class ArmError(Exception):
    """A refusal. `gateway` is true for Resource Manager's own."""

    def __init__(
        self, status: int, code: str, message: str, *, gateway: bool = False, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.gateway = gateway
        self.headers = headers or {}

    def document(self) -> dict[str, Any]:
        """Build the JSON body."""
        return {"error": {"code": self.code, "message": self.message}}


def authentication_failed(code: str, message: str) -> ArmError:
    """401 with the challenge that names no tenant."""
    challenge = (
        'Bearer authorization_uri="https://login.microsoftonline.com/", error="invalid_token", '
        f'error_description="{message}"'
    )
    return ArmError(401, code, message, gateway=True, headers={"WWW-Authenticate": challenge})


def authorization_failed(claims: Claims, action: str, scope: str) -> ArmError:
    """403: no role assignment allows the action at the scope."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{claims.application_id}' with object id '{claims.object_id}' does not have authorization to "
        f"perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials.",
        gateway=True,
    )


def linked_authorization_failed(claims: Claims, action: str, scope: str, linked_action: str, linked: str) -> ArmError:
    """403: the action is allowed, but not what it does to another resource."""
    return ArmError(
        403,
        "LinkedAuthorizationFailed",
        f"The client '{claims.application_id}' with object id '{claims.object_id}' has permission to perform action "
        f"'{action}' on scope '{scope}'; however, it does not have permission to perform action(s) '{linked_action}' "
        f"on the linked scope(s) '{linked}' (respectively) or the linked scope(s) are invalid.",
        gateway=True,
    )


def subscription_not_found(subscription: str) -> ArmError:
    """404 for a subscription that no tenant has."""
    return ArmError(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.", gateway=True)


def group_not_found(group: str) -> ArmError:
    """404 for a resource group."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.", gateway=True)


def resource_not_found(kind: str, name: str, group: str) -> ArmError:
    """404 for a resource in a group that exists."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
        gateway=True,
    )


def invalid_content(message: str) -> ArmError:
    """400 for a body that does not fit the provider's contract."""
    return ArmError(
        400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{message}'."
    )


def invalid_values(parameter: str) -> ArmError:
    """400 of Storage, naming the member."""
    return ArmError(
        400, "InvalidValuesForRequestParameters", f"Values for request parameters are invalid: {parameter}."
    )


def identity_not_set() -> ArmError:
    """400: the account has not the identity with which it shall reach the vault. The code is a guess."""
    return ArmError(400, "MissingMsiHeaders", "Managed Service Identity (MSI) is not set for this account.")


def key_vault_authentication_failure() -> ArmError:
    """400, a catch-all: role, firewall, tenant, disabled or expired key."""
    return ArmError(
        400,
        "KeyVaultAuthenticationFailure",
        "The operation failed because of authentication issue on the keyvault.",
    )


def token_not_acquired(reason: str) -> ArmError:
    """400: Entra gave the account no token for the vault. Code: a guess; text before the colon: reported."""
    return ArmError(
        400, "KeyVaultAccessTokenCannotBeAcquired", f"Failure in AAD Client Credentials Grant Flow: {reason}"
    )
