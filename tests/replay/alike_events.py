"""Event Grid's exchanges on the local Azure: publications to a topic, and what it delivers to a webhook.

A delivery goes the other way round: the local Event Grid raises the event, and its request is compared with the
recorded one. The answer to a handshake is the Functions host's.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp.test_utils import make_mocked_request

from local import names
from local.event_grid.deliveries import Deliverer, HandshakeRefused, subscribe
from local.event_grid.events import KEY_EVENT_TYPES, raise_key_event
from local.event_grid.service import API_VERSION
from local.functions_host.event_grid import _allow_origin, _validation_code
from local.world import EventSubscription, KeyVersion, Vault, World
from tests.replay.alike_vault import rsa_key
from tests.replay.explained import NotCovered
from tests.replay.recordings import TENANT, Exchange
from tests.replay.shapes import differences
from tests.replay.stage import LocalAnswer, Stage

_VAULT_ID: Final = f"/subscriptions/{TENANT}/resourceGroups/recorded/providers/Microsoft.KeyVault/vaults/recorded"
type _Answered = tuple[int, Mapping[str, str], bytes]

_ENDPOINT: Final = "https://recorded.example/api/events"
_VALIDATION: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"


def ask_topic(stage: Stage, exchange: Exchange) -> LocalAnswer:
    """Publish what was published. Raises `NotCovered`."""
    if 400 <= exchange.status < 500 and exchange.status not in {400, 401, 429}:
        raise NotCovered("other refusals of a topic")
    events = exchange.sent_body if isinstance(exchange.sent_body, list) else [exchange.sent_body]
    if exchange.status == 200 and not all(_has_known_schema(each) for each in events):
        raise NotCovered("topics with a schema of their own")
    if exchange.status >= 500 or exchange.status == 429:
        stage.fault("eventgrid", exchange)
    token = None if exchange.status == 401 else stage.token(names.EVENT_GRID_RESOURCE)
    kind = exchange.sent_headers.get("content-type", "application/json")
    url = f"{names.TOPIC_ENDPOINT}?api-version={exchange.query.get('api-version', API_VERSION)}"
    return stage.ask("POST", url, token=token, body=exchange.sent_body, headers={"Content-Type": kind})


def _has_known_schema(event: Any) -> bool:
    return isinstance(event, dict) and not {"eventType", "specversion"}.isdisjoint(event)


def compare_delivery(stage: Stage, exchange: Exchange) -> list[str]:
    """Compare what the local Event Grid would deliver with the recorded request. Raises `NotCovered`."""
    method, headers, body = stage.azure.run(_delivered(stage.azure.local.world, exchange))
    found = [] if method == exchange.method else [f"method: Azure {exchange.method}, ours {method}"]
    found += [f"header {name}: Azure alone" for name in sorted(exchange.sent_headers) if name not in headers]
    document = json.loads(body) if body else None
    if isinstance(document, dict) and isinstance(exchange.sent_body, list) and exchange.is_quotation:
        # The documentation shows a single CloudEvent in an array; it is delivered without.
        document = [document]
    ours = [each for each in differences(exchange.sent_body, document) if not _is_time(each)]
    if exchange.is_quotation:
        ours = [each for each in ours if not each.endswith("ours alone")]
    return found + ours + _compare_answer(exchange, document)


def _compare_answer(exchange: Exchange, document: Any) -> list[str]:
    """What the Functions host answers to a handshake; deliveries are answered by status alone."""
    if _is_validation(exchange):
        return differences(exchange.body, {"validationResponse": _validation_code(document)})
    if exchange.method != "OPTIONS":
        return []
    asked = {"WebHook-Request-Origin": "eventgrid.azure.net"}
    allowed = {name.lower() for name in _allow_origin(make_mocked_request("OPTIONS", "/", headers=asked)).headers}
    wanted = (name for name in exchange.headers if name.startswith("webhook"))
    return [f"header {name}: Azure alone" for name in wanted if name not in allowed]


def _is_time(difference: str) -> bool:
    # A key has a date or has none: null stands where it has none.
    return (".NBF: " in difference or ".EXP: " in difference) and "null" in difference


def _is_validation(exchange: Exchange) -> bool:
    return exchange.method == "POST" and _VALIDATION in json.dumps(exchange.sent_body)


async def _delivered(world: World, exchange: Exchange) -> tuple[str, dict[str, str], bytes]:
    sent: list[tuple[str, dict[str, str], bytes]] = []

    async def send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> _Answered:
        del url
        sent.append((method, {name.lower(): value for name, value in headers.items()}, body))
        return 200, {}, b""

    event = exchange.sent_body[0] if isinstance(exchange.sent_body, list) else exchange.sent_body
    event = event if isinstance(event, dict) else {}
    in_the_cloud = exchange.method == "OPTIONS" or "specversion" in event
    schema = "CloudEventSchemaV1_0" if in_the_cloud else "EventGridSchema"
    subscription = EventSubscription("recorded", _VAULT_ID, _ENDPOINT, schema)
    if exchange.method == "OPTIONS" or _is_validation(exchange):
        try:
            await subscribe(world, send, subscription)
        except HandshakeRefused:
            return sent[0]
        return sent[0]
    kind = str(event.get("eventType") or event.get("type") or "")
    wanted = next((each for each in KEY_EVENT_TYPES if each.lower() == kind.lower()), None)
    if wanted is None and "Microsoft.KeyVault." not in kind:
        raise NotCovered("other events")
    world.event_subscriptions.append(subscription)
    vault = Vault("recorded", _VAULT_ID, TENANT, "westeurope")
    version = KeyVersion("1" * 32, rsa_key(), "RSA", [], created=1, updated=1, nbf=1, exp=2)
    raise_key_event(world, vault, wanted or KEY_EVENT_TYPES[0], "recorded", version)
    await Deliverer(world, send).tick()
    return sent[0]
