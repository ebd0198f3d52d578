"""The JSON documents of the data plane: key bundles, list items, deleted keys, rotation policies.

Member names and their order are those of recorded answers; members that Azure leaves out are left out here.
"""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.key_vault.crypto import public_members
from local.key_vault.operations import key_identifier, recovery_level, vault_uri
from local.world import KeyVersion, Vault, VaultKey

_WITHOUT_EXPORTABLE = frozenset({"7.0", "7.1", "7.2", "7.3"})
_WITHOUT_PLATFORM = _WITHOUT_EXPORTABLE | {"7.4"}


def attributes(vault: Vault, version: KeyVersion, api_version: str) -> dict[str, Any]:
    """The `attributes` member; times are Unix seconds and absent when not set."""
    document: dict[str, Any] = {"enabled": version.enabled}
    if version.nbf is not None:
        document["nbf"] = version.nbf
    if version.exp is not None:
        document["exp"] = version.exp
    document |= {
        "created": version.created,
        "updated": version.updated,
        "recoveryLevel": recovery_level(vault),
        "recoverableDays": vault.soft_delete_days,
    }
    if api_version not in _WITHOUT_EXPORTABLE:
        document["exportable"] = False
    if api_version not in _WITHOUT_PLATFORM:
        document["hsmPlatform"] = "2" if version.kty.endswith("-HSM") else "0"
    return document


def key_bundle(vault: Vault, key: VaultKey, version: KeyVersion, api_version: str) -> dict[str, Any]:
    """A key with its public numbers, as get, create, update, rotate and recover answer it."""
    document: dict[str, Any] = {
        "key": {
            "kid": key_identifier(vault, key, version),
            "kty": version.kty,
            "key_ops": list(version.key_ops),
            **public_members(version.private_key),
        },
        "attributes": attributes(vault, version, api_version),
    }
    return _with_tags(document, version)


def list_item(vault: Vault, key: VaultKey, version: KeyVersion, api_version: str, *, versioned: bool) -> dict[str, Any]:
    """An item of a list; it has no public numbers, and among keys no version either."""
    document = {
        "kid": key_identifier(vault, key, version if versioned else None),
        "attributes": attributes(vault, version, api_version),
    }
    return _with_tags(document, version)


def deleted_item(vault: Vault, key: VaultKey, api_version: str) -> dict[str, Any]:
    """An item of the list of deleted keys."""
    item = list_item(vault, key, key.versions[-1], api_version, versioned=False)
    return {**_deletion(vault, key), **item}


def deleted_bundle(vault: Vault, key: VaultKey, api_version: str) -> dict[str, Any]:
    """A soft-deleted key with its public numbers."""
    return {**_deletion(vault, key), **key_bundle(vault, key, key.versions[-1], api_version)}


def rotation_policy(vault: Vault, key: VaultKey) -> dict[str, Any]:
    """The rotation policy; a key without one has only the notification that every key has."""
    policy = key.rotation_policy or {
        "lifetimeActions": [{"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}],
        "attributes": {},
    }
    return {"id": f"{vault_uri(vault)}/keys/{key.name}/rotationpolicy", **policy}


def key_size(version: KeyVersion) -> int | None:
    """Bits of an RSA key; None for another type."""
    return version.private_key.key_size if isinstance(version.private_key, RSAPrivateKey) else None


def _deletion(vault: Vault, key: VaultKey) -> dict[str, Any]:
    if key.deleted_at is None or key.scheduled_purge_at is None:
        raise ValueError(f"describing the deletion of '{key.name}', which is not deleted")
    return {
        "recoveryId": f"{vault_uri(vault)}/deletedkeys/{key.name}",
        "deletedDate": int(key.deleted_at.timestamp()),
        "scheduledPurgeDate": int(key.scheduled_purge_at.timestamp()),
    }


def _with_tags(document: dict[str, Any], version: KeyVersion) -> dict[str, Any]:
    return {**document, "tags": dict(version.tags)} if version.tags else document
