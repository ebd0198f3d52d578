"""Event subscriptions on a vault: created with a true handshake, so an endpoint that refuses makes creation fail.

The answer to PUT is 201 while the handshake counts as going on; how it ended is told by the operation's status.
"""

import re
import uuid
from typing import Any, Final

from local.event_grid.deliveries import HandshakeRefused, find_subscription, subscribe, unsubscribe
from local.event_grid.events import KEY_EVENT_TYPES
from local.resource_manager.calls import Answer, ArmCall, check_members
from local.resource_manager.errors import ArmError, invalid_content, resource_not_found
from local.resource_manager.scopes import check_group, find_vault_by_id
from local.resource_manager.vaults import KIND as VAULT_KIND
from local.world import EventSubscription, Vault

KIND: Final = "Microsoft.EventGrid/eventSubscriptions"
_PROPERTIES: Final = (
    "destination",
    "filter",
    "labels",
    "eventDeliverySchema",
    "retryPolicy",
    "deadLetterDestination",
    "expirationTimeUtc",
)
_WEB_HOOK: Final = (
    "endpointUrl",
    "maxEventsPerBatch",
    "preferredBatchSizeInKilobytes",
    "deliveryAttributeMappings",
    "minimumTlsVersionAllowed",
)
_HEADER_NAME: Final = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")
_LONGEST_HEADER: Final = 4096
_MOST_HEADERS: Final = 10
_DEFAULTED: Final = ("maxEventsPerBatch", "preferredBatchSizeInKilobytes")
_SCHEMAS: Final = ("EventGridSchema", "CloudEventSchemaV1_0")


async def put_subscription(call: ArmCall) -> Answer:
    """PUT: 201 and an operation to poll."""
    vault = _vault(call, "write")
    subscription = _read(call, vault)
    operation = str(uuid.uuid4())
    try:
        await subscribe(call.world, call.send, subscription)
        call.operations[operation] = {"status": "Succeeded"}
    except HandshakeRefused as error:
        call.operations[operation] = {
            "status": "Failed",
            "error": {"code": "URL validation", "message": str(error)},
        }
    document = _document(call, subscription)
    document["properties"] = _while_creating(document["properties"])
    address = (
        f"https://{call.host}:443/subscriptions/{call.parts['subscription']}/providers/Microsoft.EventGrid/locations/"
        f"{vault.location}/operationsStatus/{operation.upper()}?api-version={call.api_version}"
    )
    return Answer(201, document, {"Azure-AsyncOperation": address})


async def get_subscription(call: ArmCall) -> Answer:
    """GET; the endpoint's full address, which holds secrets, is never answered."""
    vault = _vault(call, "read")
    subscription = find_subscription(call.world, vault.resource_id, call.parts["name"])
    if subscription is None:
        raise resource_not_found(KIND, call.parts["name"], call.parts["group"])
    return Answer(200, _document(call, subscription))


async def list_subscriptions(call: ArmCall) -> Answer:
    """List the subscriptions of a vault."""
    vault = _vault(call, "read")
    wanted = vault.resource_id.casefold()
    found = [each for each in call.world.event_subscriptions if each.vault_id.casefold() == wanted]
    return Answer(200, {"value": [_document(call, each) for each in found], "nextLink": None})


async def delete_subscription(call: ArmCall) -> Answer:
    """DELETE: 200, or 204 where there was none."""
    vault = _vault(call, "delete")
    removed = unsubscribe(call.world, vault.resource_id, call.parts["name"])
    return Answer(200 if removed else 204)


async def get_operation(call: ArmCall) -> Answer:
    """The status of an operation; a failed one is HTTP 200 as well."""
    operation = call.parts["operation"].lower()
    outcome = call.operations.get(operation)
    if not isinstance(outcome, dict):
        raise ArmError(404, "ResourceNotFound", f"The operation '{operation}' was not found.")
    address = f"https://{call.host}:443{call.path}?api-version={call.api_version}"
    return Answer(200, {"id": address, "name": operation, **outcome})


def _vault(call: ArmCall, verb: str) -> Vault:
    vault_id = f"{call.group_id}/providers/{VAULT_KIND}/{call.parts['vault']}"
    call.authorise(f"{KIND}/{verb}", vault_id)
    check_group(call.world, call.parts["subscription"], call.parts["group"])
    vault = find_vault_by_id(call.world, vault_id)
    if vault is None:
        raise resource_not_found(VAULT_KIND, call.parts["vault"], call.parts["group"])
    return vault


def _read(call: ArmCall, vault: Vault) -> EventSubscription:
    name = call.parts["name"]
    if not re.fullmatch(r"[a-zA-Z0-9-]{3,64}", name):
        raise ArmError(400, "InvalidRequest", "Event subscription name must be 3 to 64 alphanumeric characters.")
    properties = call.body("properties").get("properties") or {}
    check_members(properties, _PROPERTIES, "EventSubscriptionProperties")
    destination = properties.get("destination") or {}
    web_hook = destination.get("properties") or {}
    if destination.get("endpointType") != "WebHook":
        raise ArmError(
            501, "NotImplementedLocally", "The local Event Grid delivers to WebHook destinations without Entra alone."
        )
    check_members(web_hook, _WEB_HOOK, "WebHookEventSubscriptionDestinationProperties")
    url = web_hook.get("endpointUrl")
    if not isinstance(url, str) or not url.startswith("https://"):
        raise ArmError(400, "InvalidRequest", "Invalid event subscription request: endpointUrl must be https.")
    schema = properties.get("eventDeliverySchema") or "EventGridSchema"
    if schema not in _SCHEMAS:
        raise invalid_content("Error converting value to type 'EventDeliverySchema'")
    return EventSubscription(
        name=name,
        vault_id=vault.resource_id,
        endpoint_url=url,
        schema=schema,
        delivery_headers=_delivery_headers(web_hook.get("deliveryAttributeMappings")),
        included_event_types=(properties.get("filter") or {}).get("includedEventTypes"),
        provisioning_state="Creating",
    )


def _delivery_headers(mappings: Any) -> dict[str, str]:
    """Read the static headers of `deliveryAttributeMappings`; all of them count as secret when they are answered."""
    headers: dict[str, str] = {}
    for mapping in mappings or []:
        match mapping:
            case {"name": str(name), "type": "Static", "properties": {"value": str(value)}} if (
                _HEADER_NAME.fullmatch(name) and 0 < len(value.encode()) <= _LONGEST_HEADER and value.isprintable()
            ):
                headers[name] = value
            case {"type": "Dynamic"}:
                raise ArmError(501, "NotImplementedLocally", "The local Event Grid sends static delivery headers only.")
            case _:
                raise ArmError(400, "InvalidRequest", "A delivery attribute mapping needs a header's name and value.")
    if len(headers) > _MOST_HEADERS:
        raise ArmError(400, "InvalidRequest", f"At most {_MOST_HEADERS} delivery attribute mappings are allowed.")
    return headers


def _while_creating(properties: dict[str, Any]) -> dict[str, Any]:
    """What the answer to a PUT shows: Azure adds its defaults once the subscription is there."""
    destination = properties["destination"]
    asked = {name: value for name, value in destination["properties"].items() if name not in _DEFAULTED}
    return {
        **{name: value for name, value in properties.items() if name != "eventDeliverySchema"},
        "provisioningState": "Creating",
        "destination": {**destination, "properties": asked},
        "filter": {"includedEventTypes": properties["filter"]["includedEventTypes"]},
    }


def _document(call: ArmCall, subscription: EventSubscription) -> dict[str, Any]:
    mappings = [
        {"name": name, "type": "Static", "properties": {"value": None, "isSecret": True}}
        for name in subscription.delivery_headers
    ]
    destination: dict[str, Any] = {
        "endpointUrl": None,
        "endpointBaseUrl": subscription.endpoint_url.partition("?")[0],
        "maxEventsPerBatch": 1,
        "preferredBatchSizeInKilobytes": 64,
    }
    if mappings:
        destination["deliveryAttributeMappings"] = mappings
    return {
        "properties": {
            "topic": subscription.vault_id,
            "provisioningState": subscription.provisioning_state,
            "destination": {"properties": destination, "endpointType": "WebHook"},
            "filter": {
                "subjectBeginsWith": "",
                "subjectEndsWith": "",
                "includedEventTypes": subscription.included_event_types or list(KEY_EVENT_TYPES),
            },
            "labels": None,
            "eventDeliverySchema": subscription.schema,
            "retryPolicy": {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440},
        },
        "systemData": None,
        "id": f"{subscription.vault_id}/providers/{KIND}/{call.parts.get('name', subscription.name)}",
        "name": subscription.name,
        "type": KIND,
    }
