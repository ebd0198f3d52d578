"""The operations of Resource Manager that are imitated, with the api-versions of each provider."""

import re
from dataclasses import dataclass
from typing import Final

from local.resource_manager import (
    encryption_scopes,
    event_subscriptions,
    managed_identities,
    role_assignments,
    storage_accounts,
    vaults,
)
from local.resource_manager.calls import Handler

_STORAGE_VERSIONS: Final = (
    "2021-09-01",
    "2022-05-01",
    "2022-09-01",
    "2023-01-01",
    "2023-04-01",
    "2023-05-01",
    "2024-01-01",
    "2025-01-01",
    "2025-06-01",
    "2025-08-01",
    "2026-04-01",
    "2026-06-01",
    "2026-09-01",
)
_VAULT_VERSIONS: Final = (
    "2021-10-01",
    "2022-07-01",
    "2023-02-01",
    "2023-07-01",
    "2024-11-01",
    "2025-05-01",
    "2026-02-01",
)
_AUTHORIZATION_VERSIONS: Final = ("2020-04-01-preview", "2022-04-01")
_EVENT_GRID_VERSIONS: Final = ("2021-12-01", "2022-06-15", "2025-02-15")
_IDENTITY_VERSIONS: Final = ("2018-11-30", "2023-01-31", "2024-11-30")

_SUBSCRIPTION: Final = r"/subscriptions/(?P<subscription>[^/]+)"
_GROUP: Final = rf"{_SUBSCRIPTION}/resourceGroups/(?P<group>[^/]+)"
_NAME: Final = r"(?P<name>[^/]+)"
_STORAGE: Final = r"/providers/Microsoft\.Storage"
_VAULT: Final = rf"{_GROUP}/providers/Microsoft\.KeyVault/vaults"
_EVENTS: Final = rf"{_VAULT}/(?P<vault>[^/]+)/providers/Microsoft\.EventGrid/eventSubscriptions"
_ROLES: Final = rf"(?P<scope>{_SUBSCRIPTION}(?:/.+)?)/providers/Microsoft\.Authorization/roleAssignments"
_IDENTITY: Final = rf"{_GROUP}/providers/Microsoft\.ManagedIdentity/userAssignedIdentities"


@dataclass(frozen=True)
class Route:
    """One operation. `versions` are the api-versions under which its provider offers it."""

    method: str
    path: re.Pattern[str]
    operation: str
    handler: Handler
    kind: str
    versions: tuple[str, ...]


def _storage(method: str, path: str, operation: str, handler: Handler) -> Route:
    return _route(method, path, operation, handler, "storageAccounts", _STORAGE_VERSIONS)


def _route(method: str, path: str, operation: str, handler: Handler, kind: str, versions: tuple[str, ...]) -> Route:  # noqa: PLR0917  rows of a table
    return Route(method, re.compile(path, re.IGNORECASE), operation, handler, kind, versions)


_ACCOUNTS: Final = rf"{_GROUP}{_STORAGE}/storageAccounts"
_SCOPE: Final = rf"{_ACCOUNTS}/{_NAME}/encryptionScopes/(?P<scope_name>[^/]+)"

ROUTES: Final = (
    _storage("GET", rf"{_ACCOUNTS}/{_NAME}", "StorageAccounts.GetProperties", storage_accounts.get_account),
    _storage("PATCH", rf"{_ACCOUNTS}/{_NAME}", "StorageAccounts.Update", storage_accounts.update_account),
    _storage("PUT", rf"{_ACCOUNTS}/{_NAME}", "StorageAccounts.Create", storage_accounts.create_account),
    _storage("DELETE", rf"{_ACCOUNTS}/{_NAME}", "StorageAccounts.Delete", storage_accounts.delete_account),
    _storage("GET", _ACCOUNTS, "StorageAccounts.ListByResourceGroup", storage_accounts.list_accounts_of_group),
    _storage(
        "GET", rf"{_SUBSCRIPTION}{_STORAGE}/storageAccounts", "StorageAccounts.List", storage_accounts.list_accounts
    ),
    _storage("GET", rf"{_ACCOUNTS}/{_NAME}/encryptionScopes", "EncryptionScopes.List", encryption_scopes.list_scopes),
    _storage("GET", _SCOPE, "EncryptionScopes.Get", encryption_scopes.get_scope),
    _storage("PUT", _SCOPE, "EncryptionScopes.Put", encryption_scopes.put_scope),
    _storage("PATCH", _SCOPE, "EncryptionScopes.Patch", encryption_scopes.patch_scope),
    _storage(
        "GET",
        rf"{_SUBSCRIPTION}{_STORAGE}/locations/(?P<location>[^/]+)/asyncoperations/(?P<operation>[^/]+)",
        "StorageAccounts.GetOperation",
        storage_accounts.poll_creation,
    ),
    _route("GET", rf"{_VAULT}/{_NAME}", "Vaults.Get", vaults.get_vault, "vaults", _VAULT_VERSIONS),
    _route("PATCH", rf"{_VAULT}/{_NAME}", "Vaults.Update", vaults.update_vault, "vaults", _VAULT_VERSIONS),
    *(
        _route(method, path, operation, handler, "eventSubscriptions", _EVENT_GRID_VERSIONS)
        for method, path, operation, handler in (
            ("PUT", rf"{_EVENTS}/{_NAME}", "EventSubscriptions.CreateOrUpdate", event_subscriptions.put_subscription),
            ("GET", rf"{_EVENTS}/{_NAME}", "EventSubscriptions.Get", event_subscriptions.get_subscription),
            ("DELETE", rf"{_EVENTS}/{_NAME}", "EventSubscriptions.Delete", event_subscriptions.delete_subscription),
            ("GET", _EVENTS, "EventSubscriptions.List", event_subscriptions.list_subscriptions),
            (
                "GET",
                rf"{_SUBSCRIPTION}/providers/Microsoft\.EventGrid/locations/[^/]+/operationsStatus/(?P<operation>[^/]+)",
                "EventSubscriptions.GetOperation",
                event_subscriptions.get_operation,
            ),
        )
    ),
    *(
        _route(method, path, operation, handler, "roleAssignments", _AUTHORIZATION_VERSIONS)
        for method, path, operation, handler in (
            ("PUT", rf"{_ROLES}/{_NAME}", "RoleAssignments.Create", role_assignments.put_assignment),
            ("GET", rf"{_ROLES}/{_NAME}", "RoleAssignments.Get", role_assignments.get_assignment),
            ("DELETE", rf"{_ROLES}/{_NAME}", "RoleAssignments.Delete", role_assignments.delete_assignment),
            ("GET", _ROLES, "RoleAssignments.ListForScope", role_assignments.list_assignments),
        )
    ),
    _route(
        "GET",
        rf"{_IDENTITY}/{_NAME}",
        "UserAssignedIdentities.Get",
        managed_identities.get_identity,
        "userAssignedIdentities",
        _IDENTITY_VERSIONS,
    ),
)
