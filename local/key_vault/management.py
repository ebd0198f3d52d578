"""Changes to keys: create a version, update, rotate, delete, recover, purge, set the rotation policy.

Pure over the world but for the private key, which the caller brings (see `key_pool`). Used by the vault's service, by
the background lifecycle and by whoever seeds a world. Every new version raises its Event Grid event.
"""

import re
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.event_grid.events import KEY_NEW_VERSION_CREATED, raise_key_event
from local.key_vault.durations import add_duration
from local.key_vault.errors import (
    bad_parameter,
    deleted_but_recoverable,
    deleted_key_not_found,
    forbidden,
)
from local.key_vault.operations import find_key
from local.world import KeyVersion, Vault, VaultKey, World

RSA_OPERATIONS: Final = ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")
EC_OPERATIONS: Final = ("sign", "verify")
_NAME: Final = re.compile(r"[0-9a-zA-Z-]{1,127}")


@dataclass
class VersionSpec:
    """What a caller asks of a new version. Times are Unix seconds."""

    kty: str = "RSA"
    key_ops: list[str] = field(default_factory=list)
    enabled: bool = True
    nbf: int | None = None
    exp: int | None = None
    tags: dict[str, str] = field(default_factory=dict)


def check_name_is_free(vault: Vault, name: str) -> None:
    """Raise 400 for a malformed name, 409 for the name of a soft-deleted key."""
    if not _NAME.fullmatch(name):
        raise bad_parameter(
            f"The request URI contains an invalid name: {name}. Names must match the pattern '^[0-9a-zA-Z-]+$'."
        )
    if any(deleted.lower() == name.lower() for deleted in vault.deleted_keys):
        raise deleted_but_recoverable(name)


def create_version(
    world: World, vault: Vault, name: str, private_key: RSAPrivateKey | EllipticCurvePrivateKey, spec: VersionSpec
) -> tuple[VaultKey, KeyVersion]:
    """Add a version, and the key itself if it is new; raises the event."""
    check_name_is_free(vault, name)
    default = RSA_OPERATIONS if isinstance(private_key, RSAPrivateKey) else EC_OPERATIONS
    now = int(world.clock.time())
    version = KeyVersion(
        version=uuid.uuid4().hex,
        private_key=private_key,
        kty=spec.kty,
        key_ops=spec.key_ops or list(default),
        created=now,
        updated=now,
        enabled=spec.enabled,
        nbf=spec.nbf,
        exp=spec.exp,
        tags=dict(spec.tags),
    )
    known = next((key for key in vault.keys.values() if key.name.lower() == name.lower()), None)
    key = known or vault.keys.setdefault(name, VaultKey(name))
    if spec.exp is None and key.rotation_policy:
        version.exp = _policy_expiry(key.rotation_policy, now)
    key.versions.append(version)
    raise_key_event(world, vault, KEY_NEW_VERSION_CREATED, key.name, version)
    return key, version


def rotate(
    world: World, vault: Vault, name: str, private_key: RSAPrivateKey | EllipticCurvePrivateKey
) -> tuple[VaultKey, KeyVersion]:
    """Add a version like the newest. Its expiry comes from the rotation policy; tags are not carried over."""
    newest = find_key(vault, name).versions[-1]
    return create_version(world, vault, name, private_key, VersionSpec(kty=newest.kty, key_ops=list(newest.key_ops)))


def update_version(world: World, version: KeyVersion, changes: dict[str, Any]) -> None:
    """Apply the members of an update that are present; null tags or times clear nothing, as in Azure."""
    attributes = changes.get("attributes") or {}
    for member in ("enabled", "nbf", "exp"):
        if attributes.get(member) is not None:
            setattr(version, member, attributes[member])
    if changes.get("key_ops") is not None:
        version.key_ops = list(changes["key_ops"])
    if changes.get("tags") is not None:
        version.tags = dict(changes["tags"])
    if attributes.get("exp") is not None:
        # A new date is announced anew when it comes near.
        version.near_expiry_raised = version.expired_raised = False
    version.updated = int(world.clock.time())


def delete_key(world: World, vault: Vault, name: str) -> VaultKey:
    """Soft-delete a key with all its versions; without soft delete it is gone at once."""
    key = find_key(vault, name)
    del vault.keys[next(entry for entry, each in vault.keys.items() if each is key)]
    key.deleted_at = world.clock.now()
    key.scheduled_purge_at = key.deleted_at + timedelta(days=vault.soft_delete_days)
    if vault.soft_delete_days:
        vault.deleted_keys[key.name] = key
    return key


def find_deleted(vault: Vault, name: str) -> VaultKey:
    """Find a soft-deleted key; raises 404."""
    for key in vault.deleted_keys.values():
        if key.name.lower() == name.lower():
            return key
    raise deleted_key_not_found(name)


def recover_key(vault: Vault, name: str) -> VaultKey:
    """Bring a soft-deleted key back with all its versions."""
    key = find_deleted(vault, name)
    del vault.deleted_keys[key.name]
    key.deleted_at = key.scheduled_purge_at = None
    vault.keys[key.name] = key
    return key


def purge_key(vault: Vault, name: str) -> None:
    """Remove a soft-deleted key for good; refused under purge protection."""
    key = find_deleted(vault, name)
    if vault.purge_protection:
        raise forbidden(
            None,
            'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service '
            "will automatically purge it after the retention period has passed.\r\n"
            f"Vault: {vault.name};location={vault.location}",
        )
    del vault.deleted_keys[key.name]


def set_rotation_policy(world: World, vault: Vault, name: str, policy: dict[str, Any]) -> VaultKey:
    """Set the policy; Azure adds the notification that it always sends."""
    key = find_key(vault, name)
    actions = [
        {"trigger": dict(each["trigger"]), "action": {"type": each["action"]["type"].capitalize()}}
        for each in policy.get("lifetimeActions") or []
    ]
    if not any(each["action"]["type"] == "Notify" for each in actions):
        actions.append({"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}})
    now = int(world.clock.time())
    created = ((key.rotation_policy or {}).get("attributes") or {}).get("created", now)
    attributes = {"created": created, "updated": now}
    expiry = (policy.get("attributes") or {}).get("expiryTime")
    key.rotation_policy = {
        "lifetimeActions": actions,
        "attributes": {"expiryTime": expiry, **attributes} if expiry else attributes,
    }
    return key


def _policy_expiry(policy: dict[str, Any], now: int) -> int | None:
    expiry = policy["attributes"].get("expiryTime")
    return add_duration(now, expiry) if expiry else None
