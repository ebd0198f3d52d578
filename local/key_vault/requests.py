"""One authenticated call to a vault, and the strict reading of its JSON body and query."""

import json
from dataclasses import dataclass, field
from typing import Any, Final

from local.entra.tokens import Claims
from local.key_vault.durations import parse_duration
from local.key_vault.errors import bad_parameter
from local.key_vault.key_pool import KeyPool
from local.key_vault.operations import Action, authorise
from local.world import RoleAssignment, Vault, World

# What a member must be: a type, or the members that an object may have.
type Shape = type | dict[str, "Shape"] | list["Shape"]

_ATTRIBUTES: Final[Shape] = {
    "enabled": bool,
    "nbf": int,
    "exp": int,
    # Answers carry these as well; clients that send a whole answer back are not refused.
    "created": int,
    "updated": int,
    "recoveryLevel": str,
    "recoverableDays": int,
    "exportable": bool,
    "hsmPlatform": str,
}
CREATE_BODY: Final[dict[str, Shape]] = {
    "kty": str,
    "key_size": int,
    "public_exponent": int,
    "key_ops": [str],
    "attributes": _ATTRIBUTES,
    "tags": dict,
    "crv": str,
    "release_policy": dict,
}
UPDATE_BODY: Final[dict[str, Shape]] = {
    "key_ops": [str],
    "attributes": _ATTRIBUTES,
    "tags": dict,
    "release_policy": dict,
}
OPERATION_BODY: Final[dict[str, Shape]] = {"alg": str, "value": str, "iv": str, "aad": str, "tag": str}
_LIFETIME_ACTION: Final[Shape] = {
    "trigger": {"timeAfterCreate": str, "timeBeforeExpiry": str},
    "action": {"type": str},
}
ROTATION_POLICY_BODY: Final[dict[str, Shape]] = {
    "id": str,
    "lifetimeActions": [_LIFETIME_ACTION],
    "attributes": {"expiryTime": str, "created": int, "updated": int},
}


@dataclass
class VaultCall:
    """What a handler works on. `grant` is set once the caller was authorised by a role assignment."""

    world: World
    vault: Vault
    claims: Claims
    pool: KeyPool
    api_version: str
    parts: dict[str, str | None]
    query: dict[str, str]
    content: bytes
    grant: RoleAssignment | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The key's name in the path."""
        return self.parts["name"] or ""

    @property
    def version(self) -> str | None:
        """The version in the path; None where the path has none."""
        return self.parts.get("version") or None

    def authorise(self, action: Action, *, on_vault: bool = False) -> None:
        """Let the caller through or raise."""
        key_name = None if on_vault else self.name
        self.grant = authorise(self.world, self.vault, self.claims, action, key_name=key_name)

    def body(self, shape: dict[str, Shape], *, required: tuple[str, ...] = ()) -> dict[str, Any]:
        """Read the body; raises 400 for malformed JSON, unknown members and wrong types."""
        try:
            document = json.loads(self.content)
        except ValueError as error:
            raise bad_parameter("Request body is not valid JSON.") from error
        _check(document, shape, "")
        missing = [name for name in required if document.get(name) is None]
        if missing:
            raise bad_parameter(f"Property has invalid value\r\n\t{missing[0]}")
        return dict(document)

    def page_size(self) -> int:
        """The `maxresults` of a list, 25 at most."""
        text = self.query.get("maxresults", "25")
        if not text.isdecimal() or not 1 <= int(text) <= 25:
            raise bad_parameter("Invalid maxresults value. It must be between 1 and 25.")
        return int(text)


def check_rotation_policy(policy: dict[str, Any]) -> None:
    """Check durations and actions; raises 400."""
    durations = [(policy.get("attributes") or {}).get("expiryTime")]
    for each in policy.get("lifetimeActions") or []:
        if (each.get("action") or {}).get("type", "").lower() not in {"rotate", "notify"} or len(
            each.get("trigger") or {}
        ) != 1:
            raise bad_parameter("Property has invalid value\r\n\tlifetimeActions")
        durations.extend(each["trigger"].values())
    for duration in durations:
        if duration is None:
            continue
        try:
            months, days = parse_duration(duration)
        except ValueError as error:
            raise bad_parameter(f"Property has invalid value\r\n\t{duration}") from error
        if not months and days < 7:
            raise bad_parameter("The minimum interval of a key rotation policy is 7 days.")


def _check(document: object, shape: Shape, path: str) -> None:
    if document is None and path:
        return
    if isinstance(shape, list):
        if not isinstance(document, list):
            raise bad_parameter(f"Property has invalid value\r\n\t{path}")
        for each in document:
            _check(each, shape[0], path)
    elif isinstance(shape, dict):
        if not isinstance(document, dict):
            raise bad_parameter(f"Property has invalid value\r\n\t{path or 'body'}")
        for name, value in document.items():
            if name not in shape:
                raise bad_parameter(f"Unexpected property name\r\n\t{name}")
            _check(value, shape[name], name)
    elif not isinstance(document, shape) or (shape is int and isinstance(document, bool)):
        raise bad_parameter(f"Property has invalid value\r\n\t{path}")
