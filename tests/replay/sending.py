"""Whether the app would have sent a recorded request: method, path, headers of interest, members of the body.

The adapters' own requests are known from the reading. Clients of all kinds were recorded, so that members which only
they send are told, and only a member that both send in different spelling is a difference.
"""

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from tests.replay.answering import Sent
from tests.replay.places import Service, service_of, template
from tests.replay.recordings import Exchange
from tests.replay.shapes import kind, member_paths
from tests.replay.verdicts import Said, Verdict, not_ours

_OF_INTEREST: Final = (
    "content-type",
    "if-match",
    "dataserviceversion",
    "x-ms-version",
    "metadata",
    "x-identity-header",
)
_TELEMETRY: Final = frozenset({"x-ms-lib-capability", "client-request-id", "client_info"})
_COMPARED: Final = frozenset({Service.VAULT, Service.ARM, Service.IDENTITY, Service.TOPIC})
"""Services whose JSON bodies, if any, are the app's own; entities and forms hold other data."""


def compare_request(exchange: Exchange, sent: tuple[Sent, ...]) -> Said:
    """Compare the recorded request with what the adapter sent to read its answer."""
    service = service_of(exchange)
    wanted = template(service, exchange.url)
    near = [each for each in sent if each.method == exchange.method and _same_place(service, wanted, each.url)]
    if not near or service is Service.DELIVERY:
        return not_ours("the app makes no such request")
    ours = near[-1]
    if exchange.sent_body is not None and _medium(exchange.sent_headers) not in {"", _medium(ours.headers)}:
        return not_ours("the app sends another media type")
    if service is Service.ENTRA and (missing := _fields(exchange.sent_body) - _fields(ours.content.decode())):
        return not_ours(f"the app sends no {', '.join(sorted(missing))}")
    wrong = [f"header {name}" for name in _OF_INTEREST if name in exchange.sent_headers and name not in ours.headers]
    notes: list[str] = []
    if template(service, ours.url) != wanted:
        notes.append("it names the version")
    if service in _COMPARED and isinstance(exchange.sent_body, dict | list):
        wrong += _spelling(exchange, ours)
        alone = sorted(_tops(ours.body) - _tops(exchange.sent_body))
        notes += [f"it also sends {', '.join(alone)}"] if alone else []
    if wrong:
        return Said(Verdict.DIFFERS, f"the app's request differs: {'; '.join(wrong)}")
    return Said(Verdict.YES, f"{ours.method} {template(service, ours.url)}" + "".join(f"; {note}" for note in notes))


def _same_place(service: Service, wanted: str, url: str) -> bool:
    ours = template(service, url)
    if urlsplit(url).path.lower() == wanted.lower() or ours.lower() == wanted.lower():
        return True
    # The app never wraps without saying with which version.
    return service is Service.VAULT and ours.replace("/{version}", "") == wanted.replace("/{version}", "")


def _medium(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _fields(form: Any) -> set[str]:
    """The OAuth fields of a form; clients add telemetry of their own."""
    named = {name for name, _ in parse_qsl(form)} if isinstance(form, str) else set()
    return {name for name in named if not name.startswith("x-client") and name not in _TELEMETRY}


def _spelling(exchange: Exchange, ours: Sent) -> list[str]:
    """Members that both send, spelt or typed otherwise."""
    theirs = {path.lower(): path for path in member_paths(exchange.sent_body)}
    found = [
        f"{path} is spelt {theirs[path.lower()]}"
        for path in sorted(member_paths(ours.body))
        if theirs.get(path.lower(), path) != path
    ]
    return found if kind(exchange.sent_body) == kind(ours.body) else [*found, "the body is of another type"]


def _tops(body: object) -> set[str]:
    """The members that say what a request is for: of the body, its properties, and the encryption in them."""
    return {path.removeprefix("$.") for path in member_paths(body) if path.count(".") <= 4 and "[]" not in path}
