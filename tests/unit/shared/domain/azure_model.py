"""A tiny model of Azure around one storage account: the key's versions, and what each update does to the account."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.domain.account_observation import (
    STORAGE_MANAGED,
    VAULT_MANAGED,
    AccountUpdate,
    EncryptWithKey,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.identifiers import KeyIdentifier
from shared.domain.storage_situation import has_identity
from tests.unit.shared.domain.values import CMK, NOW, plain_account

ON_MICROSOFT_KEYS = {
    "key_source": STORAGE_MANAGED,
    "vault_uri": None,
    "key_name": None,
    "key_version": None,
    "current_key": None,
    "encryption_identity": None,
    "federated_client_id": None,
}


def on(key: KeyIdentifier, *, pinned: bool) -> dict[str, Any]:
    return {
        "key_source": VAULT_MANAGED,
        "vault_uri": key.vault_uri,
        "key_name": key.key_name,
        "key_version": key.version if pinned else None,
        "current_key": key,
    }


def version_of(number: int) -> KeyIdentifier:
    return CMK.with_version(f"{number:032x}")


class ModelOfAzure:
    """The account, the versions of the key with their times, and the clock, which never stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.versions = {1: NOW}
        self.account = plain_account()
        self.moves_at_once = True
        self.missing = False
        self.was_ours = False

    def rotate(self) -> None:
        self.tick()
        self.versions[self.newest + 1] = self.now

    def apply(self, update: AccountUpdate) -> None:
        match update:
            case EncryptWithKey():
                identities = self.account.user_assigned
                added = (
                    () if update.identity is None or has_identity(self.account, update.identity) else (update.identity,)
                )
                self.change(user_assigned=(*identities, *added))
                self.set_key(update, moves=not self.is_on_cmk or self.moves_at_once)
            case SetKeyVersion():
                self.set_key(update, moves=self.moves_at_once)
            case ReturnToMicrosoftManagedKeys():
                self.change(**ON_MICROSOFT_KEYS)
            case RemoveIdentity():
                kept = tuple(one for one in self.account.user_assigned if one != update.identity)
                self.change(user_assigned=kept)

    def set_key(self, update: EncryptWithKey | SetKeyVersion, *, moves: bool) -> None:
        newest = version_of(self.newest)
        present = newest if moves or self.account.current_key is None else self.account.current_key
        key = present if update.version is None else update.key.with_version(update.version)
        self.change(
            **on(key, pinned=update.version is not None),
            encryption_identity=update.identity,
            federated_client_id=update.federated_client_id,
        )
        self.was_ours = True

    @property
    def is_on_cmk(self) -> bool:
        return self.account.current_key is not None and self.account.current_key.names_same_key(CMK)

    def number_in_use(self) -> int:
        return int(self.account.current_version or "0", 16)

    @property
    def newest(self) -> int:
        return max(self.versions)

    def tick(self) -> None:
        self.now += timedelta(seconds=1)

    def change(self, **fields: Any) -> None:
        before = self.account
        self.account = replace(before, **fields)
        if self.account.current_key != before.current_key:
            self.tick()
            self.account = replace(self.account, rotated_at=self.now)
