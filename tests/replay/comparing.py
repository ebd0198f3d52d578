"""Whether an answer of the local Azure is built like the recorded one: status, codes, members, types, header names."""

from typing import Final

from tests.replay.recordings import Exchange
from tests.replay.shapes import differences
from tests.replay.stage import LocalAnswer

SIGNIFICANT: Final = (
    *("retry-after", "location", "azure-asyncoperation", "www-authenticate", "x-ms-failure-cause", "etag"),
    *("webhook-allowed-origin", "webhook-allowed-rate"),
)
"""Headers that clients act on: one that Azure did not send must not come from us either."""

_NOT_COMPARED: Final = frozenset(
    {
        *("date", "content-length", "content-encoding", "transfer-encoding", "connection", "server", "vary", "via"),
        *("cache-control", "pragma", "expires", "set-cookie", "p3p", "strict-transport-security"),
        *("x-content-type-options", "x-frame-options", "x-powered-by", "x-aspnet-version", "x-cache", "x-msedge-ref"),
    }
)


def compare_answers(exchange: Exchange, ours: LocalAnswer) -> list[str]:
    """Every difference, one line each. Of a quotation, what it leaves out is no difference."""
    found = [] if ours.status == exchange.status else [f"status: Azure {exchange.status}, ours {ours.status}"]
    found += _codes(exchange, ours)
    if ours.status == exchange.status:
        found += differences(exchange.body, ours.body)
    found += _headers(exchange, ours)
    if exchange.is_quotation:
        return [each for each in found if not each.endswith("ours alone") and not each.startswith("$: Azure has null")]
    return found


def _codes(exchange: Exchange, ours: LocalAnswer) -> list[str]:
    local = Exchange("", 0, "", "", "", {}, None, ours.status, {}, ours.body, ())
    pairs = {
        "code": (exchange.code, local.code),
        "inner code": (exchange.inner_code, local.inner_code),
        "error": (_oauth(exchange), _oauth(local)),
    }
    return [f"{name}: Azure {theirs}, ours {our}" for name, (theirs, our) in pairs.items() if theirs != our]


def _oauth(exchange: Exchange) -> str:
    """Entra's errors: the word and the numbers."""
    body = exchange.body if isinstance(exchange.body, dict) else {}
    if not isinstance(body.get("error"), str):
        return ""
    return " ".join([body["error"], *map(str, body.get("error_codes") or [])])


def _headers(exchange: Exchange, ours: LocalAnswer) -> list[str]:
    theirs = {name: value for name, value in exchange.headers.items() if name not in _NOT_COMPARED}
    if theirs.get("retry-after") == "0" and exchange.code != "SubscriptionRequestsThrottled":
        # A recorder that wants no waiting wrote it into every answer.
        del theirs["retry-after"]
    found = [f"header {name}: Azure alone" for name in sorted(theirs) if name not in ours.headers]
    found += [f"header {name}: ours alone" for name in SIGNIFICANT if name in ours.headers and name not in theirs]
    if exchange.body is None and ours.body is None:
        found = [each for each in found if not each.startswith("header content-type")]
    elif "content-type" in theirs and "content-type" in ours.headers:
        medium, our = (each["content-type"].partition(";")[0].strip().lower() for each in (theirs, ours.headers))
        found += [] if medium == our else [f"content type: Azure {medium}, ours {our}"]
    return found
