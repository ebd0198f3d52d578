"""When Entra's signing keys are fetched, kept and dropped, with a clock that is moved."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.adapters.signing_keys import EntraSigningKeys
from shared.adapters.transport import SharedTransport
from shared.domain.clouds import PUBLIC
from shared.errors import Unavailable

PUBLIC_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()


class MovedClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Published(EntraSigningKeys):
    """Entra's answers without Entra."""

    def __init__(self, clock: MovedClock) -> None:
        super().__init__(SharedTransport(), PUBLIC, clock)
        self.clock = clock
        self.identifiers: list[str] | None = ["first"]
        self.requests = 0

    async def _fetch(self) -> dict[str, Any]:
        self.requests += 1
        await asyncio.sleep(0)
        if self.identifiers is None:
            raise Unavailable("down")
        keys = [{**json.loads(RSAAlgorithm.to_jwk(PUBLIC_KEY)), "kid": kid, "use": "sig"} for kid in self.identifiers]
        return {key.key_id: key.key for key in jwt.PyJWKSet.from_dict({"keys": keys}).keys if key.key_id}


@pytest.fixture
def published() -> Published:
    return Published(MovedClock())


async def test_many_callers_share_one_request(published: Published) -> None:
    found = await asyncio.gather(*(published.find("first") for _ in range(50)))
    assert all(key is not None for key in found)
    assert published.requests == 1


async def test_a_rolled_key_is_found_after_at_most_a_minute(published: Published) -> None:
    await published.find("first")
    published.identifiers = ["first", "second"]
    assert await published.find("second") is None
    published.clock.time += timedelta(minutes=1)
    assert await published.find("second") is not None
    assert published.requests == 2


async def test_a_withdrawn_key_is_trusted_for_a_day_at_most(published: Published) -> None:
    await published.find("first")
    published.identifiers = ["second"]
    assert await published.find("first") is not None
    published.clock.time += timedelta(hours=24)
    assert await published.find("first") is None


async def test_an_outage_keeps_the_keys_that_were_good(published: Published) -> None:
    await published.find("first")
    published.identifiers = None
    published.clock.time += timedelta(days=3)
    assert await published.find("first") is not None
    assert await published.find("first") is not None
    assert published.requests == 2


async def test_an_unknown_key_during_an_outage_is_could_not_tell(published: Published) -> None:
    await published.find("first")
    published.identifiers = None
    published.clock.time += timedelta(minutes=2)
    with pytest.raises(Unavailable):
        await published.find("second")


async def test_an_outage_at_the_start_is_not_hammered(published: Published) -> None:
    published.identifiers = None
    for _ in range(5):
        with pytest.raises(Unavailable):
            await published.find("first")
    assert published.requests == 1
    published.identifiers = ["first"]
    published.clock.time += timedelta(seconds=5)
    assert await published.find("first") is not None
