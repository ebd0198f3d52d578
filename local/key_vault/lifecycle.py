"""What time alone does to keys: near-expiry and expiry events, rotation by policy, the end of soft delete.

`apply_time` is called over and over while the world runs, so that moving the clock has its effects by itself.
"""

from typing import Any

from local.event_grid.events import KEY_EXPIRED, KEY_NEAR_EXPIRY, raise_key_event
from local.key_vault.documents import key_size
from local.key_vault.durations import add_duration
from local.key_vault.key_pool import KeyPool
from local.key_vault.management import rotate
from local.world import KeyVersion, Vault, VaultKey, World


async def apply_time(world: World, pool: KeyPool) -> None:
    """Do everything that is due at the world's present time, once."""
    now = int(world.clock.time())
    for vault in list(world.vaults.values()):
        for key in list(vault.deleted_keys.values()):
            if key.scheduled_purge_at is not None and world.clock.now() >= key.scheduled_purge_at:
                del vault.deleted_keys[key.name]
        for key in list(vault.keys.values()):
            await _rotate_when_due(world, vault, key, pool, now)
            for version in key.versions:
                _announce_expiry(world, vault, key, version, now)


def _announce_expiry(world: World, vault: Vault, key: VaultKey, version: KeyVersion, now: int) -> None:
    if version.exp is None:
        return
    if now >= version.exp and not version.expired_raised:
        version.expired_raised = version.near_expiry_raised = True
        raise_key_event(world, vault, KEY_EXPIRED, key.name, version)
    elif now >= _notify_at(key, version, version.exp) and not version.near_expiry_raised:
        version.near_expiry_raised = True
        raise_key_event(world, vault, KEY_NEAR_EXPIRY, key.name, version)


def _notify_at(key: VaultKey, version: KeyVersion, expires: int) -> int:
    trigger = _trigger(key, "Notify") or {"timeBeforeExpiry": "P30D"}
    return _moment(trigger, version.created, expires)


async def _rotate_when_due(world: World, vault: Vault, key: VaultKey, pool: KeyPool, now: int) -> None:
    trigger = _trigger(key, "Rotate")
    newest = key.versions[-1]
    bits = key_size(newest)
    if trigger is None or bits is None or ("timeBeforeExpiry" in trigger and newest.exp is None):
        return
    if now >= _moment(trigger, newest.created, newest.exp or 0):
        rotate(world, vault, key.name, await pool.take(bits))


def _trigger(key: VaultKey, action: str) -> dict[str, Any] | None:
    for each in (key.rotation_policy or {}).get("lifetimeActions", []):
        if each["action"]["type"] == action:
            trigger: dict[str, Any] = each["trigger"]
            return trigger
    return None


def _moment(trigger: dict[str, Any], created: int, expires: int) -> int:
    if "timeAfterCreate" in trigger:
        return add_duration(created, trigger["timeAfterCreate"])
    return add_duration(expires, trigger["timeBeforeExpiry"], sign=-1)
