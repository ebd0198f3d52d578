"""The CONNECT proxy: what the app's `HTTPS_PROXY` names, and its only way out.

A tunnel to a host that some service serves is not spliced anywhere: TLS is terminated on the client's own
connection with a certificate for that host, and the HTTP protocol of the edge takes it over. So a call costs one TLS
layer and no copy. Any other host, port or method is refused with 403 and recorded under the service name `proxy`; a
vault that does not exist is refused as a proxy does whose name resolution fails (RFC 9209, `error=dns_error`).
"""

import asyncio
import ssl
from typing import Final

from local.edge.ca import CertificateAuthority
from local.edge.server import Edge

_MAXIMUM_HEAD: Final = 16 * 1024
_HEAD_TIMEOUT_SECONDS: Final = 30.0
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """Listens on a loopback port and turns CONNECT tunnels into connections of the edge."""

    def __init__(self, edge: Edge, authority: CertificateAuthority) -> None:
        self.edge = edge
        self.authority = authority
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.BaseTransport] = set()

    @property
    def url(self) -> str:
        """The address for `HTTPS_PROXY`."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Tunnel(self), "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and cut what is left."""
        if self._server is not None:
            self._server.close()
        for transport in list(self._transports):
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def adopt(self, transport: asyncio.Transport, host: str) -> None:
        """Take the TCP connection of an accepted tunnel over into TLS."""
        task = asyncio.get_running_loop().create_task(self._serve_tls(transport, host))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_tls(self, transport: asyncio.Transport, host: str) -> None:
        loop = asyncio.get_running_loop()
        protocol = self.edge.protocol()
        try:
            secured = await loop.start_tls(transport, protocol, self.authority.context(host), server_side=True)
        except (OSError, ssl.SSLError):
            # The client hung up, or does not trust the local certificate authority; it knows why.
            transport.abort()
            return
        if secured is not None:
            # The event loop leaves telling the new protocol to whoever upgrades a connection by hand.
            protocol.connection_made(secured)

    def refuse(self, method: str, target: str, reason: str, *, unresolved: bool = False) -> bytes:
        """Record a refusal and build its answer."""
        host = target.removeprefix("http://").partition("/")[0]
        call = self.edge.record.begin(
            service="proxy", operation=method, method=method, host=host.rpartition(":")[0] or host, path=target
        )
        call.status = 502 if unresolved else 403
        body = f"The local Azure refuses {method} {target}: {reason}.\n".encode()
        status = "403 Forbidden\r\n"
        if unresolved:
            status = "502 Bad Gateway\r\nProxy-Status: crosskey-local; error=dns_error\r\n"
        head = f"HTTP/1.1 {status}Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"Connection: close\r\n\r\n" + body

    def remember(self, transport: asyncio.BaseTransport) -> None:
        self._transports.add(transport)

    def forget(self, transport: asyncio.BaseTransport) -> None:
        self._transports.discard(transport)


class _Tunnel(asyncio.Protocol):
    """Reads the head of one proxy request and decides."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._head = b""
        self._transport: asyncio.Transport | None = None
        self._timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._proxy.remember(transport)
        self._timeout = asyncio.get_running_loop().call_later(_HEAD_TIMEOUT_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._finish()

    def data_received(self, data: bytes) -> None:
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > _MAXIMUM_HEAD:
                self._refuse("CONNECT", "?", "the head is too long")
            return
        line = self._head[:end].partition(b"\r\n")[0].decode("latin-1").split(" ")
        method, target = (line[0], line[1]) if len(line) == 3 else ("?", "?")
        if method != "CONNECT":
            self._refuse(method, target, "only CONNECT to port 443 is served")
            return
        host, _, port = target.lower().rpartition(":")
        if port != "443" or self._proxy.edge.service_for(host) is None:
            unresolved = port == "443" and self._proxy.edge.knows_domain(host)
            self._refuse(method, target, "no service is imitated there", unresolved=unresolved)
            return
        if len(self._head) > end + 4:
            self._refuse(method, target, "TLS starts only after the answer to CONNECT")
            return
        transport = self._transport
        assert transport is not None
        self._finish()
        transport.write(_ESTABLISHED)
        self._proxy.adopt(transport, host)

    def _refuse(self, method: str, target: str, reason: str, *, unresolved: bool = False) -> None:
        if self._transport is not None:
            self._transport.write(self._proxy.refuse(method, target, reason, unresolved=unresolved))
            self._transport.close()

    def _finish(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        if self._transport is not None:
            self._proxy.forget(self._transport)
