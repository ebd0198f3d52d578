"""Encryption scopes of a storage account: list, get, create, update; on the account's way to a vault.

A scope has a key of its own. With a Key Vault key that key is really wrapped and unwrapped, as the account's is, and a
scope whose `keyUri` names no version is moved to the newest one once a day. The account's identities are the way to
the vault, so a scope cannot leave its key once the account lost them. Refusals beyond the account's own are guesses.
"""

import re
import secrets
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from local.resource_manager.calls import Answer, ArmCall, check_members, page
from local.resource_manager.encryption import LOOK_EVERY
from local.resource_manager.errors import ArmError, invalid_values
from local.resource_manager.key_access import KeyAccess, find_access, open_account_key, wrap_account_key
from local.resource_manager.storage_accounts import existing_account
from local.resource_manager.storage_documents import KIND
from local.timestamps import azure_timestamp
from local.world import ScopeKey, StorageAccount, World

SCOPE_KIND: Final = f"{KIND}/encryptionScopes"
_PAGE: Final = 100
_NAME: Final = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_SOURCES: Final = {"microsoft.storage": "Microsoft.Storage", "microsoft.keyvault": "Microsoft.KeyVault"}
_STATES: Final = ("Enabled", "Disabled")
_MEMBERS: Final = ("source", "state", "keyVaultProperties", "requireInfrastructureEncryption")


async def list_scopes(call: ArmCall) -> Answer:
    """GET of all."""
    account = existing_account(call, f"{SCOPE_KIND}/read")
    return Answer(200, page(call, account.encryption_scopes, _PAGE))


async def get_scope(call: ArmCall) -> Answer:
    """GET of one."""
    return Answer(200, _existing(call, existing_account(call, f"{SCOPE_KIND}/read")))


async def put_scope(call: ArmCall) -> Answer:
    """PUT: 201 for a new scope, 200 for one that exists."""
    account = existing_account(call, f"{SCOPE_KIND}/write")
    if not _NAME.fullmatch(call.parts["scope_name"]):
        raise invalid_values("encryptionScopeName")
    found = _find(call, account)
    now = azure_timestamp(call.world.clock.now())
    document = found or {
        "id": f"{account.resource_id}/encryptionScopes/{call.parts['scope_name']}",
        "name": call.parts["scope_name"],
        "type": SCOPE_KIND,
        "properties": {"source": "Microsoft.Storage", "state": "Enabled", "creationTime": now, "lastModifiedTime": now},
    }
    changed = _changed(call, account, document)
    if found is None:
        account.encryption_scopes.append(changed)
        return Answer(201, changed)
    return _replaced(account, changed)


async def patch_scope(call: ArmCall) -> Answer:
    """PATCH: 200 with the whole scope at once."""
    account = existing_account(call, f"{SCOPE_KIND}/write")
    return _replaced(account, _changed(call, account, _existing(call, account)))


def pick_up_newest_versions(world: World, account: StorageAccount) -> None:
    """What Storage does by itself once a day with the scopes that name no version."""
    for document in account.encryption_scopes:
        properties = document["properties"]
        uri = (properties.get("keyVaultProperties") or {}).get("keyUri")
        kept = account.scope_keys.get(document["name"])
        if uri is None or kept is None or _split(uri)[2] is not None:
            continue
        now = world.clock.now()
        if kept.last_version_check is not None and now - kept.last_version_check < LOOK_EVERY:
            continue
        kept.last_version_check = now
        try:
            before = kept.wrapped
            _wrap(world, account, kept, uri)
        except ArmError:
            # A key that cannot be used leaves the scope as it is; Azure says nothing about it either.
            continue
        if before is None or kept.wrapped is None or before.key_identifier != kept.wrapped.key_identifier:
            properties["keyVaultProperties"] = _describe(world, uri, kept)


def _replaced(account: StorageAccount, changed: dict[str, Any]) -> Answer:
    account.encryption_scopes = [
        changed if each["name"] == changed["name"] else each for each in account.encryption_scopes
    ]
    return Answer(200, changed)


def _changed(call: ArmCall, account: StorageAccount, document: dict[str, Any]) -> dict[str, Any]:
    requested = call.body("properties").get("properties") or {}
    check_members(requested, _MEMBERS, "EncryptionScopeProperties")
    before = document["properties"]
    source = _SOURCES.get(str(requested.get("source") or before["source"]).lower())
    state = requested.get("state") or before["state"]
    if source is None:
        raise invalid_values("source")
    if state not in _STATES:
        raise invalid_values("state")
    kept = account.scope_keys.get(document["name"]) or ScopeKey(secrets.token_bytes(32))
    after = {name: value for name, value in before.items() if name != "keyVaultProperties"}
    if source == "Microsoft.KeyVault":
        uri = _key_uri(requested, before)
        if uri != (before.get("keyVaultProperties") or {}).get("keyUri") or kept.wrapped is None:
            _leave(call.world, account, kept)
            _wrap(call.world, account, kept, uri)
            after["keyVaultProperties"] = _describe(call.world, uri, kept)
        else:
            after["keyVaultProperties"] = before["keyVaultProperties"]
    else:
        _leave(call.world, account, kept)
        kept.wrapped = None
    account.scope_keys[document["name"]] = kept
    if requested.get("requireInfrastructureEncryption"):
        after["requireInfrastructureEncryption"] = True
    changed = {**after, "source": source, "state": state}
    changed["lastModifiedTime"] = azure_timestamp(call.world.clock.now())
    return {**document, "properties": changed}


def _key_uri(requested: dict[str, Any], before: dict[str, Any]) -> str:
    properties = requested.get("keyVaultProperties") or before.get("keyVaultProperties") or {}
    if not isinstance(properties, dict) or not isinstance(properties.get("keyUri"), str):
        raise invalid_values("keyVaultProperties.keyUri")
    _split(properties["keyUri"])
    return str(properties["keyUri"])


def _wrap(world: World, account: StorageAccount, kept: ScopeKey, uri: str) -> None:
    access = _access(world, account, uri)
    _, name, version = _split(uri)
    kept.wrapped, _ = wrap_account_key(world, _as_account(account, kept), access, name, version)
    kept.last_version_check = world.clock.now()


def _leave(world: World, account: StorageAccount, kept: ScopeKey) -> None:
    """Unwrap with the key in use before it is left."""
    identity, encryption = account.document.get("identity"), account.document["properties"]["encryption"]
    open_account_key(world, _as_account(account, kept), identity, encryption.get("identity"))


def _access(world: World, account: StorageAccount, uri: str) -> KeyAccess:
    encryption = account.document["properties"]["encryption"]
    return find_access(world, account.document.get("identity"), encryption.get("identity"), uri)


def _as_account(account: StorageAccount, kept: ScopeKey) -> StorageAccount:
    """The scope's key in the place of the account's: both are wrapped alike."""
    return replace(account, account_key=kept.key, wrapped_key=kept.wrapped)


def _describe(world: World, uri: str, kept: ScopeKey) -> dict[str, Any]:
    return {
        "keyUri": uri,
        "currentVersionedKeyIdentifier": "" if kept.wrapped is None else kept.wrapped.key_identifier,
        "lastKeyRotationTimestamp": azure_timestamp(world.clock.now()),
    }


def _split(uri: str) -> tuple[str, str, str | None]:
    """Vault host, key name, and the version where one is named."""
    parts = urlsplit(uri)
    match parts.path.rstrip("/").split("/"):
        case ["", "keys", name] if parts.scheme == "https" and name:
            return parts.hostname or "", name, None
        case ["", "keys", name, version] if parts.scheme == "https" and name and version:
            return parts.hostname or "", name, version
    raise invalid_values("keyVaultProperties.keyUri")


def _find(call: ArmCall, account: StorageAccount) -> dict[str, Any] | None:
    wanted = call.parts["scope_name"].casefold()
    return next((each for each in account.encryption_scopes if each["name"].casefold() == wanted), None)


def _existing(call: ArmCall, account: StorageAccount) -> dict[str, Any]:
    found = _find(call, account)
    if found is None:
        raise ArmError(404, "EncryptionScopeNotFound", "The specified encryption scope does not exist.")
    return found
