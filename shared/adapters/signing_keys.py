"""Microsoft Entra's token signing keys, fetched when a token names one that is not known.

One request at a time, at most one a minute however many unknown ids are tried; keys once fetched stay good while
Entra is down.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from azure.core import AsyncPipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.adapters.azure_errors import translate, translate_status
from shared.adapters.transport import BriefRetryPolicy, SharedTransport
from shared.domain.clouds import Cloud
from shared.errors import Unavailable
from shared.ports import Clock

REFETCH_AFTER: Final = timedelta(minutes=1)
PAUSE_AFTER_FAILURE: Final = timedelta(seconds=5)
REPLACE_AFTER: Final = timedelta(hours=24)
"""Entra withdraws keys on purpose; no key is trusted for longer than this without asking again."""

DOING: Final = "reading Microsoft Entra's signing keys"


class EntraSigningKeys:
    """Implements `SigningKeys`."""

    def __init__(self, transport: SharedTransport, cloud: Cloud, clock: Clock) -> None:
        self._url = f"{cloud.authority}/common/discovery/v2.0/keys"
        self._transport = transport
        self._clock = clock
        self._client: AsyncPipelineClient[HttpRequest, AsyncHttpResponse] | None = None
        self._keys: dict[str, Any] = {}
        self._asked_at: datetime | None = None
        self._fetched_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def find(self, key_id: str) -> Any:
        """The public key of that id; None when Entra does not publish it. Raises `Unavailable`."""
        if key_id not in self._keys or self._is_old():
            async with self._lock:
                if key_id not in self._keys or self._is_old():
                    await self._refresh(key_id)
        return self._keys.get(key_id)

    def _is_old(self) -> bool:
        return self._fetched_at is None or self._clock.now() - self._fetched_at >= REPLACE_AFTER

    async def _refresh(self, key_id: str) -> None:
        now = self._clock.now()
        pause = REFETCH_AFTER if self._keys else PAUSE_AFTER_FAILURE
        if self._asked_at is not None and now - self._asked_at < pause:
            if not self._keys:
                raise Unavailable(f"{DOING}: no answer a moment ago")
            return
        self._asked_at = now
        try:
            self._keys = await self._fetch()
        except Unavailable:
            # A key that was good before Entra went silent is good still.
            if key_id not in self._keys:
                raise
            return
        self._fetched_at = now

    async def _fetch(self) -> dict[str, Any]:
        try:
            response = await self._pipeline().send_request(HttpRequest("GET", self._url))
        except (AzureError, ValueError) as error:
            raise Unavailable(translate(error, DOING).message) from error
        if response.status_code != 200:
            refused = translate_status(response.status_code, response.headers, response.text(), DOING)
            raise Unavailable(refused.message)
        try:
            return {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(response.json()).keys if key.key_id}
        except (AzureError, ValueError, AttributeError, jwt.PyJWTError) as error:
            raise Unavailable(f"{DOING}: the answer could not be read") from error

    def _pipeline(self) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
        if self._client is None:
            policies = [RequestIdPolicy(), UserAgentPolicy("crosskey"), BriefRetryPolicy()]
            self._client = AsyncPipelineClient("", policies=policies, transport=self._transport)
        return self._client
