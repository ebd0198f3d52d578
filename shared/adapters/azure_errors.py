"""Translates every error of the Azure SDKs into CrossKey's own, at the edge and nowhere else.

What cannot be told (time-outs, 5xx, cut connections, refusing proxies) becomes `Unavailable`; a definite no becomes
`Refused` with Azure's outer and innermost codes. Callers raise the result `from` the SDK's error, so that the
cause stays readable.
"""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from aiohttp import ClientConnectorDNSError, ClientHttpProxyError
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ResourceNotModifiedError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.errors import CrossKeyError, NameUnresolved, Refused, Throttled, Unavailable, UnexpectedAnswer

DETAIL_LENGTH: Final = 1000
NEVER_RETRIED: Final = frozenset({501, 505})
"""A server that says that it does not know the request gave a definite answer."""

STATUS_OF_CLASS: Final[tuple[tuple[type[HttpResponseError], int], ...]] = (
    (ClientAuthenticationError, 401),
    (ResourceNotFoundError, 404),
    (ResourceExistsError, 409),
    (ResourceModifiedError, 412),
    (ResourceNotModifiedError, 304),
)
"""For errors that an SDK raises without an HTTP answer."""

DELAY_IN_TEXT: Final = re.compile(r"(?:after|in)\s+'?(\d+)'?\s+second", re.IGNORECASE)
"""Resource Manager sends some 429 without Retry-After and names the delay in the message alone."""


def translate(error: Exception, doing: str) -> CrossKeyError:
    """Turn an SDK's error into CrossKey's. `doing` says what was tried, such as "reading key https://..."."""
    if isinstance(error, CrossKeyError):
        return error
    if _is_name_unresolved(error):
        return NameUnresolved(f"{doing}: the host name does not resolve")
    if isinstance(error, IncompleteReadError):
        return Unavailable(f"{doing}: the connection was cut")
    if isinstance(error, HttpResponseError):
        return _translate_answer(error, doing)
    if isinstance(error, ServiceRequestError | ServiceResponseError | TimeoutError | OSError):
        return Unavailable(f"{doing}: {_first_line(error)}")
    # What is left is an answer that the SDK could not make sense of: streams that are gone, unreadable bodies.
    return UnexpectedAnswer(f"{doing}: {_first_line(error)}")


def translate_status(status: int, headers: Mapping[str, str], text: str, doing: str) -> CrossKeyError:
    """Turn a failed HTTP answer into CrossKey's error; for calls that bypass an SDK's models."""
    body = _parse(text)
    wait = retry_after(headers)
    if status == 429:
        return Throttled(f"{doing}: throttled", retry_after=wait or _delay_in(text))
    if status == 408 or (status >= 500 and status not in NEVER_RETRIED):
        return Unavailable(f"{doing}: status {status} {_outer_code(body)}".rstrip(), retry_after=wait)
    if 300 <= status < 400 and status != 304:
        return UnexpectedAnswer(f"{doing}: answered a redirect, which is not followed")
    azure_code = _outer_code(body) or headers.get("x-ms-error-code", "")
    inner_code = _inner_code(body)
    return Refused(
        f"{doing}: refused with status {status} {azure_code} {inner_code}".rstrip(),
        http_status=status,
        azure_code=azure_code,
        inner_code=inner_code,
        detail=_message(body)[:DETAIL_LENGTH],
    )


def _translate_answer(error: HttpResponseError, doing: str) -> CrossKeyError:
    status = error.status_code or next((code for kind, code in STATUS_OF_CLASS if isinstance(error, kind)), 0)
    if isinstance(error, DecodeError) and (not status or status < 400):
        return UnexpectedAnswer(f"{doing}: the answer could not be read")
    if not status:
        return UnexpectedAnswer(f"{doing}: {_first_line(error)}")
    headers = getattr(error.response, "headers", None) or {}
    made = translate_status(status, headers, _text(error), doing)
    if isinstance(made, Refused):
        # A failed long-running operation stands in an answer with status 200; storage's errors in `error_code`.
        code = made.azure_code or getattr(error.error, "code", None) or getattr(error, "error_code", None) or ""
        made.azure_code = str(getattr(code, "value", code))
        made.detail = made.detail or _first_line(error)[:DETAIL_LENGTH]
        if status < 300 and not made.azure_code:
            # Nothing was refused: the SDK stumbled over the body of a success.
            return UnexpectedAnswer(f"{doing}: the answer could not be read")
    return made


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The delay that the headers ask for: milliseconds, seconds, or an HTTP date compared with the answer's own."""
    folded = {name.lower(): value for name, value in headers.items()}
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (value := _number(folded.get(name))) is not None:
            return timedelta(milliseconds=value)
    text = folded.get("retry-after")
    if (seconds := _number(text)) is not None:
        return timedelta(seconds=seconds)
    then, now = _date(text), _date(folded.get("date"))
    return None if then is None or now is None else max(then - now, timedelta())


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < timedelta(days=1).total_seconds() * 1000 else None


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    # HTTP dates are in GMT, whether they say so or not.
    return date.replace(tzinfo=UTC) if date is not None and date.tzinfo is None else date


def _delay_in(text: str) -> timedelta | None:
    found = DELAY_IN_TEXT.search(text)
    return timedelta(seconds=int(found[1])) if found else None


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it goes back to."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "inner_exception", None)]


def _is_name_unresolved(error: Exception) -> bool:
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        # There is an answer; whatever failed before it was retried.
        return False
    return any(
        isinstance(one, ClientConnectorDNSError | socket.gaierror)
        or (isinstance(one, ClientHttpProxyError) and _says_unresolved(one))
        for one in causes(error)
    )


def _says_unresolved(error: ClientHttpProxyError) -> bool:
    # Behind a CONNECT proxy the proxy resolves names. Only some say that this was what failed (Squid's
    # X-Squid-Error: ERR_DNS_FAIL; RFC 9209's Proxy-Status: error=dns_error); the rest stays "could not tell".
    headers = {name.lower(): value.lower() for name, value in (error.headers or {}).items()}
    return "err_dns_fail" in headers.get("x-squid-error", "") or "dns_error" in headers.get("proxy-status", "")


def _text(error: HttpResponseError) -> str:
    try:
        return "" if error.response is None else error.response.text()
    except (AzureError, UnicodeDecodeError, AttributeError):
        return ""


def _parse(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body.get("odata.error", body))
    return error if isinstance(error, dict) else {"code": error} if isinstance(error, str) else {}


def _member(body: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in body.items() if key.lower() == name), None)


def _outer_code(body: Mapping[str, Any]) -> str:
    code = _member(body, "code")
    return code if isinstance(code, str) else ""


def _inner_code(body: Mapping[str, Any]) -> str:
    code = ""
    inner = _member(body, "innererror")
    while isinstance(inner, dict):
        code = _outer_code(inner) or code
        inner = _member(inner, "innererror")
    return code


def _message(body: Mapping[str, Any]) -> str:
    message = _member(body, "message")
    if isinstance(message, dict):
        message = _member(message, "value")
    return message if isinstance(message, str) else ""


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0] or type(error).__name__
