"""How a storage account reaches a customer's key: identity, token, and the vault's own rules.

Across tenants the way leads through a managed identity, its assertion and the multitenant application; within one
tenant the identity goes itself. Azure Storage is a trusted service, so a vault's firewall lets it pass where the
bypass is on. Everything a vault refuses turns into the few codes that Storage shows.
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.entra.errors import EntraError
from local.entra.federation import federated_token, find_identity
from local.entra.tokens import Claims
from local.key_vault import operations
from local.key_vault.errors import KeyVaultError
from local.names import VAULT_RESOURCE
from local.resource_manager.errors import (
    ArmError,
    identity_not_set,
    invalid_values,
    key_vault_authentication_failure,
    token_not_acquired,
)
from local.world import KeyVersion, StorageAccount, Vault, VaultKey, World, WrappedAccountKey

_ALGORITHM: Final = "RSA-OAEP"


@dataclass(frozen=True)
class KeyAccess:
    """A vault, and the caller as which the account comes to it."""

    vault: Vault
    claims: Claims


def find_access(
    world: World, identity: dict[str, Any] | None, encryption_identity: dict[str, Any] | None, vault_uri: str
) -> KeyAccess:
    """Walk from the account's identity to a token for the vault; raises what Storage answers where the way ends."""
    host = urlsplit(vault_uri).hostname or ""
    vault = operations.find_vault(world, host)
    wanted = (encryption_identity or {}).get("userAssignedIdentity")
    application = (encryption_identity or {}).get("federatedIdentityClientId")
    if application and not wanted:
        # Federation needs a user-assigned identity.
        raise invalid_values("encryption.identity.userAssignedIdentity")
    attached = (identity or {}).get("userAssignedIdentities") or {}
    if wanted and not any(each.casefold() == wanted.casefold() for each in attached):
        raise identity_not_set()
    own = None if application else _identity_claims(world, wanted) if wanted else _system_claims(identity)
    if vault is None:
        raise ArmError(400, "KeyVaultVaultNotFound", f"The remote name could not be resolved: '{host}'.")
    return KeyAccess(vault, own or _federated_claims(world, wanted or "", application or "", vault))


def wrap_account_key(
    world: World, account: StorageAccount, access: KeyAccess, key_name: str, version: str | None
) -> tuple[WrappedAccountKey, KeyVersion]:
    """Wrap the account's key with a version (the newest for None) and prove that it unwraps again."""
    try:
        key, used = _read_key(world, access, key_name, version)
        operations.authorise(
            world, access.vault, access.claims, operations.WRAP, key_name=key.name, trusted_service=True
        )
        identifier, wrapped = operations.wrap(
            world, access.vault, key.name, used.version, algorithm=_ALGORITHM, plain=account.account_key
        )
        candidate = WrappedAccountKey(identifier, wrapped)
        _unwrap(world, account, access, candidate)
    except KeyVaultError as error:
        raise _translate(error) from error
    return candidate, used


def check_account_key(world: World, account: StorageAccount, access: KeyAccess) -> None:
    """Prove that the account's key still unwraps with the version in use."""
    if account.wrapped_key is None:
        return
    try:
        _, name, version = _split(account.wrapped_key.key_identifier)
        _read_key(world, access, name, version)
        _unwrap(world, account, access, account.wrapped_key)
    except KeyVaultError as error:
        raise _translate(error) from error


def open_account_key(
    world: World, account: StorageAccount, identity: dict[str, Any] | None, encryption_identity: dict[str, Any] | None
) -> None:
    """Unwrap the account's key before the key in use is left; a key that is gone is 404, naming its old address."""
    if account.wrapped_key is None:
        return
    identifier = account.wrapped_key.key_identifier
    gone = ArmError(
        404,
        "HttpResourceNotFound",
        f"The request url {identifier}?api-version=2016-10-01 is not found.",
    )
    try:
        access = find_access(world, identity, encryption_identity, identifier)
        _unwrap(world, account, access, account.wrapped_key)
    except KeyVaultError as error:
        raise (gone if error.status == 404 else _translate(error)) from error
    except ArmError as error:
        raise (gone if error.code == "KeyVaultVaultNotFound" else error) from error


def _unwrap(world: World, account: StorageAccount, access: KeyAccess, wrapped: WrappedAccountKey) -> None:
    _, name, version = _split(wrapped.key_identifier)
    operations.authorise(world, access.vault, access.claims, operations.UNWRAP, key_name=name, trusted_service=True)
    _, plain = operations.unwrap(access.vault, name, version, algorithm=_ALGORITHM, wrapped=wrapped.wrapped)
    if plain != account.account_key:
        raise KeyVaultError(400, "BadParameter", None, "The account key did not survive being wrapped.")


def _read_key(world: World, access: KeyAccess, name: str, version: str | None) -> tuple[VaultKey, KeyVersion]:
    operations.authorise(world, access.vault, access.claims, operations.GET, key_name=name, trusted_service=True)
    key, used = operations.get_key(access.vault, name, version)
    if "Purgeable" in operations.recovery_level(access.vault):
        raise ArmError(400, "KeyVaultPolicyError", "Keyvault policy recoverable is not set")
    if not isinstance(used.private_key, RSAPrivateKey):
        raise invalid_values("encryption.keyvaultproperties.keyname")
    return key, used


def _federated_claims(world: World, identity_id: str, application: str, vault: Vault) -> Claims:
    try:
        return federated_token(
            world,
            identity_resource_id=identity_id,
            application_client_id=application,
            tenant_id=vault.tenant_id,
            resource=VAULT_RESOURCE,
        )
    except EntraError as error:
        raise token_not_acquired(str(error)) from error


def _system_claims(identity: dict[str, Any] | None) -> Claims:
    principal = (identity or {}).get("principalId")
    if not principal:
        raise identity_not_set()
    return _claims((identity or {})["tenantId"], principal, principal)


def _identity_claims(world: World, resource_id: str) -> Claims:
    found = find_identity(world, resource_id)
    if found is None:
        raise identity_not_set()
    return _claims(found.tenant_id, found.principal_id, found.client_id)


def _claims(tenant_id: str, object_id: str, client_id: str) -> Claims:
    return Claims(iss=f"https://sts.windows.net/{tenant_id}/", tid=tenant_id, oid=object_id, appid=client_id)


def _split(identifier: str) -> tuple[str, str, str]:
    """Vault host, key name and version of an identifier that the vault gave out itself."""
    parts = urlsplit(identifier)
    _, _, name, version = parts.path.split("/")
    return parts.hostname or "", name, version


def _translate(error: KeyVaultError) -> ArmError:
    if error.status == 404:
        return ArmError(400, "KeyVaultEncryptionKeyNotFound", error.message)
    if error.status in {401, 403}:
        return key_vault_authentication_failure()
    return ArmError(400, "KeyVaultOperationFailed", error.message)
