"""What a test of a port needs beside the port: Contoso's side, the provider's accounts, and things going wrong.

Contoso consented and granted the role; there are no keys and no accounts yet. Times that a vault keeps are whole
seconds, so two versions are made at two times.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict

from shared.bundle import Bundle
from shared.domain.account_observation import EncryptWithKey, ObservedAccount
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.work import WorkItem
from shared.ports import Announcement

type Call = Literal[
    "read_challenge",
    "read_key",
    "list_versions",
    "wrap",
    "unwrap",
    "obtain",
    "read",
    "update",
    "create",
    "follow_creation",
    "read_subscription",
    "read_scopes",
    "release_scope",
    "publish",
    "find",
]

KEY_NAME = "cmk"


class Who(TypedDict):
    """An application in a tenant, as the vault's and the credentials' ports take it."""

    tenant_id: str
    application: str


@dataclass(kw_only=True)
class Stage(ABC):
    """Around the ports of `bundle`. `key` is Contoso's key without a version, `account` one of the provider's."""

    bundle: Bundle
    tenant_id: str
    application: str
    key: KeyIdentifier
    account: StorageAccountId
    identity: str
    other_identity: str
    key_bits: int

    @property
    def who(self) -> Who:
        """The application in Contoso's tenant."""
        return Who(tenant_id=self.tenant_id, application=self.application)

    def encrypt(self, version: str | None = None) -> EncryptWithKey:
        """An update that protects the account with Contoso's key."""
        return EncryptWithKey(
            key=self.key, version=version, identity=self.identity, federated_client_id=self.application
        )

    async def present(self) -> ObservedAccount:
        """The account as it is now."""
        found = await self.bundle.accounts.read(self.account)
        assert found is not None
        return found

    @abstractmethod
    def now(self) -> datetime: ...

    @abstractmethod
    def advance(self, by: timedelta) -> None: ...

    # Contoso

    @abstractmethod
    def add_version(self, name: str = KEY_NAME, *, tags: dict[str, str] | None = None) -> KeyIdentifier:
        """Create a key or a newer version of it."""

    @abstractmethod
    def change(
        self,
        key: KeyIdentifier,
        *,
        enabled: bool | None = None,
        not_before: datetime | None = None,
        expires: datetime | None = None,
        operations: frozenset[str] | None = None,
    ) -> None:
        """Change attributes of one version."""

    @abstractmethod
    def delete_key(self) -> None:
        """Delete the key with all versions, recoverably."""

    @abstractmethod
    def close_firewall(self, *, bypass: bool = True) -> None:
        """Close the vault's firewall; `bypass`: trusted Azure services are let through."""

    @abstractmethod
    def revoke_role(self) -> None: ...

    @abstractmethod
    def withdraw_consent(self) -> None: ...

    @abstractmethod
    def give_consent(self) -> None:
        """Give consent again, after it was withdrawn or disabled."""

    @abstractmethod
    def disable_application(self) -> None: ...

    @abstractmethod
    def add_foreign_key(self) -> KeyIdentifier:
        """A key in a vault of another tenant."""

    # The provider

    @abstractmethod
    def put_account(
        self, *user_assigned: str, system_assigned: bool = True, account: StorageAccountId | None = None
    ) -> None:
        """Create an account on Microsoft-managed keys, or replace it."""

    @abstractmethod
    def take_name(self) -> None:
        """Somebody else in Azure takes the account's name."""

    @abstractmethod
    def remove_account(self) -> None:
        """Somebody deletes the account."""

    @abstractmethod
    async def assign_identity(self, identity: str) -> None:
        """Somebody else assigns one more identity to the account."""

    @abstractmethod
    async def put_scope(self, name: str, key: KeyIdentifier | None = None) -> None:
        """The account's owner makes an encryption scope, or puts it on a key or on Microsoft-managed keys."""

    @abstractmethod
    def sent_updates(self) -> list[dict[str, Any]]:
        """Every update and creation that was sent: method, url and body."""

    @abstractmethod
    async def take_work(self) -> list[WorkItem]:
        """Take the work items that are visible now."""

    @abstractmethod
    def announced(self) -> list[Announcement]:
        """What arrived at the topic, in order, repeats included."""

    @abstractmethod
    async def lost_work(self) -> dict[str, tuple[str, datetime]]:
        """Lost work by message id."""

    @abstractmethod
    def signed_token(self) -> str:
        """A token signed with a key that Entra publishes."""

    # Things going wrong

    @abstractmethod
    def throttle(self, call: Call, retry_after: timedelta | None) -> None:
        """Answer the next call 429."""

    @abstractmethod
    def silence(self, call: Call) -> None:
        """Give the next call no usable answer, and do nothing."""

    @abstractmethod
    def lose_answer(self, call: Call) -> None:
        """Do what the next call asks and lose the answer."""

    @abstractmethod
    def refuse(self, call: Call, *, status: int, code: str) -> None:
        """Answer the next call with a definite no."""
