"""The operations of the data plane: authorise, read the body, let the rules act, build the answer.

`ROUTES` is the whole table; what is not in it is answered 501 by the service.
"""

import base64
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.key_vault import documents, management, operations
from local.key_vault.crypto import decode, encode, public_members
from local.key_vault.errors import bad_parameter
from local.key_vault.key_pool import generate_elliptic
from local.key_vault.requests import (
    CREATE_BODY,
    OPERATION_BODY,
    ROTATION_POLICY_BODY,
    UPDATE_BODY,
    VaultCall,
    check_rotation_policy,
)

type Handler = Callable[[VaultCall], Awaitable[dict[str, Any] | None]]

_RSA_SIZES: Final = (2048, 3072, 4096)


@dataclass(frozen=True)
class Route:
    """One operation of the data plane."""

    method: str
    path: re.Pattern[str]
    operation: str
    handler: Handler


async def get_key(call: VaultCall) -> dict[str, Any]:
    """GET, with or without a version; a disabled version is answered like any other."""
    call.authorise(operations.GET)
    key, version = operations.get_key(call.vault, call.name, call.version)
    return documents.key_bundle(call.vault, key, version, call.api_version)


async def list_keys(call: VaultCall) -> dict[str, Any]:
    """List the keys of the vault, one page."""
    call.authorise(operations.LIST, on_vault=True)
    items = {
        key.name: documents.list_item(call.vault, key, key.versions[-1], call.api_version, versioned=False)
        for key in call.vault.keys.values()
    }
    return _page(call, items, "/keys")


async def list_versions(call: VaultCall) -> dict[str, Any]:
    """List the versions of a key, one page; the order is by version id, not by age."""
    call.authorise(operations.LIST)
    key = operations.find_key(call.vault, call.name)
    items = {
        each.version: documents.list_item(call.vault, key, each, call.api_version, versioned=True)
        for each in key.versions
    }
    return _page(call, items, f"/keys/{key.name}/versions")


async def create_key(call: VaultCall) -> dict[str, Any]:
    """Create a key or a new version of it."""
    call.authorise(operations.CREATE)
    body = call.body(CREATE_BODY, required=("kty",))
    management.check_name_is_free(call.vault, call.name)
    attributes = body.get("attributes") or {}
    spec = management.VersionSpec(
        kty=body["kty"],
        key_ops=list(body.get("key_ops") or []),
        enabled=attributes.get("enabled") is not False,
        nbf=attributes.get("nbf"),
        exp=attributes.get("exp"),
        tags=body.get("tags") or {},
    )
    private_key = await _make_key(call, spec.kty, body)
    key, version = management.create_version(call.world, call.vault, call.name, private_key, spec)
    return documents.key_bundle(call.vault, key, version, call.api_version)


async def update_key(call: VaultCall) -> dict[str, Any]:
    """PATCH attributes, key operations and tags of one version."""
    call.authorise(operations.UPDATE)
    changes = call.body(UPDATE_BODY)
    key, version = operations.get_key(call.vault, call.name, call.version)
    management.update_version(call.world, version, changes)
    return documents.key_bundle(call.vault, key, version, call.api_version)


async def wrap_key(call: VaultCall) -> dict[str, Any]:
    """Wrap on the server."""
    call.authorise(operations.WRAP)
    body = call.body(OPERATION_BODY, required=("alg", "value"))
    plain = decode(body["value"], "value")
    identifier, wrapped = operations.wrap(
        call.world, call.vault, call.name, call.version, algorithm=body["alg"], plain=plain
    )
    return {"kid": identifier, "value": encode(wrapped)}


async def unwrap_key(call: VaultCall) -> dict[str, Any]:
    """Unwrap on the server."""
    call.authorise(operations.UNWRAP)
    body = call.body(OPERATION_BODY, required=("alg", "value"))
    wrapped = decode(body["value"], "value")
    identifier, plain = operations.unwrap(call.vault, call.name, call.version, algorithm=body["alg"], wrapped=wrapped)
    return {"kid": identifier, "value": encode(plain)}


async def rotate_key(call: VaultCall) -> dict[str, Any]:
    """Add a version like the newest."""
    call.authorise(operations.ROTATE)
    newest = operations.find_key(call.vault, call.name).versions[-1].private_key
    fresh = (
        await call.pool.take(newest.key_size)
        if isinstance(newest, RSAPrivateKey)
        else generate_elliptic(public_members(newest)["crv"])
    )
    key, version = management.rotate(call.world, call.vault, call.name, fresh)
    return documents.key_bundle(call.vault, key, version, call.api_version)


async def get_rotation_policy(call: VaultCall) -> dict[str, Any]:
    """Read the rotation policy."""
    call.authorise(operations.GET_ROTATION_POLICY)
    return documents.rotation_policy(call.vault, operations.find_key(call.vault, call.name))


async def set_rotation_policy(call: VaultCall) -> dict[str, Any]:
    """Replace the rotation policy."""
    call.authorise(operations.SET_ROTATION_POLICY)
    policy = call.body(ROTATION_POLICY_BODY)
    check_rotation_policy(policy)
    key = management.set_rotation_policy(call.world, call.vault, call.name, policy)
    return documents.rotation_policy(call.vault, key)


async def delete_key(call: VaultCall) -> dict[str, Any]:
    """Soft-delete a key."""
    call.authorise(operations.DELETE)
    key = management.delete_key(call.world, call.vault, call.name)
    return documents.deleted_bundle(call.vault, key, call.api_version)


async def list_deleted_keys(call: VaultCall) -> dict[str, Any]:
    """List soft-deleted keys, one page."""
    call.authorise(operations.LIST, on_vault=True)
    items = {
        key.name: documents.deleted_item(call.vault, key, call.api_version) for key in call.vault.deleted_keys.values()
    }
    return _page(call, items, "/deletedkeys")


async def get_deleted_key(call: VaultCall) -> dict[str, Any]:
    """Read a soft-deleted key."""
    call.authorise(operations.GET)
    key = management.find_deleted(call.vault, call.name)
    return documents.deleted_bundle(call.vault, key, call.api_version)


async def recover_key(call: VaultCall) -> dict[str, Any]:
    """Bring a soft-deleted key back."""
    call.authorise(operations.RECOVER)
    key = management.recover_key(call.vault, call.name)
    return documents.key_bundle(call.vault, key, key.versions[-1], call.api_version)


async def purge_key(call: VaultCall) -> None:
    """Remove a soft-deleted key for good; 204."""
    call.authorise(operations.PURGE)
    management.purge_key(call.vault, call.name)


async def _make_key(call: VaultCall, kty: str, body: dict[str, Any]) -> RSAPrivateKey | EllipticCurvePrivateKey:
    if kty in {"RSA", "RSA-HSM"}:
        bits = body.get("key_size") or 2048
        if bits not in _RSA_SIZES:
            raise bad_parameter("Property has invalid value\r\n\tkey_size")
        return await call.pool.take(bits)
    if kty in {"EC", "EC-HSM"}:
        try:
            return generate_elliptic(body.get("crv") or "P-256")
        except KeyError as error:
            raise bad_parameter("Property has invalid value\r\n\tcrv") from error
    raise bad_parameter("Property has invalid value\r\n\tkty")


def _page(call: VaultCall, items: dict[str, dict[str, Any]], path: str) -> dict[str, Any]:
    """One page of a list, in order of the items' ids; the last page's nextLink is null."""
    size = call.page_size()
    after = _read_token(call.query.get("$skiptoken"))
    rest: Sequence[str] = [name for name in sorted(items, key=str.lower) if name.lower() > after.lower()]
    page, more = rest[:size], len(rest) > size
    if call.world.vault_pages_begin_empty and not after:
        page, more = [], bool(rest)
    link = None
    if more:
        # The dot comes before every name, so that the page after an empty one begins at the beginning.
        marker = json.dumps({"NextMarker": page[-1] if page else ".", "TargetLocation": 0}).encode()
        token = base64.urlsafe_b64encode(marker).rstrip(b"=").decode("ascii")
        # Azure writes the port into the host of its links.
        link = (
            f"{operations.vault_uri(call.vault)}:443{path}?api-version={call.api_version}"
            f"&$skiptoken={token}&maxresults={size}"
        )
    return {"value": [items[name] for name in page], "nextLink": link}


def _read_token(token: str | None) -> str:
    if token is None:
        return ""
    try:
        return str(json.loads(decode(token, "$skiptoken"))["NextMarker"])
    except (ValueError, KeyError, TypeError) as error:
        raise bad_parameter("Property has invalid value\r\n\t$skiptoken") from error


def _route(method: str, path: str, operation: str, handler: Handler) -> Route:
    return Route(method, re.compile(path, re.IGNORECASE), operation, handler)


_NAME: Final = r"(?P<name>[^/]+)"
_KEY: Final = rf"/keys/{_NAME}"
_VERSION: Final = r"(?:/(?P<version>[^/]*))?"

ROUTES: Final = (
    _route("GET", r"/keys/?", "GetKeys", list_keys),
    _route("GET", r"/deletedkeys/?", "GetDeletedKeys", list_deleted_keys),
    _route("GET", rf"/deletedkeys/{_NAME}/?", "GetDeletedKey", get_deleted_key),
    _route("DELETE", rf"/deletedkeys/{_NAME}/?", "PurgeDeletedKey", purge_key),
    _route("POST", rf"/deletedkeys/{_NAME}/recover", "RecoverDeletedKey", recover_key),
    _route("POST", rf"{_KEY}/create", "CreateKey", create_key),
    _route("POST", rf"{_KEY}/rotate", "RotateKey", rotate_key),
    _route("GET", rf"{_KEY}/versions", "GetKeyVersions", list_versions),
    _route("GET", rf"{_KEY}/rotationpolicy", "GetKeyRotationPolicy", get_rotation_policy),
    _route("PUT", rf"{_KEY}/rotationpolicy", "UpdateKeyRotationPolicy", set_rotation_policy),
    _route("POST", rf"{_KEY}{_VERSION}/wrapkey", "WrapKey", wrap_key),
    _route("POST", rf"{_KEY}{_VERSION}/unwrapkey", "UnwrapKey", unwrap_key),
    _route("GET", rf"{_KEY}{_VERSION}/?", "GetKey", get_key),
    _route("PATCH", rf"{_KEY}{_VERSION}/?", "UpdateKey", update_key),
    _route("DELETE", rf"{_KEY}/?", "DeleteKey", delete_key),
)
