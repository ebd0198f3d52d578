"""The fake of Resource Manager making accounts: accepted at once, there after a while, looked at by an address."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.adapters.account_documents import API_VERSION, creation_body
from shared.domain.account_observation import (
    STORAGE_MANAGED,
    CreateAccount,
    CreationAccepted,
    EncryptWithKey,
    ObservedAccount,
)
from shared.domain.identifiers import StorageAccountId
from shared.errors import Refused
from tests.fakes.interruptions import Interruptible
from tests.fakes.process import FakeClock

COVERED = ("blob", "file")
SECONDS = timedelta(seconds=17)


@dataclass
class _Making:
    account: StorageAccountId
    made: ObservedAccount
    done_at: datetime
    failure: Refused | None = None


class Encrypts(Protocol):
    """Puts an account on a key, as an update does; raises `Refused`."""

    def __call__(self, before: ObservedAccount, after: ObservedAccount, update: EncryptWithKey) -> ObservedAccount: ...


class FakeCreations(Interruptible):
    """What the fake of storage accounts has for making them. `taken`: names that belong to others in Azure.

    `creation_failure` lets the next creation be accepted and end in vain; `shows_early`: an account can be read while
    it is being made, which is not documented either way.
    """

    def __init__(self, clock: FakeClock, encrypt: Encrypts) -> None:
        super().__init__()
        self.taken: set[str] = set()
        self.creations: list[CreateAccount] = []
        self.requests: list[dict[str, Any]] = []
        self.creation_failure: Refused | None = None
        self.shows_early = True
        self._clock = clock
        self._encrypted = encrypt
        self._accounts: dict[str, ObservedAccount] = {}
        self._making: dict[str, _Making] = {}

    async def create(self, account: StorageAccountId, creation: CreateAccount) -> ObservedAccount | CreationAccepted:
        """Begin to make an account, or update the one that is there."""
        await self._begin("create")
        self.requests.append(self.describe_creation(account, creation))
        present = self._look(account)
        if account.account_name in self.taken:
            raise _refused("StorageAccountAlreadyTaken", http_status=409)
        if present is None:
            present = _bare(account, creation)
        elif present.location != creation.account.location:
            raise _refused("InvalidResourceLocation", http_status=409)
        identity = creation.encryption.identity
        assigned = replace(present, user_assigned=() if identity is None else (identity,))
        made = self._encrypted(present, assigned, creation.encryption)
        if account.claim in self._accounts:
            self._accounts[account.claim] = made
            self._end("create")
            return made
        if self._pending(account) is None:
            self.creations.append(creation)
        url = self._accept(account, made)
        self._end("create")
        return CreationAccepted(poll_url=url, retry_after=SECONDS)

    async def follow_creation(self, account: StorageAccountId, poll_url: str) -> ObservedAccount | CreationAccepted:
        """Ask how far a creation is."""
        await self._begin("follow_creation")
        making = self._making.get(poll_url)
        seen = self._look(account)
        if making is not None and making.failure is not None and self._clock.now() >= making.done_at:
            raise making.failure
        if making is None or (seen is None and self._clock.now() >= making.done_at):
            raise _refused("ResourceNotFound", http_status=404)
        self._end("follow_creation")
        if seen is None or seen.is_being_made:
            return CreationAccepted(poll_url=poll_url, retry_after=SECONDS)
        return seen

    def describe_creation(self, account: StorageAccountId, creation: CreateAccount) -> dict[str, Any]:
        """What `create` would send."""
        url = f"https://management.azure.com{account}?api-version={API_VERSION}"
        return {"method": "PUT", "url": url, "body": creation_body(creation)}

    def _accept(self, account: StorageAccountId, made: ObservedAccount) -> str:
        pending = self._pending(account)
        if pending is not None:
            return pending
        url = f"https://management.azure.com/subscriptions/{account.subscription_id}/operations/{len(self._making)}"
        failure, self.creation_failure = self.creation_failure, None
        self._making[url] = _Making(account, made, self._clock.now() + SECONDS, failure)
        return url

    def _pending(self, account: StorageAccountId) -> str | None:
        now = self._clock.now()
        found = (url for url, one in self._making.items() if one.account == account and now < one.done_at)
        return next(found, None)

    def _look(self, account: StorageAccountId) -> ObservedAccount | None:
        """The account as it is now; what was being made is done by the clock."""
        for making in self._making.values():
            if making.account != account or making.failure is not None:
                continue
            if self._clock.now() < making.done_at:
                return replace(making.made, provisioning_state="Creating") if self.shows_early else None
            if making.done_at > datetime.min.replace(tzinfo=making.done_at.tzinfo):
                self._accounts.setdefault(account.claim, making.made)
                making.done_at = datetime.min.replace(tzinfo=making.done_at.tzinfo)
        return self._accounts.get(account.claim)


def _bare(account: StorageAccountId, creation: CreateAccount) -> ObservedAccount:
    services = tuple(sorted((*COVERED, *creation.account.coverage)))
    return ObservedAccount(
        resource_id=str(account),
        location=creation.account.location,
        system_assigned=False,
        user_assigned=(),
        key_source=STORAGE_MANAGED,
        covered_services=services,
        encryption_services=services,
    )


def _refused(code: str, *, http_status: int) -> Refused:
    return Refused(f"Creating the storage account: {code}.", http_status=http_status, azure_code=code)
