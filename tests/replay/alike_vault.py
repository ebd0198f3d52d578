"""Key Vault's exchanges on the local Azure: the vault, its keys and its caller are made as the recording shows them."""

import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local import names
from local.key_vault.crypto import encode, wrap_bytes
from local.key_vault.handlers import ROUTES
from local.key_vault.key_pool import generate, generate_elliptic
from local.key_vault.management import EC_OPERATIONS, RSA_OPERATIONS
from local.key_vault.service import API_VERSIONS
from local.world import AccessPolicy, Firewall, KeyVersion, Vault, VaultKey, World
from tests.replay.explained import NotCovered
from tests.replay.recordings import TENANT, VAULT_HOST, Exchange
from tests.replay.stage import ADMINISTRATOR, PROVIDER, LocalAnswer, Stage, nearest, with_version

VAULT: Final = VAULT_HOST.partition(".")[0]
VAULT_ID: Final = f"/subscriptions/{TENANT}/resourceGroups/recorded/providers/Microsoft.KeyVault/vaults/{VAULT}"
_OFFICER: Final = "Key Vault Crypto Officer"
_ASSIGNMENT: Final = "x-ms-keyvault-rbac-assignment-id"
_WINDOW: Final[dict[str, dict[str, Any]]] = {
    "KeyExpired": {"exp": 1},
    "KeyNotYetValid": {"nbf": 4102444800},
    "KeyDisabled": {"enabled": False},
}
_ABOUT_KEYS: Final = {*_WINDOW, "ObjectIsDeletedButRecoverable"}
_POLICY: Final = {"ForbiddenByPolicy", "AccessDenied"}
_SEEDED: Final = frozenset({*_WINDOW, *_POLICY, "ForbiddenByRbac", "ForbiddenByFirewall", ""})
_PAGE: Final = 25
_FIRST: Final = "0" * 30


def ask_vault(stage: Stage, exchange: Exchange) -> LocalAnswer:
    """Make the state and repeat the request. Raises `NotCovered`."""
    operation = _operation(exchange)
    vault = _vault(exchange)
    if exchange.status < 300 or exchange.inner_code in _ABOUT_KEYS or operation == "PurgeDeletedKey":
        _put_keys(vault, exchange, operation or "")

    def seed(world: World) -> None:
        world.vaults[VAULT] = vault
        if exchange.inner_code in _POLICY:
            world.access_policy_refusal = exchange.inner_code
        world.vault_pages_begin_empty = _is_empty_page(exchange)

    stage.change(seed)
    if vault.rbac and exchange.inner_code != "ForbiddenByRbac":
        stage.grant(_OFFICER, VAULT_ID)
    if exchange.status >= 500:
        stage.fault("keyvault", exchange)
    url = with_version(exchange.url, nearest(exchange.query.get("api-version", API_VERSIONS[-1]), API_VERSIONS))
    token = _token(stage, exchange)
    if "$skiptoken" in exchange.query:
        url = _second_page(stage, url, token)
    headers = {"x-ms-client-request-id": str(uuid.UUID(int=0))} if "x-ms-client-request-id" in exchange.headers else {}
    return stage.ask(exchange.method, url, token=token, body=_body(exchange, operation), headers=headers)


def _operation(exchange: Exchange) -> str | None:
    """The local Azure's name of the operation; None where what is recorded comes before any. Raises `NotCovered`."""
    asked = (each for each in ROUTES if each.method == exchange.method and each.path.fullmatch(exchange.path))
    operation = next((each.operation for each in asked), None)
    if operation is None and exchange.status not in {401, 429}:
        kind = exchange.path.split("/")[1]
        raise NotCovered("key operations" if kind in {"keys", "deletedkeys"} else "secrets and certificates")
    if not _is_known_type(exchange):
        raise NotCovered("other key types")
    if exchange.status == 409 and exchange.inner_code != "ObjectIsDeletedButRecoverable":
        raise NotCovered("moments between deletion and recovery")
    if exchange.status == 403 and exchange.inner_code not in _SEEDED:
        raise NotCovered("other refusals of a vault")
    return operation


def _is_known_type(exchange: Exchange) -> bool:
    body = exchange.body if isinstance(exchange.body, dict) else {}
    key = body.get("key")
    if not isinstance(key, dict):
        return True
    kinds = {"RSA", "RSA-HSM", "EC", "EC-HSM"}
    return key.get("kty", "RSA") in kinds and key.get("crv", "P-256") in {"P-256", "P-384", "P-521"}


def _token(stage: Stage, exchange: Exchange) -> str | None:
    if exchange.status == 401 and "AKV10032" not in str(exchange.error.get("message")):
        return None
    tenant = PROVIDER if exchange.status == 401 else TENANT
    return stage.token(names.VAULT_RESOURCE, tenant=tenant)


def _vault(exchange: Exchange) -> Vault:
    attributes = _attributes(exchange)
    level = str(attributes.get("recoveryLevel") or "")
    rbac = _ASSIGNMENT in exchange.headers or exchange.inner_code == "ForbiddenByRbac"
    granted = rbac or exchange.inner_code in _POLICY
    return Vault(
        VAULT,
        VAULT_ID,
        TENANT,
        exchange.headers.get("x-ms-keyvault-region", names.LOCATION),
        soft_delete_days=int(attributes.get("recoverableDays") or 90),
        purge_protection="Purgeable" not in level and exchange.status != 204,
        rbac=rbac,
        access_policies=[] if granted else [AccessPolicy(ADMINISTRATOR, {"all"})],
        firewall=Firewall("Deny" if exchange.inner_code == "ForbiddenByFirewall" else "Allow"),
        transactions_per_10_seconds=0 if exchange.status == 429 else 4000,
    )


def _attributes(exchange: Exchange) -> dict[str, Any]:
    body = exchange.body if isinstance(exchange.body, dict) else {}
    for each in (body, *(body.get("value") or [])):
        if isinstance(each, dict) and isinstance(each.get("attributes"), dict):
            return dict(each["attributes"])
    return {}


def _put_keys(vault: Vault, exchange: Exchange, operation: str) -> None:
    body = exchange.body if isinstance(exchange.body, dict) else {}
    if operation == "CreateKey" and exchange.status < 300:
        return
    name = exchange.path.split("/")[2] if exchange.path.count("/") > 1 else "recorded"
    deleted = "deletedkeys" in exchange.path.lower() or exchange.status == 409
    items = body.get("value")
    if isinstance(items, list) and operation != "GetKeyVersions":
        for each in [*_before(exchange), *items, *_after(body)]:
            # An address has the name as its fifth step; a filler is a step alone.
            steps = str(each.get("kid")).split("/")
            _add(vault, steps[4] if len(steps) > 4 else steps[-1], [each], deleted=deleted)
        return
    versions = items if isinstance(items, list) else [{**body, "kid": _kid(exchange, body)}]
    versions = [*_before(exchange), *versions, *_after(body)]
    key = _add(vault, name, versions, deleted=deleted)
    window = _WINDOW.get(exchange.inner_code, {})
    for member, value in window.items():
        setattr(key.versions[-1], member, value)
    if "RotationPolicy" in operation and "lifetimeActions" in body:
        key.rotation_policy = {each: body[each] for each in ("lifetimeActions", "attributes") if each in body}
    elif operation == "RotateKey" and "exp" in body.get("attributes", {}):
        key.rotation_policy = {"lifetimeActions": [], "attributes": {"expiryTime": "P90D"}}


def _kid(exchange: Exchange, body: dict[str, Any]) -> str:
    asked = [*exchange.path.split("/"), "", ""][3]
    known = (body.get("key") or {}).get("kid") or body.get("kid")
    return str(known or f"/{asked if len(asked) == 32 else _FIRST + '01'}")


def _before(exchange: Exchange) -> list[dict[str, Any]]:
    """Versions on the pages before this one."""
    count = int(exchange.query.get("maxresults", _PAGE)) if "$skiptoken" in exchange.query else 0
    return [{"kid": f"/{_FIRST}{index:02d}"} for index in range(count)]


def _after(body: dict[str, Any]) -> list[dict[str, Any]]:
    """A version on the page after this one."""
    return [{"kid": "/" + "f" * 32}] if body.get("nextLink") else []


def _is_empty_page(exchange: Exchange) -> bool:
    body = exchange.body if isinstance(exchange.body, dict) else {}
    return body.get("value") == [] and bool(body.get("nextLink"))


def _add(vault: Vault, name: str, items: list[dict[str, Any]], *, deleted: bool) -> VaultKey:
    key = VaultKey(name, [_version(each) for each in items])
    if deleted:
        key.deleted_at = datetime.now(UTC)
        key.scheduled_purge_at = key.deleted_at + timedelta(days=vault.soft_delete_days)
    (vault.deleted_keys if deleted else vault.keys)[name] = key
    return key


def _version(item: dict[str, Any]) -> KeyVersion:
    attributes, public = item.get("attributes") or {}, item.get("key") or {}
    kty = str(public.get("kty") or "RSA")
    private = _elliptic(str(public.get("crv") or "P-256")) if kty.startswith("EC") else rsa_key()
    return KeyVersion(
        version=str(item.get("kid")).rpartition("/")[2].lower(),
        private_key=private,
        kty=kty,
        key_ops=list(public.get("key_ops") or (EC_OPERATIONS if kty.startswith("EC") else RSA_OPERATIONS)),
        created=int(attributes.get("created") or 1),
        updated=int(attributes.get("updated") or 1),
        enabled=attributes.get("enabled") is not False,
        nbf=attributes.get("nbf"),
        exp=attributes.get("exp"),
        tags=dict(item.get("tags") or {}),
        near_expiry_raised=True,
        expired_raised=True,
    )


@cache
def rsa_key() -> RSAPrivateKey:
    """One private key for everything that is seeded: making one takes long."""
    return generate()


@cache
def _elliptic(curve: str) -> EllipticCurvePrivateKey:
    return generate_elliptic(curve)


def _second_page(stage: Stage, url: str, token: str | None) -> str:
    """Our own link to the page that was recorded: tokens of lists mean nothing elsewhere."""
    first = "&".join(each for each in url.split("&") if not each.startswith("$skiptoken"))
    link = (stage.ask("GET", first, token=token).body or {}).get("nextLink")
    return str(link or url)


def _body(exchange: Exchange, operation: str | None) -> Any:
    """The recorded body or, where the recorder left it out, the least that the operation takes."""
    if operation in {"WrapKey", "UnwrapKey"}:
        # What another key wrapped cannot be unwrapped here; a wrapped value is made with the seeded key.
        return {"alg": "RSA-OAEP", "value": "c2VjcmV0" if operation == "WrapKey" else _wrapped()}
    if exchange.sent_body is not None or exchange.method in {"GET", "DELETE"} or exchange.status == 401:
        return exchange.sent_body
    body = exchange.body if isinstance(exchange.body, dict) else {}
    key = body.get("key") or {}
    if operation == "CreateKey":
        made = {name: key[name] for name in ("kty", "key_ops", "crv") if name in key}
        attributes = {name: value for name, value in _attributes(exchange).items() if name in {"enabled", "nbf", "exp"}}
        return {"kty": "RSA", **made, "attributes": attributes, **({"tags": body["tags"]} if "tags" in body else {})}
    return {"attributes": {"enabled": True}} if operation == "UpdateKey" else None


@cache
def _wrapped() -> str:
    return encode(wrap_bytes(rsa_key(), "RSA-OAEP", b"recorded"))
