"""Delivery of events to webhooks: the handshake at creation, attempts, the retry schedule by the world's clock.

The endpoint is reached through an injected `Send`, which resolves production host names inside the world. Copies,
shuffling and holding back are on demand (`World.event_grid`). Success is 200 to 204; some statuses drop the event,
others wait at least a set time, as Event Grid documents.
"""

import asyncio
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Protocol

from local.event_grid.events import as_cloud_event
from local.timestamps import azure_timestamp
from local.world import EventSubscription, PendingDelivery, World

_SCHEDULE: Final = tuple(
    timedelta(seconds=seconds) for seconds in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)
)
_LEAST_WAIT: Final = {404: timedelta(minutes=5), 408: timedelta(minutes=2), 503: timedelta(seconds=30)}
_NEVER_RETRIED: Final = frozenset({400, 401, 403, 413})
_TIME_TO_LIVE: Final = timedelta(hours=24)
_MAXIMUM_ATTEMPTS: Final = 30
_CONCURRENT: Final = 16
_ORIGIN: Final = "eventgrid.azure.net"


class Send(Protocol):
    """Sends one HTTP request to a production address inside the world.

    Raises OSError or TimeoutError where no answer comes.
    """

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Answer status, headers and body."""
        ...


class HandshakeRefused(Exception):
    """The endpoint did not prove that it wants events. The text is what Azure shows to whoever subscribes."""


async def subscribe(world: World, send: Send, subscription: EventSubscription) -> None:
    """Do the handshake and add the subscription, replacing one of the same name; raises `HandshakeRefused`."""
    await _shake_hands(world, send, subscription)
    world.event_subscriptions[:] = [
        each for each in world.event_subscriptions if not _is_same(each, subscription.vault_id, subscription.name)
    ]
    subscription.provisioning_state = "Succeeded"
    world.event_subscriptions.append(subscription)


def find_subscription(world: World, vault_id: str, name: str) -> EventSubscription | None:
    """Find a vault's subscription by name, without case."""
    return next((each for each in world.event_subscriptions if _is_same(each, vault_id, name)), None)


def unsubscribe(world: World, vault_id: str, name: str) -> bool:
    """Remove a subscription and what is still to be delivered to it; answers whether there was one."""
    subscription = find_subscription(world, vault_id, name)
    if subscription is None:
        return False
    world.event_subscriptions.remove(subscription)
    world.pending_deliveries[:] = [each for each in world.pending_deliveries if each.subscription is not subscription]
    return True


class Deliverer:
    """Carries pending deliveries to their endpoints. Shuffling follows `seed`, so that a run can be repeated."""

    def __init__(self, world: World, send: Send, *, seed: int = 0) -> None:
        self._world = world
        self._send = send
        self._random = random.Random(seed)  # noqa: S311  an order to test with, not a secret
        self._lane = asyncio.Semaphore(_CONCURRENT)

    async def tick(self) -> None:
        """Attempt every delivery that is due, once."""
        behaviour = self._world.event_grid
        if behaviour.held:
            return
        now = self._world.clock.now()
        pending = self._world.pending_deliveries
        due = [each for each in pending if each.due_at <= now]
        pending[:] = [each for each in pending if each.due_at > now]
        copies: list[PendingDelivery] = []
        for each in due:
            # A retry is one delivery of its own already; only first attempts are multiplied.
            count = 1 if each.attempts else max(1, behaviour.copies)
            copies.extend(replace(each) for _ in range(count))
        if behaviour.shuffled:
            self._random.shuffle(copies)
        await asyncio.gather(*(self._attempt(each) for each in copies))

    async def _attempt(self, delivery: PendingDelivery) -> None:
        subscription = delivery.subscription
        headers, body = _request(delivery)
        async with self._lane:
            try:
                status, _, _ = await self._send("POST", subscription.endpoint_url, headers, body)
            except OSError:  # TimeoutError is one of them
                status = 0
        if 200 <= status <= 204 or status in _NEVER_RETRIED:
            return
        now = self._world.clock.now()
        wait = max(
            _SCHEDULE[min(delivery.attempts, len(_SCHEDULE) - 1)], _LEAST_WAIT.get(status, timedelta(seconds=10))
        )
        delivery.attempts += 1
        delivery.due_at = now + wait
        alive = delivery.attempts < _MAXIMUM_ATTEMPTS and delivery.due_at < delivery.raised_at + _TIME_TO_LIVE
        if alive and subscription in self._world.event_subscriptions:
            self._world.pending_deliveries.append(delivery)


def _request(delivery: PendingDelivery) -> tuple[dict[str, str], bytes]:
    subscription = delivery.subscription
    document: Any
    if subscription.schema == "CloudEventSchemaV1_0":
        content_type, document = "application/cloudevents+json; charset=utf-8", as_cloud_event(delivery.event)
    else:
        content_type, document = "application/json; charset=utf-8", [delivery.event]
    headers = {
        "Content-Type": content_type,
        "aeg-event-type": "Notification",
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(delivery.attempts),
        "aeg-data-version": "1",
        "aeg-metadata-version": "0",
        **subscription.delivery_headers,
    }
    return headers, json.dumps(document).encode()


async def _shake_hands(world: World, send: Send, subscription: EventSubscription) -> None:
    try:
        if subscription.schema == "CloudEventSchemaV1_0":
            accepted = await _ask_for_cloud_events(world, send, subscription)
        else:
            accepted = await _echo_validation_code(world, send, subscription)
    except OSError:  # TimeoutError is one of them
        accepted = False
    if not accepted:
        base = subscription.endpoint_url.partition("?")[0]
        raise HandshakeRefused(
            f"Webhook validation handshake failed for {base}. For troubleshooting, visit https://aka.ms/esvalidation."
        )


async def _ask_for_cloud_events(world: World, send: Send, subscription: EventSubscription) -> bool:
    asked = {"WebHook-Request-Origin": _ORIGIN, "WebHook-Request-Rate": "120", **_own_headers(world, subscription)}
    status, headers, _ = await send("OPTIONS", subscription.endpoint_url, asked, b"")
    allowed = {name.lower(): value for name, value in headers.items()}.get("webhook-allowed-origin", "")
    return status == 200 and allowed in {"*", _ORIGIN}


async def _echo_validation_code(world: World, send: Send, subscription: EventSubscription) -> bool:
    code = str(uuid.uuid4())
    now = azure_timestamp(world.clock.now())
    event = {
        "id": str(uuid.uuid4()),
        "topic": subscription.vault_id,
        "subject": "",
        "data": {
            "validationCode": code,
            "validationUrl": (
                f"https://rp-westeurope.eventgrid.azure.net:553/eventsubscriptions/{subscription.name}/validate"
                f"?id={code}&t={now}&apiVersion=2020-10-15-preview&token=local"
            ),
        },
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": now,
        "metadataVersion": "1",
        "dataVersion": "2",
    }
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "aeg-event-type": "SubscriptionValidation",
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": "0",
        "aeg-data-version": "2",
        "aeg-metadata-version": "1",
        **_own_headers(world, subscription),
    }
    status, _, body = await send("POST", subscription.endpoint_url, headers, json.dumps([event]).encode())
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    # A 202 with the right code is refused as well.
    return status == 200 and isinstance(answer, dict) and answer.get("validationResponse") == code


def _own_headers(world: World, subscription: EventSubscription) -> dict[str, str]:
    """The delivery headers that a handshake carries."""
    return subscription.delivery_headers if world.event_grid.handshakes_carry_headers else {}


def _is_same(subscription: EventSubscription, vault_id: str, name: str) -> bool:
    return subscription.vault_id.casefold() == vault_id.casefold() and subscription.name.lower() == name.lower()
