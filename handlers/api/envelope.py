"""What every HTTP exchange has in common: a request id, the answer's safety headers, the body's limit, the last guard.

A plain ASGI middleware around the whole application. The limit is checked before anything is read, and again while
reading, since a chunked body declares no length.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handlers.api.error_map import answer_crosskey_error, error_answer
from handlers.api.pages import CONTENT_SECURITY_POLICY
from handlers.api.problems import Problem
from shared import telemetry
from shared.errors import CrossKeyError
from shared.telemetry import Event, log_event

LONGEST_BODY = 64 * 1024
CLIENT_REQUEST_ID = re.compile(r"[0-9A-Za-z._:-]{1,128}")


class BodyTooLarge(CrossKeyError):
    """The request's body is larger than any this API takes."""

    code = Problem.BODY_TOO_LARGE
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body must not be larger than {limit} bytes.")


class Envelope:
    """Wraps the application. `longer_bodies` gives the limit in bytes of paths that begin so."""

    def __init__(
        self, app: ASGIApp, *, new_request_id: Callable[[], str], longer_bodies: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._new_request_id = new_request_id
        self._longer_bodies = longer_bodies or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        with telemetry.request(request_id):
            await self._serve(scope, receive, _Exchange(scope, receive, send, request_id, self._limit(scope["path"])))

    def _limit(self, path: str) -> int:
        return next((limit for start, limit in self._longer_bodies.items() if path.startswith(start)), LONGEST_BODY)

    async def _serve(self, scope: Scope, receive: Receive, exchange: "_Exchange") -> None:
        try:
            exchange.check_declared_length()
            await self._app(scope, exchange.receive, exchange.send)
        except CrossKeyError as error:
            await answer_crosskey_error(error)(scope, receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - see the next line
            # The boundary of the process: whatever it is, the caller gets the error shape and the log everything.
            log_event(Event.REQUEST_FAILED, level=logging.ERROR, error=error, code=CrossKeyError.code)
            message = f"Something went wrong inside CrossKey. Quote the request id {exchange.request_id}."
            answer = error_answer(HTTPStatus.INTERNAL_SERVER_ERROR, CrossKeyError.code, message)
            await answer(scope, receive, exchange.send)
        finally:
            exchange.log()


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str, limit: int) -> None:
        self.request_id = request_id
        self._limit = limit
        self.request_headers = Headers(scope=scope)
        self._scope, self._receive, self._send = scope, receive, send
        self._read = 0
        self._status = 0
        self._begun = time.perf_counter()

    def check_declared_length(self) -> None:
        """Refuse a body that says it is too large before reading any of it. Raises `BodyTooLarge`."""
        declared = self.request_headers.get("content-length", "")
        if declared.isascii() and declared.isdecimal() and int(declared[:20]) > self._limit:
            raise BodyTooLarge(self._limit)

    async def receive(self) -> Message:
        """Pass on a part of the body while it is within the limit."""
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            raise BodyTooLarge(self._limit)
        return message

    async def send(self, message: Message) -> None:
        """Pass on the answer with the headers that every answer carries."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["x-ms-request-id"] = self.request_id
            client_id = self.request_headers.get("x-ms-client-request-id", "")
            if CLIENT_REQUEST_ID.fullmatch(client_id):
                headers["x-ms-client-request-id"] = client_id
            headers["Cache-Control"] = "no-store"
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            headers["Referrer-Policy"] = "no-referrer"
        await self._send(message)

    def log(self) -> None:
        """Leave one line of the exchange: never its query, which may hold the state of a consent link."""
        log_event(
            Event.REQUEST_HANDLED,
            method=self._scope["method"],
            path=self._scope["path"],
            status=self._status,
            milliseconds=round((time.perf_counter() - self._begun) * 1000, 1),
        )
