"""Events of a vault's keys, from the moment they happen to one pending delivery per subscription.

Kept in the Event Grid schema and translated to CloudEvents on the way out. Names in `data` are in Pascal case, times
are numbers or null, as captured events show. Deliveries themselves are in `deliveries`.
"""

import uuid
from typing import Any, Final

from local.timestamps import azure_timestamp
from local.world import EventSubscription, KeyVersion, PendingDelivery, Vault, World

KEY_NEW_VERSION_CREATED: Final = "Microsoft.KeyVault.KeyNewVersionCreated"
KEY_NEAR_EXPIRY: Final = "Microsoft.KeyVault.KeyNearExpiry"
KEY_EXPIRED: Final = "Microsoft.KeyVault.KeyExpired"
KEY_EVENT_TYPES: Final = (KEY_NEW_VERSION_CREATED, KEY_NEAR_EXPIRY, KEY_EXPIRED)


def raise_key_event(world: World, vault: Vault, event_type: str, key_name: str, version: KeyVersion) -> dict[str, Any]:
    """Queue an event for every subscription of the vault that wants its type; answers the event."""
    now = world.clock.now()
    event: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "topic": vault.resource_id,
        "subject": key_name,
        "eventType": event_type,
        "data": {
            "Id": f"https://{vault.name}.vault.azure.net/keys/{key_name}/{version.version}",
            "VaultName": vault.name,
            "ObjectType": "Key",
            "ObjectName": key_name,
            "Version": version.version,
            "NBF": version.nbf,
            "EXP": version.exp,
        },
        "dataVersion": "1",
        "metadataVersion": "1",
        "eventTime": azure_timestamp(now),
    }
    for subscription in world.event_subscriptions:
        if _wants(subscription, vault, event_type):
            world.pending_deliveries.append(PendingDelivery(subscription, event, raised_at=now, due_at=now))
    return event


def as_cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    """Translate an event into the CloudEvents schema."""
    return {
        "id": event["id"],
        "source": event["topic"],
        "specversion": "1.0",
        "type": event["eventType"],
        "subject": event["subject"],
        "time": event["eventTime"],
        "data": event["data"],
    }


def _wants(subscription: EventSubscription, vault: Vault, event_type: str) -> bool:
    wanted = subscription.included_event_types
    return (
        subscription.vault_id.casefold() == vault.resource_id.casefold()
        and subscription.provisioning_state == "Succeeded"
        and (wanted is None or event_type.lower() in {each.lower() for each in wanted})
    )
