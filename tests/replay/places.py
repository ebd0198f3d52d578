"""Where a request goes: which service, and which path template, so that rules speak of operations and not of files."""

import re
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from tests.replay.recordings import Exchange

_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VERBS: Final = frozenset(
    {
        *("create", "import", "restore", "rotate", "rotationpolicy", "versions", "backup", "release", "recover"),
        *("wrapkey", "unwrapkey", "encrypt", "decrypt", "sign", "verify", "attestation"),
    }
)
_ENTRA: Final = frozenset({"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"})


class Service(StrEnum):
    """The services that recordings are of."""

    VAULT = "Key Vault"
    HSM = "Managed HSM"
    ARM = "Resource Manager"
    ENTRA = "Microsoft Entra"
    IDENTITY = "managed identity endpoint"
    GRAPH = "Microsoft Graph"
    TOPIC = "Event Grid topic"
    DELIVERY = "Event Grid delivery"
    TABLES = "table service"
    STORAGE = "storage data plane"
    OTHER = "another service"


_BY_HOST: Final = (
    ("management.azure.com", Service.ARM),
    ("graph.microsoft.com", Service.GRAPH),
    (".table.core.windows.net", Service.TABLES),
    (".core.windows.net", Service.STORAGE),
    (".eventgrid.azure.net", Service.TOPIC),
)


def service_of(exchange: Exchange) -> Service:
    """The service that a recorded request went to; a delivery goes from Event Grid to us."""
    host, path = exchange.host, exchange.path
    if _is_delivery(exchange):
        return Service.DELIVERY
    if path.startswith(("/keys", "/deletedkeys", "/secrets", "/deletedsecrets", "/certificates")):
        return Service.HSM if "hsm" in host else Service.VAULT
    if host == "169.254.169.254" or path.lower().rstrip("/").endswith("/msi/token"):
        return Service.IDENTITY
    if host in _ENTRA:
        return Service.ENTRA
    return next((service for ending, service in _BY_HOST if host.endswith(ending)), Service.OTHER)


def template(service: Service, url: str) -> str:
    """The path with names replaced by what they are. Its words keep their spelling."""
    path = urlsplit(url).path
    if service in {Service.VAULT, Service.HSM}:
        return _object_template(path)
    if service is Service.ARM:
        return _resource_template(path)
    if service is Service.TABLES:
        return re.sub(r"\(.+\)", "({keys})", re.sub(r"^/(?!Tables\b|\$batch)[^/(]+", "/{table}", path))
    return re.sub(r"^/[^/]+(?=/(?:oauth2|v2\.0|discovery/v2))", "/{tenant}", _GUID.sub("{id}", path))


def _object_template(path: str) -> str:
    steps = path.split("/")
    for index, step in enumerate(steps[2:], 2):
        if index == 2 and step:
            steps[index] = "{name}"
        elif step and step.lower() not in _VERBS:
            steps[index] = "{version}"
    return "/".join(steps)


def _resource_template(path: str) -> str:
    steps = path.strip("/").split("/")
    made: list[str] = []
    index = 0
    while index < len(steps):
        word = steps[index]
        made.append(word)
        if word.lower() == "providers" and index + 1 < len(steps):
            made.append(steps[index + 1])
        elif index + 1 < len(steps):
            made.append("{name}")
        index += 2
    return "/" + "/".join(made)


def _is_delivery(exchange: Exchange) -> bool:
    names = set(exchange.sent_headers)
    if "aeg-event-type" in names or "webhook-request-origin" in names:
        return True
    if exchange.host.endswith(".azure.net") or exchange.method != "POST":
        return False
    events = exchange.sent_body if isinstance(exchange.sent_body, list) else [exchange.sent_body]
    return all(isinstance(each, dict) and ("eventType" in each or "specversion" in each) for each in events)
