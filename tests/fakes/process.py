"""Fakes of time, chance, Microsoft Entra and the topic."""

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.errors import CredentialRefused, Unavailable
from shared.ports import Announcement
from tests.fakes.interruptions import Interruptible

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start

    def now(self) -> datetime:
        """The present."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move on, or back with a negative duration."""
        self._now += by


class FakeRandomness:
    """The same ids and bytes in every run, none of them twice."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a test wants the same run again

    def new_id(self) -> str:
        """A fresh id."""
        return f"{self._random.getrandbits(128):032x}"

    def random_bytes(self, count: int) -> bytes:
        """Fresh bytes."""
        return self._random.randbytes(count)


class FakeCredentials(Interruptible):
    """Which applications may act in which tenants. A token lives an hour and hides lost consent, as Entra's does.

    `is_ours` says whether an application is one of the pool; by default every application is.
    """

    MISSING_SERVICE_PRINCIPAL = 7000229

    def __init__(self, clock: FakeClock, *, is_ours: Callable[[str], bool] = bool) -> None:
        super().__init__()
        self.assertions: Counter[str] = Counter()
        self._is_ours = is_ours
        self._clock = clock
        self._consented: set[tuple[str, str]] = set()
        self._refusals: dict[tuple[str, str], int] = {}
        self._tokens: dict[tuple[str, str], datetime] = {}

    def consent(self, tenant_id: str, application: str) -> None:
        """The tenant's administrator consents."""
        self._consented.add((tenant_id, application))
        self._refusals.pop((tenant_id, application), None)

    def withdraw(self, tenant_id: str, application: str, *, aadsts: int = MISSING_SERVICE_PRINCIPAL) -> None:
        """The application loses its place in the tenant; tokens given before live on."""
        self._consented.discard((tenant_id, application))
        self._refusals[tenant_id, application] = aadsts

    async def obtain(self, *, tenant_id: str, application: str, fresh: bool = False) -> None:
        """Obtain a token."""
        await self._begin("obtain")
        place, now = (tenant_id, application), self._clock.now()
        if not fresh and now < self._tokens.get(place, now):
            return
        # A fresh look that is refused shows what the cached token hid.
        self._tokens.pop(place, None)
        self.check(tenant_id=tenant_id, application=application)
        self._tokens[place] = now + timedelta(hours=1)
        self._end("obtain")

    def check(self, *, tenant_id: str, application: str) -> None:
        """What Entra answers to a request for a token now."""
        place = (tenant_id, application)
        self._check_pool(application)
        if place not in self._consented:
            aadsts = self._refusals.get(place, self.MISSING_SERVICE_PRINCIPAL)
            raise CredentialRefused(f"Obtaining a token for tenant {tenant_id}: AADSTS{aadsts}.", aadsts=aadsts)

    def _check_pool(self, application: str) -> None:
        if not self._is_ours(application):
            raise Unavailable(f"Obtaining a token of application {application}: the settings do not hold it.")

    async def obtain_assertion(self, *, application: str) -> None:
        """Obtain the managed identity's token; `break_before` makes it go wrong."""
        await self._begin("obtain_assertion")
        self._check_pool(application)
        self.assertions[application] += 1


class FakeNotifications(Interruptible):
    """The topic: what arrived, in order, repeats included."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Announcement] = []

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        """Publish in order."""
        await self._begin("publish")
        for announcement in announcements:
            json.dumps(announcement.data)  # what is not JSON cannot be published
        self.published.extend(announcements)
        self._end("publish")

    @property
    def distinct(self) -> list[Announcement]:
        """What a subscriber keeps that drops repeated ids."""
        return list({one.event_id: one for one in reversed(self.published)}.values())[::-1]


class FakeSigningKeys(Interruptible):
    """Microsoft Entra's published token signing keys, by id."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, Any] = {}

    async def find(self, key_id: str) -> Any:
        """The public key of that id."""
        await self._begin("find")
        return self.keys.get(key_id)
