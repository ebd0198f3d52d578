"""An azure-core transport that answers what was recorded, and credentials that ask nobody.

The adapters run over it unchanged: their clients, policies and parsers are the real ones. It keeps what was sent and
never waits: retries come at once.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from azure.core.credentials import AccessTokenInfo, TokenRequestOptions
from azure.core.rest._aiohttp import RestAioHttpTransportResponse

from shared.adapters.credentials import Credential, Credentials, PinnedCredential
from shared.adapters.transport import SharedTransport


@dataclass(frozen=True)
class Sent:
    """A request as an adapter sent it; header names are lower case."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON body; None where there is none."""
        try:
            return json.loads(self.content) if self.content else None
        except ValueError:
            return None


@dataclass(frozen=True)
class Answer:
    """What the transport answers. A body that is no text is sent as JSON."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def content(self) -> bytes:
        if self.body is None:
            return b""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class _Received:
    """What the SDK's aiohttp transport would have received."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = dict(answer.headers)
        self.reason = "recorded"
        self._content = answer.content

    async def read(self) -> bytes:
        return self._content

    def close(self) -> None:
        return


class RecordedTransport(SharedTransport):
    """Answers every request from `answer`, and keeps them in `sent`."""

    def __init__(self, answer: Callable[[Sent], Answer]) -> None:
        super().__init__()
        self._answer = answer
        self.sent: list[Sent] = []

    async def open(self) -> None:
        """Nothing to open."""

    async def sleep(self, duration: float) -> None:
        """A recorded server is not spared."""

    async def send(self, request: Any, **options: Any) -> Any:
        """Answer one request."""
        del options
        sent = Sent(
            request.method,
            request.url,
            {name.lower(): str(value) for name, value in request.headers.items()},
            _content(request),
        )
        self.sent.append(sent)
        received = _Received(self._answer(sent))
        # The class that the SDK's own transport answers with, so that parsers meet what they meet in production.
        response = RestAioHttpTransportResponse(internal_response=received, request=request, block_size=4096)
        await response.read()
        return response


def _content(request: Any) -> bytes:
    content = getattr(request, "content", None) or getattr(request, "data", None) or getattr(request, "body", None)
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, dict) and "form" in request.headers.get("Content-Type", ""):
        return urlencode(content).encode()
    return json.dumps(content).encode() if isinstance(content, dict | list) else b""


class AnyCredential(Credential):
    """Has a token for everybody."""

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Answer a token without asking."""
        del scopes, options
        return AccessTokenInfo("recorded", int(time.time()) + 3600)


class AnyCredentials(Credentials):
    """Hands out `AnyCredential` in every tenant."""

    def __init__(self) -> None:
        self._any = AnyCredential()

    def pinned(self, *, tenant_id: str, application: str) -> PinnedCredential:
        """The credential of an application in a tenant."""
        del tenant_id, application
        return self._any  # type: ignore[return-value]  # it has all that a client asks of a credential
