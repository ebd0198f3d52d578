"""Recorded exchanges as they are stored, with made-up names replaced by such as the services accept.

A recording is one exchange, or `exchanges`, a list of them. Recorders and quotations leave placeholders (`{name}`,
`fakevault.local`, `REDACTED`) where Azure has names; the rest of the replay sees valid ones.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

VAULT_HOST: Final = "recorded.vault.azure.net"
TENANT: Final = "20000000-0000-4000-8000-000000000001"
NO_VERSION: Final = "0" * 32
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z][\w .-]*)\}")
_VALID: Final = {
    "version": NO_VERSION,
    "subscription-id": TENANT,
    "subscriptionid": TENANT,
    "subscription": TENANT,
    "sub": TENANT,
    "tenant": TENANT,
    "vault": VAULT_HOST.partition(".")[0],
}
_OBJECT_ADDRESS: Final = re.compile(r"https://[^/\"\s:]+(:443)?(?=/(?:keys|deletedkeys|secrets|certificates)\b)")
_OBJECTS: Final = ("/keys", "/deletedkeys", "/secrets", "/deletedsecrets", "/certificates")
_SUBSCRIPTION: Final = re.compile(r"(?i)(/subscriptions/)x[x-]*(?=[/\"?]|$)")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. Header names are lower case; `status` 0 means that none was recorded."""

    file: str
    number: int
    kind: str
    method: str
    url: str
    sent_headers: dict[str, str]
    sent_body: Any
    status: int
    headers: dict[str, str]
    body: Any
    before: tuple["Exchange", ...]
    """The exchanges before it in the same recording."""

    @property
    def host(self) -> str:
        return (urlsplit(self.url).hostname or "").lower()

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.url).path)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def is_quotation(self) -> bool:
        """Whether people left things out: what is missing here may be there in Azure."""
        return self.kind != "recorded"

    @property
    def error(self) -> dict[str, Any]:
        """The error object of the answer, whatever it is wrapped in; empty where there is none."""
        body = self.body if isinstance(self.body, dict) else {}
        found = body.get("error", body.get("odata.error", {}))
        return found if isinstance(found, dict) else {}

    @property
    def code(self) -> str:
        return str(self.error.get("code") or "")

    @property
    def inner_code(self) -> str:
        """The innermost code."""
        found, inner = "", self.error.get("innererror")
        while isinstance(inner, dict):
            found, inner = str(inner.get("code") or found), inner.get("innererror")
        return found


class Unreadable(ValueError):
    """A file that is no recording; the text says why."""


def recordings(folder: Path) -> Iterator[Path]:
    """Every recording below a folder, in order."""
    return iter(sorted(path for path in folder.rglob("*.json") if path.is_file()))


def load(path: Path, folder: Path) -> list[Exchange]:
    """The exchanges of one recording. Raises `Unreadable`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Unreadable(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable("it is not a JSON object")
    entries = document.get("exchanges", [document])
    found: list[Exchange] = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("request"), dict):
            raise Unreadable(f"exchange {number} has no request")
        name = path.relative_to(folder).as_posix()
        found.append(_exchange(name, number, str(document.get("kind") or ""), entry, tuple(found)))
    return found


def _exchange(file: str, number: int, kind: str, entry: dict[str, Any], before: tuple[Exchange, ...]) -> Exchange:
    asked = entry["request"]
    if _is_vault(str(asked.get("url") or "")):
        entry = json.loads(_OBJECT_ADDRESS.sub(rf"https://{VAULT_HOST}\1", json.dumps(entry)))
    plain = _PLACEHOLDER.sub(lambda found: _VALID.get(found[1].lower(), found[1]), json.dumps(entry))
    entry = json.loads(_SUBSCRIPTION.sub(rf"\g<1>{TENANT}", plain))
    asked, answered = entry["request"], entry.get("response") or {}
    return Exchange(
        file=file,
        number=number,
        kind=kind,
        method=str(asked.get("method") or "").upper(),
        url=str(asked.get("url") or ""),
        sent_headers=_headers(asked.get("headers")),
        sent_body=asked.get("body"),
        status=_status(answered.get("status")),
        headers=_headers(answered.get("headers")),
        body=answered.get("body"),
        before=before,
    )


def _status(value: Any) -> int:
    return int(value) if str(value).isdecimal() else 0


def _is_vault(url: str) -> bool:
    parts = urlsplit(url)
    return parts.path.startswith(_OBJECTS) and "hsm" not in parts.netloc.lower()


def _headers(headers: Any) -> dict[str, str]:
    pairs = headers.items() if isinstance(headers, dict) else ()
    return {
        str(name).lower(): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in pairs
    }
