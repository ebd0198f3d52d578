"""What time alone does to keys in the local Key Vault."""

from datetime import timedelta
from typing import Any

from local.event_grid.events import KEY_EXPIRED, KEY_NEAR_EXPIRY, KEY_NEW_VERSION_CREATED
from local.key_vault.service import KeyVaultService
from local.world import EventSubscription, World
from tests.contract.local import contoso
from tests.running_world import RunningWorld

DAY = 86400


def watch(azure: RunningWorld) -> None:
    """Subscribe to the vault without a handshake, and hold deliveries back so that they can be looked at."""

    def subscribe(world: World) -> None:
        world.event_grid.held = True
        world.event_subscriptions.append(EventSubscription("watch", contoso.VAULT_ID, "https://nobody.example"))

    azure.look(subscribe)


def events(azure: RunningWorld) -> list[tuple[str, Any]]:
    azure.run(contoso.service(azure, KeyVaultService).tick())
    return azure.look(
        lambda world: [(each.event["eventType"], each.event["data"]["EXP"]) for each in world.pending_deliveries]
    )


def test_expiry_is_announced_thirty_days_ahead_and_when_it_comes(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    watch(local_azure)
    exp = int(local_azure.control.now().timestamp()) + 40 * DAY
    customer.create_key(attributes={"exp": exp})
    assert events(local_azure) == [(KEY_NEW_VERSION_CREATED, exp)]
    local_azure.control.advance(timedelta(days=11))
    assert events(local_azure)[1:] == [(KEY_NEAR_EXPIRY, exp)]
    local_azure.control.advance(timedelta(days=30))
    assert events(local_azure)[2:] == [(KEY_EXPIRED, exp)]
    assert len(events(local_azure)) == 3


def test_a_rotation_policy_rotates_the_key_by_itself(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    rotate = {"action": {"type": "Rotate"}, "trigger": {"timeAfterCreate": "P30D"}}
    customer.vault("PUT", "/keys/cmk/rotationpolicy", {"lifetimeActions": [rotate]})
    watch(local_azure)
    local_azure.control.advance(timedelta(days=29))
    assert events(local_azure) == []
    local_azure.control.advance(timedelta(days=2))
    assert [kind for kind, _ in events(local_azure)] == [KEY_NEW_VERSION_CREATED]
    assert len(local_azure.look(lambda world: world.vaults[contoso.VAULT].keys["cmk"].versions)) == 2


def test_a_deleted_key_is_purged_when_its_retention_ends(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure, softDeleteDays=7)
    customer.create_key()
    customer.vault("DELETE", "/keys/cmk")
    local_azure.control.advance(timedelta(days=8))
    events(local_azure)
    assert local_azure.look(lambda world: world.vaults[contoso.VAULT].deleted_keys) == {}
