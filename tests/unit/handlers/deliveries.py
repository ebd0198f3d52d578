"""Deliveries of Event Grid to the webhook, as tests post them."""

import base64
from collections.abc import Mapping
from typing import Any

import httpx

from shared.domain.identifiers import KeyIdentifier
from shared.domain.work import WorkKind
from shared.services.webhook_secrets import HEADER, make_secret
from shared.stores import Claim
from tests.fakes import make_settings, make_world
from tests.unit.handlers.api_client import Api, make_api

KEY = KeyIdentifier("contoso.vault.azure.net", "cmk")
VERSION = "0" * 32
TOPIC = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/contoso"
NEW_VERSION = "Microsoft.KeyVault.KeyNewVersionCreated"
OTHER_TENANT = "70000000-0000-4000-8000-000000000007"
WEBHOOK = "/api/webhooks/keyVault/contoso"
CODE = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"

type Event = dict[str, Any]


def key_data(key: KeyIdentifier = KEY, **changes: Any) -> Event:
    """The data of an event, as captured ones have it."""
    return {
        "Id": f"{key}/{VERSION}",
        "VaultName": "contoso",
        "ObjectType": "Key",
        "ObjectName": key.key_name,
        "Version": VERSION,
        "NBF": None,
        "EXP": 1701185990,
        **changes,
    }


def grid_event(data: Any = None, *, kind: Any = NEW_VERSION, event_id: Any = "1") -> Event:
    """An event in the Event Grid schema."""
    return {
        "id": event_id,
        "topic": TOPIC,
        "subject": "cmk",
        "eventType": kind,
        "eventTime": "2026-11-22T09:00:00.0000000Z",
        "data": key_data() if data is None else data,
        "dataVersion": "1",
        "metadataVersion": "1",
    }


def cloud_event(data: Any = None, *, kind: Any = NEW_VERSION, event_id: Any = "1") -> Event:
    """The same as a CloudEvent."""
    return {
        "id": event_id,
        "source": TOPIC,
        "specversion": "1.0",
        "type": kind,
        "subject": "cmk",
        "time": "2026-11-22T09:00:00.0000000Z",
        "data": key_data() if data is None else data,
    }


def validation_event(**changes: Any) -> Event:
    """The handshake of the Event Grid schema."""
    url = "https://rp-westeurope.eventgrid.azure.net:553/eventsubscriptions/crosskey/validate?id=1"
    return {
        "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66",
        "topic": TOPIC,
        "subject": "",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": CODE, "validationUrl": url, **changes},
        "eventTime": "2026-11-22T09:00:00.0000000Z",
        "metadataVersion": "1",
        "dataVersion": "1",
    }


def secret(api: Api, customer: str = "contoso") -> dict[str, str]:
    """The header of a customer's event subscription."""
    return {HEADER: str(make_secret(api.world.bundle.settings, customer))}


def masters(*letters: str) -> str:
    """A value of CROSSKEY_WEBHOOK_KEYS: one key for each letter."""
    return ", ".join(base64.b64encode(letter.encode() * 32).decode() for letter in letters)


def api_with(keys: str) -> Api:
    """An API over a world of its own with these webhook keys. The caller closes `client`."""
    return make_api(make_world(make_settings(CROSSKEY_WEBHOOK_KEYS=keys) if keys else None))


async def own_key(api: Api, customer: str = "contoso", key: KeyIdentifier = KEY) -> None:
    """Let a customer hold a key under the name `primary`."""
    await api.world.claims.claim(
        Claim(
            kind="key",
            identifier=key.claim,
            customer_id=customer,
            row="key:primary",
            claimed_at=api.world.clock.now(),
        )
    )


async def deliver(
    api: Api, document: Any, headers: Mapping[str, str] | None = None, *, kind: str = "Notification", url: str = WEBHOOK
) -> httpx.Response:
    """Post a delivery, by default with Contoso's secret."""
    sent = {"aeg-event-type": kind, "aeg-subscription-name": "CROSSKEY", "aeg-delivery-count": "0"}
    return await api.client.post(url, json=document, headers=sent | dict(secret(api) if headers is None else headers))


def looks(api: Api) -> list[tuple[str, str]]:
    """The keys that a look was queued at."""
    items = api.world.queue.items
    return [(item.customer_id, item.name) for item in items if item.kind is WorkKind.CHECK_KEY]


def nothing_happened(api: Api) -> bool:
    """Whether nobody was asked anything and nothing was written."""
    world = api.world
    return not (world.queue.items or world.state.calls or world.claims.calls or world.vault.calls)
