"""One authenticated call to Resource Manager, its answer, and the strict reading of its body."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from local.entra.tokens import Claims
from local.event_grid.deliveries import Send
from local.resource_manager.errors import ArmError, authorization_failed, invalid_content, linked_authorization_failed
from local.roles import find_grant
from local.world import World


@dataclass(frozen=True)
class Answer:
    """What a handler answers; `document` None is an empty body."""

    status: int
    document: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ArmCall:
    """What a handler works on. `parts` are the named segments of the path, as the caller wrote them."""

    world: World
    claims: Claims
    tenant_id: str
    api_version: str
    host: str
    path: str
    parts: dict[str, str]
    query: dict[str, str]
    content: bytes
    send: Send
    operations: "dict[str, Any]"

    @property
    def group_id(self) -> str:
        """The ARM id of the resource group in the path."""
        return f"/subscriptions/{self.parts['subscription']}/resourceGroups/{self.parts['group']}"

    def authorise(self, action: str, scope: str) -> None:
        """Raise 403 unless the caller's roles allow the action at the scope."""
        if find_grant(self.world, self.claims.object_id, scope, action) is None:
            raise authorization_failed(self.claims, action, scope)

    def authorise_linked(self, action: str, scope: str, linked_action: str, linked_scope: str) -> None:
        """Raise 403 unless the caller may also do the linked action to another resource."""
        if find_grant(self.world, self.claims.object_id, linked_scope, linked_action) is None:
            raise linked_authorization_failed(self.claims, action, scope, linked_action, linked_scope)

    def body(self, *members: str) -> dict[str, Any]:
        """Read a JSON object that has only these members; raises 400."""
        try:
            document = json.loads(self.content)
        except ValueError as error:
            raise ArmError(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'Unexpected end or character'.",
                gateway=True,
            ) from error
        if not isinstance(document, dict):
            raise invalid_content("Error converting value to an object")
        check_members(document, members, "resource")
        return document


type Handler = Callable[[ArmCall], Awaitable[Answer]]


def check_members(document: dict[str, Any], members: tuple[str, ...], kind: str) -> None:
    """Raise 400 for a member that the contract does not have."""
    unknown = sorted(set(document) - set(members))
    if unknown:
        raise invalid_content(f"Could not find member '{unknown[0]}' on object of type '{kind}'")


def page(call: ArmCall, items: list[dict[str, Any]], size: int) -> dict[str, Any]:
    """One page of a list; the last page has no nextLink."""
    token = call.query.get("$skiptoken", "0")
    if not token.isdecimal():
        raise ArmError(400, "InvalidSkipToken", "The skip token is invalid.")
    start = int(token)
    document: dict[str, Any] = {"value": items[start : start + size]}
    if start + size < len(items):
        link = f"https://{call.host}{call.path}?api-version={call.api_version}&$skiptoken={start + size}"
        document["nextLink"] = link
    return document
