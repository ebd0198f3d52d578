"""Every error of the Azure SDKs has a translation, and says no more than it knows."""

import inspect
import json
import socket
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientConnectorDNSError, ClientHttpProxyError
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from azure.core import exceptions
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from shared.adapters.azure_errors import retry_after, translate, translate_status
from shared.errors import (
    CrossKeyError,
    NameUnresolved,
    Refused,
    StaleWrite,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
)

CLASSES = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, Exception) and kind.__module__ == exceptions.__name__
]


class Answer:
    """As much of an SDK's response as its errors look at."""

    reason = "reason"
    request = None

    def __init__(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.headers = headers or {}
        self._text = body if isinstance(body, str) else json.dumps(body)

    def text(self) -> str:
        return self._text


def make(kind: type[Exception], answer: Answer | None) -> Exception:
    if issubclass(kind, exceptions.TooManyRedirectsError):
        return kind([], response=answer)
    if issubclass(kind, exceptions.ODataV4Error):
        return kind(answer or Answer(400, {"error": {"code": "Bad"}}))
    if issubclass(kind, HttpResponseError):
        return kind(message="text", response=answer)
    if kind.__init__ is not exceptions.AzureError.__init__ and issubclass(kind, exceptions.AzureError):
        return kind(Answer(200))
    return kind("text")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("status", [None, 200, 304, 400, 401, 403, 404, 409, 412, 429, 500, 501, 503])
def test_every_class_of_azure_core_has_a_translation(kind: type[Exception], status: int | None) -> None:
    answer = None if status is None else Answer(status, {"error": {"code": "Code", "message": "text"}})
    translated = translate(make(kind, answer), "doing")
    assert type(translated) in {Refused, Throttled, Unavailable, UnexpectedAnswer}
    assert str(translated).startswith("doing: ")


def test_the_walk_found_the_classes() -> None:
    assert {exceptions.AzureError, exceptions.ODataV4Error, exceptions.IncompleteReadError} <= set(CLASSES)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (exceptions.ClientAuthenticationError, 401),
        (exceptions.ResourceNotFoundError, 404),
        (exceptions.ResourceExistsError, 409),
        (exceptions.ResourceModifiedError, 412),
    ],
)
def test_an_error_without_an_answer_keeps_the_status_of_its_class(kind: type[Exception], status: int) -> None:
    translated = translate(make(kind, None), "doing")
    assert isinstance(translated, Refused)
    assert translated.http_status == status


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_an_outage_is_could_not_tell(status: int) -> None:
    translated = translate(HttpResponseError(response=Answer(status, {}, {"retry-after": "3"})), "doing")
    assert type(translated) is Unavailable
    assert translated.retry_after == timedelta(seconds=3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 501])
def test_a_definite_no_is_refused(status: int) -> None:
    translated = translate_status(status, {}, "", "doing")
    assert isinstance(translated, Refused)
    assert translated.http_status == status


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_unexpected(status: int) -> None:
    assert isinstance(translate_status(status, {"location": "https://evil.example"}, "", "doing"), UnexpectedAnswer)


def test_the_innermost_code_is_read_whatever_its_case() -> None:
    error = {
        "code": "Forbidden",
        "message": "no",
        "innerError": {"code": "A", "innererror": {"Code": "ForbiddenByRbac"}},
    }
    translated = translate(HttpResponseError(response=Answer(403, {"error": error})), "doing")
    assert isinstance(translated, Refused)
    assert (translated.azure_code, translated.inner_code, translated.detail) == ("Forbidden", "ForbiddenByRbac", "no")


@pytest.mark.parametrize("body", ["", "[]", '"text"', "null", "{", '{"error": null}', '{"error": [1]}', "<xml/>"])
def test_a_body_that_is_no_error_document_does_no_harm(body: str) -> None:
    translated = translate_status(403, {"x-ms-error-code": "FromHeader"}, body, "doing")
    assert isinstance(translated, Refused)
    assert translated.azure_code == "FromHeader"


def test_a_failed_long_running_operation_is_refused_though_its_status_is_200() -> None:
    body = {"status": "Failed", "error": {"code": "KeyVaultAccessForbidden", "message": "no"}}
    translated = translate(HttpResponseError(response=Answer(200, body)), "doing")
    assert isinstance(translated, Refused)
    assert translated.azure_code == "KeyVaultAccessForbidden"


def test_a_tables_error_keeps_its_code() -> None:
    error = HttpResponseError(response=Answer(400, ""))
    error.error_code = "InvalidDuplicateRow"  # type: ignore[attr-defined]  # as azure-data-tables sets it
    translated = translate(error, "doing")
    assert isinstance(translated, Refused)
    assert translated.azure_code == "InvalidDuplicateRow"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "17"}, 17),
        ({"retry-after": "0"}, 0),
        ({"x-ms-retry-after-ms": "1500", "Retry-After": "9"}, 1.5),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30),
        ({"Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 0),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT"}, None),
        ({"Retry-After": "Sun, 22 Nov 2026 10:00:30", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1e300"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after(headers) == (None if expected is None else timedelta(seconds=expected))


@pytest.mark.parametrize(
    ("headers", "message", "expected"),
    [
        ({}, "exceeded the limit of '1200'. Please try again after '303' seconds.", 303),
        ({"retry-after": "0"}, "Please try again after '303' seconds.", 303),
        ({"Retry-After": "12"}, "The call can be retried in 40 seconds.", 12),
        ({}, "The call can be retried in 12 seconds.", 12),
        ({}, "Too many requests.", None),
    ],
)
def test_the_delay_of_a_429_is_in_its_header_or_else_in_its_text(
    headers: dict[str, str], message: str, expected: int | None
) -> None:
    body = json.dumps({"error": {"code": "SubscriptionRequestsThrottled", "message": message}})
    translated = translate_status(429, headers, body, "doing")
    assert isinstance(translated, Throttled)
    assert translated.retry_after == (None if expected is None else timedelta(seconds=expected))


def connection_key() -> ConnectionKey:
    return ConnectionKey("gone.vault.azure.net", 443, True, True, None, None, None)  # noqa: FBT003  aiohttp's own shape


def test_a_name_that_does_not_resolve_is_told_apart() -> None:
    dns = ClientConnectorDNSError(connection_key(), OSError(-2, "Name or service not known"))
    assert isinstance(translate(ServiceRequestError(dns, error=dns), "doing"), NameUnresolved)
    wrapped = ServiceRequestError("no connection")
    wrapped.__cause__ = socket.gaierror(-2, "Name or service not known")
    assert isinstance(translate(wrapped, "doing"), NameUnresolved)


def proxy_error(status: int, **headers: str) -> ServiceResponseError:
    url = URL("http://127.0.0.1:3128")
    request = RequestInfo(url, "CONNECT", CIMultiDictProxy(CIMultiDict()), url)
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    error = ClientHttpProxyError(request, (), status=status, message="refused", headers=named)
    return ServiceResponseError(error, error=error)


@pytest.mark.parametrize("status", [403, 407, 502, 503, 504])
def test_a_refusing_proxy_says_nothing_about_the_host(status: int) -> None:
    assert type(translate(proxy_error(status), "doing")) is Unavailable


@pytest.mark.parametrize(
    "headers", [{"X_Squid_Error": "ERR_DNS_FAIL 0"}, {"Proxy_Status": 'proxy; error=dns_error; rcode="NXDOMAIN"'}]
)
def test_a_proxy_that_says_that_the_name_does_not_resolve_is_believed(headers: dict[str, str]) -> None:
    assert isinstance(translate(proxy_error(502, **headers), "doing"), NameUnresolved)


def test_our_own_errors_pass_unchanged() -> None:
    error: CrossKeyError = StaleWrite("lost")
    assert translate(error, "doing") is error


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError("cut")])
def test_time_outs_and_cut_connections_are_could_not_tell(error: Exception) -> None:
    assert type(translate(error, "doing")) is Unavailable
