"""CrossKey's settings: one frozen dataclass, made once from a mapping of names to texts.

`Settings.from_mapping` reads everything before it complains, so that an operator sees every missing or
malformed name at once. Secrets redact themselves in `repr`. Nothing here reads the process environment;
`bootstrap` passes it in.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from shared.domain.clouds import PUBLIC, Cloud
from shared.domain.identifiers import MalformedIdentifier, guid
from shared.errors import SettingsInvalid

STORAGE = "AzureWebJobsStorage"
MINIMUM_SIGNING_KEY = 32
IDENTITY_RESOURCE_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourcegroups/[^/]+"
    r"/providers/microsoft\.managedidentity/userassignedidentities/[^/]+",
    re.IGNORECASE,
)
POOL_MEMBERS = ("name", "clientId", "identityClientId", "identityResourceId")


class SecretText(str):
    """Text that must not be shown: its `repr` says nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<redacted>"


class SecretBytes(bytes):
    """Bytes that must not be shown: neither their `repr` nor their `str` says anything."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<redacted>"

    def __str__(self) -> str:
        return "<redacted>"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolApplication:
    """One multitenant application of the pool, and the managed identity that it trusts."""

    name: str
    client_id: str
    identity_client_id: str
    identity_resource_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Where tables and queues live: a connection string, or both service URIs for a managed identity."""

    connection_string: SecretText | None = None
    table_service_uri: str | None = None
    queue_service_uri: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an operator decides."""

    provider_tenant_id: str
    api_client_id: str
    applications: tuple[PoolApplication, ...]
    identity_client_id: str
    topic_endpoint: str
    public_url: str
    signing_key: SecretBytes
    subscriptions: frozenset[str]
    storage: Storage
    sweep_schedule: str
    webhook_keys: tuple[SecretBytes, ...] = ()
    cloud: Cloud = PUBLIC

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, str]) -> Self:
        """Read every setting. Raises `SettingsInvalid` naming all that are missing or malformed."""
        reader = _Reader(mapping)
        settings = cls(
            provider_tenant_id=reader.read("CROSSKEY_PROVIDER_TENANT_ID", guid, ""),
            api_client_id=reader.read("CROSSKEY_API_CLIENT_ID", guid, ""),
            applications=reader.read("CROSSKEY_APPLICATIONS", _applications, ()),
            identity_client_id=reader.read("CROSSKEY_IDENTITY_CLIENT_ID", guid, ""),
            topic_endpoint=reader.read("CROSSKEY_TOPIC_ENDPOINT", lambda text: _topic(text, PUBLIC), ""),
            public_url=reader.read("CROSSKEY_PUBLIC_URL", _public_url, ""),
            signing_key=reader.read("CROSSKEY_SIGNING_KEY", _signing_key, SecretBytes()),
            subscriptions=reader.read("CROSSKEY_SUBSCRIPTIONS", _subscriptions, frozenset()),
            storage=_storage(reader),
            sweep_schedule=reader.read("CROSSKEY_SWEEP_SCHEDULE", _schedule, ""),
            webhook_keys=reader.read_optional("CROSSKEY_WEBHOOK_KEYS", _webhook_keys, ()),
        )
        if reader.problems:
            raise SettingsInvalid(tuple(reader.problems))
        return settings

    def application(self, client_id: str) -> PoolApplication | None:
        """The pool's application of that client id; None when it left the pool."""
        return next((one for one in self.applications if one.client_id == client_id), None)


class _Reader:
    """Reads names from the mapping and collects what is wrong with them."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._mapping = mapping
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        """The text of a name without surrounding blanks; empty when there is none."""
        return self._mapping.get(name, "").strip()

    def read[T](self, name: str, parse: Callable[[str], T], otherwise: T) -> T:
        """Parse a required name; on trouble, note it and go on with `otherwise`."""
        text = self.text(name)
        if not text:
            self.problems.append(f"{name} is missing")
            return otherwise
        try:
            return parse(text)
        except MalformedIdentifier as error:
            self.problems.append(f"{name} {error}")
        except ValueError as error:
            # The parsers below say what the value must be and never quote it: it may be a secret.
            self.problems.append(f"{name} {error}")
        return otherwise

    def read_optional[T](self, name: str, parse: Callable[[str], T], otherwise: T) -> T:
        """Parse a name that may be missing."""
        return self.read(name, parse, otherwise) if self.text(name) else otherwise


def _storage(reader: _Reader) -> Storage:
    if connection := reader.text(STORAGE):
        return Storage(connection_string=SecretText(connection))
    table, queue = f"{STORAGE}__tableServiceUri", f"{STORAGE}__queueServiceUri"
    if not reader.text(table) and not reader.text(queue):
        reader.problems.append(f"{STORAGE} is missing (a connection string, or {table} and {queue})")
        return Storage()
    client = f"{STORAGE}__clientId"
    return Storage(
        table_service_uri=reader.read(table, _https, ""),
        queue_service_uri=reader.read(queue, _https, ""),
        client_id=reader.read(client, guid, "") if reader.text(client) else None,
    )


def _https(text: str) -> str:
    try:
        url = urlsplit(text)
        wrong = url.scheme != "https" or not url.hostname or url.username is not None or url.query or url.fragment
    except ValueError:
        wrong = True
    if wrong:
        raise ValueError("must be an https URL without user-info, query or fragment")
    return text.rstrip("/")


def _public_url(text: str) -> str:
    url = _https(text)
    if urlsplit(url).path:
        raise ValueError("must be an https URL without a path, such as https://crosskey.azurewebsites.net")
    return url


def _topic(text: str, cloud: Cloud) -> str:
    # The managed identity's token goes to this host, so it must be one of Event Grid's.
    url = _https(text)
    suffix = f".{urlsplit(cloud.event_grid_audience).hostname}"
    if not (urlsplit(url).hostname or "").endswith(suffix):
        raise ValueError(f"must be a topic's endpoint: https://<topic>.<region>{suffix}/api/events")
    return url


def _signing_key(text: str) -> SecretBytes:
    if (key := _key(text)) is None:
        raise ValueError(f"must be the base64 of at least {MINIMUM_SIGNING_KEY} random bytes")
    return key


def _webhook_keys(text: str) -> tuple[SecretBytes, ...]:
    keys = tuple(key for part in text.split(",") if (key := _key(part.strip())) is not None)
    if len(keys) != len(text.split(",")):
        raise ValueError(
            f"must be one or more keys separated by commas, each the base64 of at least {MINIMUM_SIGNING_KEY} "
            "random bytes; the first one makes new secrets"
        )
    return keys


def _key(text: str) -> SecretBytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return SecretBytes(key) if len(key) >= MINIMUM_SIGNING_KEY else None


def _subscriptions(text: str) -> frozenset[str]:
    try:
        found = frozenset(guid(part.strip()) for part in text.split(",") if part.strip())
    except MalformedIdentifier:
        found = frozenset()
    if not found:
        raise ValueError("must be one or more Azure subscription ids, separated by commas")
    return found


def _schedule(text: str) -> str:
    if len(text.split()) != 6:
        raise ValueError('must be an NCRONTAB expression of six fields, such as "0 */5 * * * *"')
    return text


def _applications(text: str) -> tuple[PoolApplication, ...]:
    shape = f"must be a JSON array of objects with exactly the members {', '.join(POOL_MEMBERS)}"
    try:
        items = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(shape) from error
    if not isinstance(items, list) or not items:
        raise ValueError(shape)
    applications = tuple(_application(item, shape) for item in items)
    for member in ("name", "client_id"):
        values = [getattr(one, member) for one in applications]
        if len(values) != len(set(values)):
            raise ValueError("must not name the same name or clientId twice")
    return applications


def _application(item: Any, shape: str) -> PoolApplication:
    match item:
        case {
            "name": str(name),
            "clientId": str(client),
            "identityClientId": str(identity),
            "identityResourceId": str(resource),
        } if len(item) == len(POOL_MEMBERS) and name.strip():
            if not IDENTITY_RESOURCE_ID.fullmatch(resource):
                raise ValueError("identityResourceId must be the ARM id of a user-assigned managed identity")
            return PoolApplication(
                name=name,
                client_id=guid(client),
                identity_client_id=guid(identity),
                identity_resource_id=resource,
            )
        case _:
            raise ValueError(shape)
