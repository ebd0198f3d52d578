"""What the use cases need of Azure and of the process, in our words; the tables' ports are in `stores`.

No port returns or raises anything of an SDK: errors are those of `shared.errors`. Reads answer None for
"is not there"; "could not tell" is always an exception.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.domain.account_observation import AccountUpdate, CreateAccount, CreationAccepted, ObservedAccount
from shared.domain.encryption_scopes import ObservedScope, ReleaseScope
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.key_observation import ObservedKey
from shared.domain.work import WorkItem


class WorkQueue(Protocol):
    """The `work-items` queue."""

    async def enqueue(self, item: WorkItem, *, delay: timedelta = timedelta()) -> None:
        """Add a work item that becomes visible after `delay` (at most 7 days)."""
        ...

    async def ping(self) -> None:
        """Ask whether the queue answers."""
        ...


@dataclass(frozen=True, slots=True)
class Challenge:
    """A vault's anonymous 401: the tenant it belongs to, and its region when it says so."""

    tenant_id: str
    region: str | None


class KeyVault(Protocol):
    """A customer's vault. Refusals are `Refused` with the innermost code, or `CredentialRefused`."""

    async def read_challenge(self, key: KeyIdentifier) -> Challenge:
        """Ask anonymously whose vault it is. Raises `Unavailable` and its kinds, `UnexpectedAnswer`."""
        ...

    async def read_key(self, key: KeyIdentifier, *, tenant_id: str, application: str) -> ObservedKey | None:
        """Read one version, or the latest when the identifier names none; None when there is no such key."""
        ...

    async def list_versions(
        self, key: KeyIdentifier, *, tenant_id: str, application: str
    ) -> Sequence[tuple[str, bool, datetime]]:
        """Every version as (version, enabled, created), newest first; none when there is no such key."""
        ...

    async def wrap(self, key: KeyIdentifier, plaintext: bytes, *, tenant_id: str, application: str) -> str:
        """Let the vault wrap bytes with one version; answers base64url text."""
        ...

    async def unwrap(self, key: KeyIdentifier, wrapped: str, *, tenant_id: str, application: str) -> bytes:
        """Let the vault unwrap what one version wrapped."""
        ...


class TenantCredentials(Protocol):
    """The provider's applications in customers' tenants."""

    async def obtain(self, *, tenant_id: str, application: str, fresh: bool = False) -> None:
        """Obtain a token for the vaults of a customer's tenant. Raises `CredentialRefused` or `Unavailable`.

        `fresh` goes past the cache: a cached token can hide lost consent for an hour or more.
        """
        ...

    async def obtain_assertion(self, *, application: str) -> None:
        """Obtain the managed identity's token that the application trusts: our own half of the chain."""
        ...


class StorageAccounts(Protocol):
    """Storage accounts in the provider's subscriptions, through Resource Manager."""

    async def read(self, account: StorageAccountId) -> ObservedAccount | None:
        """Read one account; None when it or its resource group is not there."""
        ...

    async def update(
        self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount
    ) -> ObservedAccount:
        """Send one PATCH and answer the account as Resource Manager did.

        `present` gives the identities and services to keep. Raises `Refused`, `Throttled`, or
        `Unavailable`, after which the update may have taken effect.
        """
        ...

    async def create(self, account: StorageAccountId, creation: CreateAccount) -> ObservedAccount | CreationAccepted:
        """Send one PUT; answers the account, or where to ask for it. Raises as `update` does."""
        ...

    async def follow_creation(self, account: StorageAccountId, poll_url: str) -> ObservedAccount | CreationAccepted:
        """Ask once how far a creation is.

        Raises `Refused` with the reason when it ended in vain, or with status 404 when Resource Manager does not know
        it (any more); `Unavailable` and its kinds when that could not be told.
        """
        ...

    def describe_creation(self, account: StorageAccountId, creation: CreateAccount) -> dict[str, Any]:
        """The exact request that `create` would send: method, url and body."""
        ...

    def describe(self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount) -> dict[str, Any]:
        """The exact request that `update` would send: method, url and body."""
        ...

    async def read_scopes(self, account: StorageAccountId) -> Sequence[ObservedScope]:
        """Every encryption scope of an account; none when the account is not there."""
        ...

    async def release_scope(self, account: StorageAccountId, scope: ReleaseScope) -> ObservedScope:
        """Send one PATCH of a scope and answer it as Resource Manager did. Raises as `update` does."""
        ...

    def read_subscription(self, subscription_id: str) -> AsyncIterator[ObservedAccount]:
        """Every account of a subscription, by list pages."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One CloudEvent to publish. `event_id` is the same however often it is sent."""

    event_id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: dict[str, Any]


class Notifications(Protocol):
    """The provider's Event Grid topic."""

    async def publish(self, announcements: Sequence[Announcement]) -> None:
        """Publish in order. Raises `Unavailable`, `Throttled` or `Refused`."""
        ...


class SigningKeys(Protocol):
    """Microsoft Entra's token signing keys."""

    async def find(self, key_id: str) -> Any:
        """The public key of that id, as PyJWT takes it; None when Entra does not publish it. Raises `Unavailable`."""
        ...


class Clock(Protocol):
    """Time, passed in."""

    def now(self) -> datetime:
        """The present, aware UTC."""
        ...


class Randomness(Protocol):
    """Ids and random bytes, passed in."""

    def new_id(self) -> str:
        """A fresh id: 32 hexadecimal digits."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        ...
