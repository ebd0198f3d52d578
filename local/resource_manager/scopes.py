"""What exists where: subscriptions with their tenants, resource groups, resources by their ARM ids."""

import re
from collections.abc import Iterator
from typing import Final

from local.resource_manager.errors import ArmError, group_not_found, subscription_not_found
from local.world import ManagedIdentity, StorageAccount, Vault, World

_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def find_tenant_id(world: World, subscription: str) -> str | None:
    """Find the tenant of a subscription; raises 400 and 404. None: it exists, but its tenant is not known."""
    if not _GUID.fullmatch(subscription):
        raise ArmError(
            400,
            "InvalidSubscriptionId",
            f"The provided subscription identifier '{subscription}' is malformed or invalid.",
            gateway=True,
        )
    for known, tenant_id in world.subscriptions.items():
        if known.casefold() == subscription.casefold():
            return tenant_id
    prefix = f"/subscriptions/{subscription}/".casefold()
    owners: tuple[Vault | ManagedIdentity, ...] = (*world.vaults.values(), *world.managed_identities.values())
    for owner in owners:
        if owner.resource_id.casefold().startswith(prefix):
            return owner.tenant_id
    if any(each.startswith(prefix) for each in _resource_ids(world)):
        return None
    raise subscription_not_found(subscription)


def check_group(world: World, subscription: str, group: str) -> None:
    """Raise 404 unless the resource group exists."""
    wanted = f"/subscriptions/{subscription}/resourceGroups/{group}".casefold()
    if wanted in world.resource_groups:
        return
    if not any(each.startswith(f"{wanted}/") for each in _resource_ids(world)):
        raise group_not_found(group)
    # A group does not go away with its last resource; and the next look-up is quick.
    world.resource_groups.add(wanted)


def find_account(world: World, resource_id: str) -> StorageAccount | None:
    """Find a storage account, without case."""
    return world.storage_accounts.get(resource_id.casefold())


def find_vault_by_id(world: World, resource_id: str) -> Vault | None:
    """Find a vault, without case."""
    wanted = resource_id.casefold()
    return next((vault for vault in world.vaults.values() if vault.resource_id.casefold() == wanted), None)


def _resource_ids(world: World) -> Iterator[str]:
    yield from world.storage_accounts
    yield from world.managed_identities
    yield from world.resource_groups
    for vault in world.vaults.values():
        yield vault.resource_id.casefold()
