"""Event Grid behind the edge: the topic that takes CrossKey's notifications (`POST /api/events`, both schemas).

Accepted events are kept in `World.topic_events` in order of arrival: what a subscriber would have received. All
events of a request are taken or none. `start` sets off the deliveries of vault events as well.
"""

import json
import uuid
from typing import Any, Final

from aiohttp import web

from local.background import Background
from local.entra.tokens import Claims, TokenIssuer, TokenRejected
from local.event_grid.deliveries import Deliverer, Send, subscribe
from local.event_grid.errors import TopicError
from local.event_grid.sender import ProxySender
from local.names import EVENT_GRID_RESOURCE
from local.roles import ROLES
from local.world import EventSubscription, World

_HOST_SUFFIX: Final = ".eventgrid.azure.net"
API_VERSION: Final = "2018-01-01"
_MAXIMUM_BODY: Final = 1_048_576
_CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
_CLOUD_EVENT: Final = "application/cloudevents+json"
_EVENT_GRID: Final = "application/json"
_TICK_SECONDS: Final = 0.05
_SENDER: Final = "EventGrid Data Sender"


class EventGridService:
    """The data plane of topics."""

    name = "eventgrid"

    def __init__(self, world: World, send: Send | None = None) -> None:
        self._world = world
        self._tokens = TokenIssuer(world)
        self._own_sender = ProxySender(world)
        self._send = send or self._own_sender
        self._deliverer = Deliverer(world, self._send)
        self._background = Background(self.tick, seconds=_TICK_SECONDS)

    async def start(self) -> None:
        """Set off the deliveries of vault events."""
        self._background.start()

    async def stop(self) -> None:
        await self._background.stop()
        await self._own_sender.close()

    async def tick(self) -> None:
        """Attempt every delivery that is due, once."""
        await self._deliverer.tick()

    async def subscribe(self, subscription: EventSubscription) -> None:
        """Add a subscription to a vault after the handshake; raises `HandshakeRefused`."""
        await subscribe(self._world, self._send, subscription)

    def serves(self, host: str) -> bool:
        return host.endswith(_HOST_SUFFIX)

    def operation(self, request: web.Request) -> str:
        return "PublishEvents" if (request.method, request.path) == ("POST", "/api/events") else "Unknown"

    async def handle(self, request: web.Request) -> web.Response:
        headers = {"api-supported-versions": API_VERSION, "x-ms-request-id": str(uuid.uuid4())}
        try:
            self._check_imitated(request)
            self._authorise(request)
            self._world.topic_events.extend(_read(request.query, request.content_type, await request.read()))
        except TopicError as error:
            headers["Content-Type"] = "application/json; charset=utf-8"
            return web.Response(status=error.status, body=json.dumps(error.document()).encode(), headers=headers)
        return web.Response(status=200, headers=headers)

    def _check_imitated(self, request: web.Request) -> None:
        if self.operation(request) == "Unknown":
            message = f"The local Event Grid does not imitate {request.method} {request.path}."
            raise TopicError(501, "NotImplementedLocally", message)

    def _authorise(self, request: web.Request) -> Claims:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TopicError(
                401, "Unauthorized", "The request did not contain an authorization header or its scheme is not Bearer."
            )
        try:
            claims = self._tokens.verify(token.strip(), audience=EVENT_GRID_RESOURCE)
        except TokenRejected as error:
            raise TopicError(401, "Unauthorized", f"The request authorization token is not valid: {error}.") from error
        if self._world.topic_sender_role_required and not self._may_send(claims):
            raise TopicError(
                403,
                "Forbidden",
                f"The principal with object id '{claims.object_id}' does not have authorization to perform action "
                f"'{ROLES[_SENDER].data_actions[0]}'.",
            )
        return claims

    def _may_send(self, claims: Claims) -> bool:
        return any(
            each.role == _SENDER and each.principal_id == claims.object_id for each in self._world.role_assignments
        )


def _read(query: Any, content_type: str, content: bytes) -> list[dict[str, Any]]:
    if query.get("api-version") != API_VERSION:
        raise TopicError(400, "BadRequest", f"The api-version must be {API_VERSION}.")
    if len(content) > _MAXIMUM_BODY:
        raise TopicError(413, "RequestEntityTooLarge", "The maximum size of a request is 1 MB.")
    try:
        document = json.loads(content)
    except ValueError as error:
        raise TopicError(400, "BadRequest", "This resource is configured to receive JSON events.") from error
    if content_type == _CLOUD_EVENT:
        document = [document]
    elif content_type not in {_CLOUD_EVENTS, _EVENT_GRID}:
        raise TopicError(400, "BadRequest", f"The content type '{content_type}' is not that of an event schema.")
    if not isinstance(document, list) or not document:
        raise TopicError(400, "BadRequest", "The request body must be an array of events.")
    required = (
        ("id", "subject", "eventType", "eventTime", "dataVersion")
        if content_type == _EVENT_GRID
        else ("id", "source", "type", "specversion")
    )
    for event in document:
        missing = [name for name in required if not isinstance(event, dict) or not event.get(name)]
        if missing:
            raise TopicError(400, "BadRequest", f"This event is missing the required property '{missing[0]}'.")
        if content_type != _EVENT_GRID and event["specversion"] != "1.0":
            raise TopicError(400, "BadRequest", "The specversion of an event must be '1.0'.")
    return document
