"""Key Vault's answers through the real vault adapter."""

import base64
from typing import Any, Final

from shared.adapters.key_vault import AUTHORITY, AzureKeyVault
from shared.domain.clouds import PUBLIC
from shared.domain.identifiers import GUID, KEY_NAME, KEY_VERSION, KeyIdentifier
from shared.domain.key_observation import ObservedKey
from shared.errors import CrossKeyError
from tests.replay.answering import Answer, AnyCredentials, RecordedTransport, Sent
from tests.replay.recordings import NO_VERSION, TENANT, VAULT_HOST, Exchange
from tests.replay.verdicts import Said, describe, not_ours, read, wrong_with

WHO: Final = {"tenant_id": TENANT, "application": "app"}
_CHALLENGE: Final = Answer(
    401,
    {"WWW-Authenticate": f'Bearer authorization="{PUBLIC.authority}/{TENANT}", resource="{PUBLIC.vault_audience}"'},
    {"error": {"code": "Unauthorized", "message": "AKV10000: Request is missing a Bearer or PoP token."}},
)
_NO_MORE: Final = Answer(200, {"Content-Type": "application/json"}, {"value": [], "nextLink": None})


async def read_vault(exchange: Exchange) -> Said:
    """Read one answer of a vault as the app would."""
    if exchange.status == 401 and "www-authenticate" in exchange.headers:
        return await _challenge(exchange)
    verb = exchange.path.rstrip("/").rpartition("/")[2].lower()
    if exchange.status == 200 and verb in {"wrapkey", "unwrapkey"}:
        return await _operation(exchange, verb)
    if exchange.status == 200 and verb == "versions":
        return await _versions(exchange)
    body = exchange.body if isinstance(exchange.body, dict) else {}
    if exchange.status < 300 and not isinstance(body.get("key"), dict):
        return not_ours("the app reads keys, their versions, and what was wrapped")
    return await _key(exchange, body.get("key") or {})


def adapter(exchange: Exchange) -> tuple[AzureKeyVault, RecordedTransport]:
    """The vault adapter on a vault that asks for a token and then answers as recorded, once."""
    answered = False

    def answer(sent: Sent) -> Answer:
        nonlocal answered
        if "authorization" not in sent.headers:
            return _CHALLENGE
        if answered and exchange.status == 200:
            return _NO_MORE
        answered = True
        return Answer(exchange.status, exchange.headers, exchange.body)

    transport = RecordedTransport(answer)
    return AzureKeyVault(AnyCredentials(), transport, PUBLIC), transport


def key_of(exchange: Exchange) -> KeyIdentifier:
    """The key that the path names, made valid where the recording's is not."""
    _, _, name, version, *_ = [*exchange.path.split("/"), "", "", "", ""]
    known = version.lower() if KEY_VERSION.fullmatch(version.lower()) else None
    return KeyIdentifier(VAULT_HOST, name if KEY_NAME.fullmatch(name) else "recorded", known)


async def _challenge(exchange: Exchange) -> Said:
    transport = RecordedTransport(lambda _: Answer(exchange.status, exchange.headers, exchange.body))
    vault = AzureKeyVault(AnyCredentials(), transport, PUBLIC)
    authority = AUTHORITY.search(exchange.headers["www-authenticate"])
    tenant = (authority[1] if authority else "").rstrip("/").rpartition("/")[2].lower()
    try:
        found = await vault.read_challenge(key_of(exchange))
    except CrossKeyError as error:
        wrong = [f"its tenant is {tenant}"] if GUID.fullmatch(tenant) else []
        return read(f"{describe(error)}: no tenant", transport.sent, wrong)
    wrong = [] if found.tenant_id == tenant else [f"its tenant is {tenant}"]
    region = exchange.headers.get("x-ms-keyvault-region")
    wrong += [] if found.region == region else [f"its region is {region}"]
    return read(f"the vault is of tenant {found.tenant_id}", transport.sent, wrong)


async def _key(exchange: Exchange, document: dict[str, Any]) -> Said:
    vault, transport = adapter(exchange)
    try:
        found = await vault.read_key(key_of(exchange), **WHO)
    except CrossKeyError as error:
        return read(describe(error), transport.sent, wrong_with(error, exchange))
    if found is None:
        right = (exchange.status, exchange.code) == (404, "KeyNotFound")
        return read("no such key", transport.sent, [] if right else ["there is one"])
    state = "enabled" if found.enabled else "disabled"
    text = f"{found.key_type} key, {state}, {found.recovery_level}"
    return read(text, transport.sent, _wrong_key(found, document, exchange.body))


def _wrong_key(found: ObservedKey, key: dict[str, Any], body: dict[str, Any]) -> list[str]:
    attributes = body.get("attributes") or {}
    pairs = {
        "version": (found.version, str(key.get("kid")).rpartition("/")[2]),
        "kty": (found.key_type, key.get("kty")),
        "bits": (found.bits, _bits(key) if str(key.get("kty")).startswith("RSA") else 0),
        "key_ops": (found.operations, frozenset(key.get("key_ops") or ())),
        "enabled": (found.enabled, attributes.get("enabled")),
        "nbf": (found.not_before and found.not_before.timestamp(), attributes.get("nbf")),
        "exp": (found.expires and found.expires.timestamp(), attributes.get("exp")),
        "created": (found.created.timestamp(), attributes.get("created")),
        "recoveryLevel": (found.recovery_level, attributes.get("recoveryLevel")),
        "tags": (found.tags, body.get("tags") or {}),
    }
    return [f"{name} is {wanted}, not {ours}" for name, (ours, wanted) in pairs.items() if ours != wanted]


def _bits(key: dict[str, Any]) -> int:
    modulus = str(key.get("n") or "")
    return int.from_bytes(base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()


async def _versions(exchange: Exchange) -> Said:
    vault, transport = adapter(exchange)
    found = await vault.list_versions(key_of(exchange), **WHO)
    listed = exchange.body.get("value") or []
    wanted = {(each["kid"].rpartition("/")[2], each["attributes"]["enabled"]) for each in listed}
    wrong = [] if {(version, enabled) for version, enabled, _ in found} == wanted else ["other versions were listed"]
    ages = [created for _, _, created in found]
    wrong += [] if ages == sorted(ages, reverse=True) else ["they are not newest first"]
    pages = len([each for each in transport.sent if "authorization" in each.headers])
    if bool(exchange.body.get("nextLink")) != (pages > 1):
        wrong.append("the next page was not asked for, or there is none")
    return read(f"{len(found)} versions" + (", and more" if pages > 1 else ""), transport.sent, wrong)


async def _operation(exchange: Exchange, verb: str) -> Said:
    vault, transport = adapter(exchange)
    key = KeyIdentifier.parse(str(exchange.body.get("kid")))
    value = str(exchange.body.get("value"))
    if verb == "wrapkey":
        wrapped = await vault.wrap(key, b"recorded", **WHO)
        return read(f"wrapped with {key.version}", transport.sent, [] if wrapped == value else ["the text is another"])
    plain = await vault.unwrap(key.with_version(key.version or NO_VERSION), "AAAA", **WHO)
    right = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)) == plain
    return read(f"unwrapped with {key.version}", transport.sent, [] if right else ["the bytes are others"])
