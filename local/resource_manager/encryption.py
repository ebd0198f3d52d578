"""The encryption block of a storage account: what a request makes of it, with the key really used.

Whoever changes or leaves a key must still be able to unwrap with the one in use. Repeating the settings in force
only proves access; it moves to a newer version only where the world says so (`versionless_patch_looks_up`).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from local.resource_manager.errors import ArmError, invalid_content, invalid_values
from local.resource_manager.key_access import (
    KeyAccess,
    check_account_key,
    find_access,
    open_account_key,
    wrap_account_key,
)
from local.timestamps import azure_timestamp, azure_timestamp_of
from local.world import KeyVersion, StorageAccount, World

_MEMBERS: Final = {"services", "keySource", "requireInfrastructureEncryption", "keyvaultproperties", "identity"}
_READ_ONLY: Final = {
    "currentVersionedKeyIdentifier",
    "lastKeyRotationTimestamp",
    "currentVersionedKeyExpirationTimestamp",
}
_KEY_MEMBERS: Final = {"keyname", "keyversion", "keyvaulturi"} | _READ_ONLY
_IDENTITY_MEMBERS: Final = {"userAssignedIdentity", "federatedIdentityClientId"}
LOOK_EVERY: Final = timedelta(hours=24)


@dataclass(frozen=True)
class _Settings:
    """Which key, and whether a version is pinned; compares without case."""

    vault_host: str
    key_name: str
    pinned: str | None

    @staticmethod
    def of(properties: dict[str, Any]) -> "_Settings":
        host = (urlsplit(properties["keyvaulturi"]).hostname or "").lower()
        return _Settings(host, properties["keyname"].lower(), (properties.get("keyversion") or "").lower() or None)

    def is_same_key(self, other: "_Settings") -> bool:
        return (self.vault_host, self.key_name) == (other.vault_host, other.key_name)


def change_encryption(
    world: World,
    account: StorageAccount,
    requested: dict[str, Any],
    *,
    identity_before: dict[str, Any] | None,
    identity_after: dict[str, Any] | None,
) -> dict[str, Any]:
    """Work out the encryption block after a request, and wrap the account's key accordingly."""
    _check_members(requested)
    current: dict[str, Any] = account.document["properties"]["encryption"]
    source = str(requested.get("keySource") or current["keySource"]).lower()
    common: dict[str, Any] = {"services": _change_services(world, current["services"], requested.get("services") or {})}
    if current.get("requireInfrastructureEncryption"):
        common["requireInfrastructureEncryption"] = True
    if source == "microsoft.storage":
        _leave(world, account, identity_before, identity_after)
        account.wrapped_key = None
        return {**common, "keySource": "Microsoft.Storage"}
    if source != "microsoft.keyvault":
        raise invalid_values("encryption.keySource")
    before = current.get("keyvaultproperties")
    wanted = _wanted_properties(requested.get("keyvaultproperties"), before)
    encryption_identity = _clean(requested["identity"] if "identity" in requested else current.get("identity"))
    access = find_access(world, identity_after, encryption_identity, wanted["keyvaulturi"])
    if before is not None and _Settings.of(wanted) == _Settings.of(before):
        properties = _repeat(world, account, access, before, wanted)
    else:
        if before is not None:
            _leave(world, account, identity_before, identity_after)
        properties = _wrap(world, account, access, wanted)
    block: dict[str, Any] = {"identity": encryption_identity} if encryption_identity else {}
    return {**block, "keyvaultproperties": properties, **common, "keySource": "Microsoft.Keyvault"}


def pick_up_newest_version(world: World, account: StorageAccount) -> None:
    """What Storage does by itself once a day: move an account without a pinned version to the newest one.

    A key that cannot be used leaves the account as it is; Azure says nothing about it either.
    """
    encryption = account.document["properties"]["encryption"]
    properties = encryption.get("keyvaultproperties")
    now = world.clock.now()
    if properties is None or _Settings.of(properties).pinned is not None:
        return
    if account.last_version_check is not None and now - account.last_version_check < LOOK_EVERY:
        return
    account.last_version_check = now
    try:
        access = find_access(
            world, account.document.get("identity"), encryption.get("identity"), properties["keyvaulturi"]
        )
        encryption["keyvaultproperties"] = _move_to_newest(world, account, access, properties)
    except ArmError:
        return


def _wrap(world: World, account: StorageAccount, access: KeyAccess, wanted: dict[str, Any]) -> dict[str, Any]:
    pinned = _Settings.of(wanted).pinned
    account.wrapped_key, version = wrap_account_key(world, account, access, wanted["keyname"], pinned)
    account.last_version_check = world.clock.now()
    return _describe(world, wanted, account.wrapped_key.key_identifier, version)


def _repeat(
    world: World, account: StorageAccount, access: KeyAccess, before: dict[str, Any], wanted: dict[str, Any]
) -> dict[str, Any]:
    check_account_key(world, account, access)
    kept = {**{name: before[name] for name in before if name in _READ_ONLY}, **wanted}
    if world.versionless_patch_looks_up and _Settings.of(wanted).pinned is None:
        return _move_to_newest(world, account, access, kept)
    return kept


def _move_to_newest(
    world: World, account: StorageAccount, access: KeyAccess, properties: dict[str, Any]
) -> dict[str, Any]:
    wrapped, version = wrap_account_key(world, account, access, properties["keyname"], None)
    if account.wrapped_key is not None and account.wrapped_key.key_identifier == wrapped.key_identifier:
        return properties
    check_account_key(world, account, access)
    account.wrapped_key = wrapped
    account.last_version_check = world.clock.now()
    return _describe(world, properties, wrapped.key_identifier, version)


def _leave(
    world: World,
    account: StorageAccount,
    identity_before: dict[str, Any] | None,
    identity_after: dict[str, Any] | None,
) -> None:
    """Unwrap with the key in use, by the identity of before or, where that is lost, by the new one."""
    encryption_identity = account.document["properties"]["encryption"].get("identity")
    try:
        open_account_key(world, account, identity_before, encryption_identity)
    except ArmError as error:
        if error.code == "HttpResourceNotFound" or identity_before == identity_after:
            raise
        open_account_key(world, account, identity_after, encryption_identity)


def _describe(world: World, wanted: dict[str, Any], identifier: str, version: KeyVersion) -> dict[str, Any]:
    # Azure writes the epoch where a version has no expiry.
    return {
        "currentVersionedKeyIdentifier": identifier,
        "lastKeyRotationTimestamp": azure_timestamp(world.clock.now()),
        "currentVersionedKeyExpirationTimestamp": azure_timestamp_of(version.exp or 0),
        **{name: value for name, value in wanted.items() if name not in _READ_ONLY},
    }


def _wanted_properties(requested: Any, before: dict[str, Any] | None) -> dict[str, Any]:
    if requested is None:
        requested = {name: value for name, value in (before or {}).items() if name not in _READ_ONLY}
    for member in ("keyname", "keyvaulturi"):
        if not isinstance(requested.get(member), str) or not requested[member]:
            raise invalid_values(f"encryption.keyvaultproperties.{member}")
    uri = urlsplit(requested["keyvaulturi"])
    if uri.scheme != "https" or not uri.hostname or uri.path.strip("/"):
        raise invalid_values("encryption.keyvaultproperties.keyvaulturi")
    wanted = {name: requested[name] for name in ("keyvaulturi", "keyname")}
    if requested.get("keyversion") is not None:
        wanted["keyversion"] = requested["keyversion"]
    elif before and before.get("keyversion") and _Settings.of(wanted).is_same_key(_Settings.of(before)):
        # A version that was pinned stays pinned when the member is left out; only "" unpins it.
        wanted["keyversion"] = before["keyversion"]
    return wanted


def _change_services(world: World, current: dict[str, Any], requested: dict[str, Any]) -> dict[str, Any]:
    services = {name: dict(each) for name, each in current.items()}
    for name, wanted in requested.items():
        if name not in {"blob", "file", "queue", "table"} or not isinstance(wanted, dict):
            raise invalid_values(f"encryption.services.{name}")
        key_type = wanted.get("keyType")
        known = services.get(name)
        default = known["keyType"] if known else "Service"
        if key_type not in {None, default}:
            # Only the creation of an account chooses what its queues and tables are encrypted with.
            raise invalid_values(f"encryption.services.{name}.keyType")
        if known is None and name in {"blob", "file"}:
            services[name] = {
                "keyType": "Account",
                "enabled": True,
                "lastEnabledTime": azure_timestamp(world.clock.now()),
            }
    return services


def _clean(identity: Any) -> dict[str, Any] | None:
    """The encryption identity as the account keeps it: empty members mean that there is none."""
    return {name: value for name, value in (identity or {}).items() if value} or None


def _check_members(requested: dict[str, Any]) -> None:
    for value, known, kind in (
        (requested, _MEMBERS, "Encryption"),
        (requested.get("keyvaultproperties") or {}, _KEY_MEMBERS, "KeyVaultProperties"),
        (requested.get("identity") or {}, _IDENTITY_MEMBERS, "EncryptionIdentity"),
    ):
        if not isinstance(value, dict):
            raise invalid_content(f"Error converting value to type '{kind}'")
        unknown = sorted(set(value) - known)
        if unknown:
            raise invalid_content(f"Could not find member '{unknown[0]}' on object of type '{kind}'")
