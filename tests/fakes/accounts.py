"""A fake of storage accounts in Resource Manager: an update really wraps with the customer's key."""

from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from typing import Any

from shared.domain.account_observation import (
    STORAGE_MANAGED,
    VAULT_MANAGED,
    AccountUpdate,
    EncryptWithKey,
    ObservedAccount,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.identifiers import StorageAccountId, same_arm_id
from shared.errors import CredentialRefused, Refused, Unavailable
from tests.fakes.interruptions import Interruptible
from tests.fakes.process import FakeClock
from tests.fakes.vault import FakeKeyVault

DATA_ENCRYPTION_KEY = b"the account's data encryption key"


class FakeStorageAccounts(Interruptible):
    """Every storage account there is. `moves_at_once`: whether a versionless update looks for a newer version."""

    def __init__(self, clock: FakeClock, vault: FakeKeyVault, *, moves_at_once: bool = True) -> None:
        super().__init__()
        self.moves_at_once = moves_at_once
        self.updates: list[AccountUpdate] = []
        self._clock = clock
        self._vault = vault
        self._accounts: dict[str, ObservedAccount] = {}

    def add(self, account: StorageAccountId, **attributes: Any) -> ObservedAccount:
        """Create an account on Microsoft-managed keys; `attributes` are fields of `ObservedAccount`."""
        seen = ObservedAccount(
            **{
                "resource_id": str(account),
                "location": "westeurope",
                "system_assigned": False,
                "user_assigned": (),
                "key_source": STORAGE_MANAGED,
                "covered_services": ("blob", "file"),
                "encryption_services": ("blob", "file"),
                **attributes,
            }
        )
        self._accounts[account.claim] = seen
        return seen

    def change(self, account: StorageAccountId, **attributes: Any) -> None:
        """Somebody else changes the account."""
        self._accounts[account.claim] = replace(self._accounts[account.claim], **attributes)

    def remove(self, account: StorageAccountId) -> None:
        """Somebody deletes the account."""
        del self._accounts[account.claim]

    async def read(self, account: StorageAccountId) -> ObservedAccount | None:
        """Read one account."""
        await self._begin("read")
        return self._accounts.get(account.claim)

    async def update(
        self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount
    ) -> ObservedAccount:
        """Apply one update. The request names the identities of `present`; those that came since are dropped."""
        await self._begin("update")
        seen = self._accounts.get(account.claim)
        if seen is None:
            raise Refused(f"updating {account}: it is not there", http_status=404, azure_code="ResourceNotFound")
        match update:
            case EncryptWithKey():
                identities = _with(present.user_assigned, update.identity)
                changed = await self._encrypt(replace(seen, user_assigned=identities), update)
            case SetKeyVersion():
                changed = await self._encrypt(seen, update)
            case ReturnToMicrosoftManagedKeys():
                changed = _on_microsoft_keys(seen)
            case RemoveIdentity():
                changed = self._without(seen, update.identity)
        self._accounts[account.claim] = changed
        self.updates.append(update)
        self._end("update")
        return changed

    def describe(self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount) -> dict[str, Any]:
        """What `update` would send, in this fake's words."""
        return {
            "method": "PATCH",
            "url": f"https://management.azure.com{account}",
            "body": {"present": list(present.user_assigned), **_plain(asdict(update))},
        }

    async def read_subscription(self, subscription_id: str) -> AsyncIterator[ObservedAccount]:
        """Every account of a subscription."""
        await self._begin("read_subscription")
        for claim, seen in sorted(self._accounts.items()):
            if claim.startswith(f"{subscription_id}|"):
                yield seen

    async def _encrypt(self, seen: ObservedAccount, update: EncryptWithKey | SetKeyVersion) -> ObservedAccount:
        if not any(same_arm_id(one, update.identity) for one in seen.user_assigned):
            raise _refused("the identity is not assigned to the account")
        kept = (
            seen.current_key if seen.current_key is not None and seen.current_key.names_same_key(update.key) else None
        )
        if update.version is not None:
            key = update.key.with_version(update.version)
        elif kept is not None and not self.moves_at_once:
            key = kept
        else:
            latest = self._vault.latest(update.key)
            if latest is None:
                raise _refused("the vault has no usable version of the key")
            key = latest
        try:
            tenant_id = self._vault.tenant_of(key)
            application = update.federated_client_id or ""
            wrapped = await self._vault.wrap(key, DATA_ENCRYPTION_KEY, tenant_id=tenant_id, application=application)
            await self._vault.unwrap(key, wrapped, tenant_id=tenant_id, application=application)
        except (Refused, CredentialRefused, Unavailable) as error:
            raise _refused(error.message) from error
        return replace(
            seen,
            key_source=VAULT_MANAGED,
            vault_uri=key.vault_uri,
            key_name=key.key_name,
            key_version=update.version,
            current_key=key,
            rotated_at=seen.rotated_at if key == seen.current_key else self._clock.now(),
            encryption_identity=update.identity,
            federated_client_id=update.federated_client_id,
        )

    @staticmethod
    def _without(seen: ObservedAccount, identity: str) -> ObservedAccount:
        if seen.encryption_identity is not None and same_arm_id(seen.encryption_identity, identity):
            raise _refused("the identity is in use by the account's encryption")
        return replace(seen, user_assigned=tuple(one for one in seen.user_assigned if not same_arm_id(one, identity)))


def _on_microsoft_keys(seen: ObservedAccount) -> ObservedAccount:
    return replace(
        seen,
        key_source=STORAGE_MANAGED,
        vault_uri=None,
        key_name=None,
        key_version=None,
        current_key=None,
        rotated_at=None,
        encryption_identity=None,
        federated_client_id=None,
    )


def _with(identities: tuple[str, ...], identity: str) -> tuple[str, ...]:
    return identities if any(same_arm_id(one, identity) for one in identities) else (*identities, identity)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value if value is None or isinstance(value, str) else str(value) for name, value in fields.items()}


def _refused(why: str) -> Refused:
    return Refused(
        f"Updating the storage account: {why}.",
        http_status=400,
        azure_code="KeyVaultAuthenticationFailure",
        detail=why,
    )
