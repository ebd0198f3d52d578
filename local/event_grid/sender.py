"""Reaches endpoints by their production addresses: through the world's own proxy, as any client in the world does."""

import ssl
from collections.abc import Mapping

import aiohttp

from local.world import World

_ANSWER_WITHIN_SECONDS = 30


class ProxySender:
    """The `Send` of the running local Azure. One session, made on first use; `close` it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request; an endpoint that does not answer raises OSError or TimeoutError."""
        try:
            async with self._open().request(
                method, url, headers=headers, data=body, proxy=self._world.proxy_url or None, allow_redirects=False
            ) as response:
                return response.status, response.headers, await response.read()
        except aiohttp.ClientError as error:
            raise OSError(f"sending {method} {url.partition('?')[0]}: {error}") from error

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = ssl.create_default_context(cafile=self._world.ca_file)
            # As many connections as there are deliveries at once.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=32),
                timeout=aiohttp.ClientTimeout(total=_ANSWER_WITHIN_SECONDS),
            )
        return self._session
