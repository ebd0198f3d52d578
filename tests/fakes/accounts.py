"""A fake of storage accounts in Resource Manager: an update really needs the customer's key.

As Azure does, a request that changes or leaves a key needs the key in use once more, and identities merge: those
that a PATCH does not name stay, unless its type leaves out their kind.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from shared.adapters.account_documents import API_VERSION, body
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
from shared.domain.encryption_scopes import STORAGE_SOURCE, VAULT_SOURCE, ObservedScope, ReleaseScope
from shared.domain.identifiers import KeyIdentifier, StorageAccountId, same_arm_id
from shared.errors import CredentialRefused, NameUnresolved, Refused, Unavailable
from tests.fakes.new_accounts import FakeCreations
from tests.fakes.process import FakeClock
from tests.fakes.vault import FakeKeyVault


class FakeStorageAccounts(FakeCreations):
    """Every storage account there is. `moves_at_once`: whether a versionless update looks for a newer version.

    `updates` took effect; `requests` were sent, whether they took effect or not.
    """

    def __init__(self, clock: FakeClock, vault: FakeKeyVault, *, moves_at_once: bool = True) -> None:
        super().__init__(clock, self._encrypt)
        self.moves_at_once = moves_at_once
        self.updates: list[AccountUpdate] = []
        self.released_scopes: list[str] = []
        self._vault = vault
        self._scopes: dict[str, dict[str, ObservedScope]] = {}

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
        return self._look(account)

    async def update(
        self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount
    ) -> ObservedAccount:
        """Apply one update."""
        await self._begin("update")
        self.requests.append(self.describe(account, update, present=present))
        seen = self._look(account)
        if seen is not None and seen.is_being_made:
            raise Unavailable(f"updating {account}: StorageAccountOperationInProgress")
        if seen is None:
            raise Refused(f"updating {account}: it is not there", http_status=404, azure_code="ResourceNotFound")
        match update:
            case EncryptWithKey():
                changed = self._encrypt(seen, _with(seen, present, update.identity), update)
            case SetKeyVersion():
                changed = self._encrypt(seen, seen, update)
            case ReturnToMicrosoftManagedKeys():
                self._leave(seen)
                changed = _on_microsoft_keys(seen)
            case RemoveIdentity():
                changed = _without(seen, present, update.identity)
        self._accounts[account.claim] = changed
        self.updates.append(update)
        self._end("update")
        return changed

    def describe(self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount) -> dict[str, Any]:
        """What `update` would send."""
        url = f"https://management.azure.com{account}?api-version={API_VERSION}"
        return {"method": "PATCH", "url": url, "body": body(update, present)}

    def put_scope(self, account: StorageAccountId, name: str, key: KeyIdentifier | None = None) -> ObservedScope:
        """Somebody puts an encryption scope on a key's version, on its newest one, or on Microsoft-managed keys."""
        source = STORAGE_SOURCE if key is None else VAULT_SOURCE
        in_use = key if key is None or key.version is not None else self._vault.latest(key)
        scope = ObservedScope(name=name, key_source=source, key=in_use)
        self._scopes.setdefault(account.claim, {})[name] = scope
        return scope

    async def read_scopes(self, account: StorageAccountId) -> Sequence[ObservedScope]:
        """Every encryption scope of an account."""
        await self._begin("read_scopes")
        return list(self._scopes.get(account.claim, {}).values()) if account.claim in self._accounts else []

    async def release_scope(self, account: StorageAccountId, scope: ReleaseScope) -> ObservedScope:
        """Put a scope back on Microsoft-managed keys, which needs the key in use and the account's way to it."""
        await self._begin("release_scope")
        present = self._accounts.get(account.claim)
        found = self._scopes.get(account.claim, {}).get(scope.name)
        if present is None or found is None:
            raise Refused("There is no such scope.", http_status=404, azure_code="ResourceNotFound")
        if found.key is not None:
            self._use(found.key, _caller(present))
        self.released_scopes.append(scope.name)
        released = self.put_scope(account, scope.name)
        self._end("release_scope")
        return released

    async def read_subscription(self, subscription_id: str) -> AsyncIterator[ObservedAccount]:
        """Every account of a subscription."""
        await self._begin("read_subscription")
        for claim, seen in sorted(self._accounts.items()):
            if claim.startswith(f"{subscription_id}|"):
                yield seen

    def _encrypt(
        self, before: ObservedAccount, after: ObservedAccount, update: EncryptWithKey | SetKeyVersion
    ) -> ObservedAccount:
        identity = update.identity
        if not (after.system_assigned if identity is None else _carries(after.user_assigned, identity)):
            raise _refused("MissingMsiHeaders", "the identity is not assigned to the account")
        current, caller = before.current_key, update.federated_client_id or identity or before.resource_id
        if current is not None and current.names_same_key(update.key) and _same_version(before, update):
            # The settings in force, repeated.
            self._use(current, caller)
            key = self._latest(update.key) if update.version is None and self.moves_at_once else current
        else:
            self._leave(before)
            key = self._latest(update.key) if update.version is None else update.key.with_version(update.version)
        if key != current:
            self._use(key, caller, wrapping=True)
        return replace(
            after,
            key_source=VAULT_MANAGED,
            vault_uri=key.vault_uri,
            key_name=key.key_name,
            key_version=update.version or "",
            current_key=key,
            rotated_at=before.rotated_at if key == current else self._clock.now(),
            encryption_identity=update.identity,
            federated_client_id=update.federated_client_id,
        )

    def _latest(self, key: KeyIdentifier) -> KeyIdentifier:
        try:
            latest = self._vault.latest(key)
        except NameUnresolved as error:
            raise _refused("KeyVaultVaultNotFound", error.message) from error
        if latest is None:
            raise _refused("KeyVaultEncryptionKeyNotFound", "the vault has no such key")
        return latest

    def _use(self, key: KeyIdentifier, caller: str, *, wrapping: bool = False) -> None:
        try:
            self._vault.serve_storage(key, caller, wrapping=wrapping)
        except Refused as error:
            code = "KeyVaultEncryptionKeyNotFound" if error.http_status == 404 else "KeyVaultAuthenticationFailure"
            raise _refused(code, error.message) from error
        except CredentialRefused as error:
            raise _refused("KeyVaultAccessTokenCannotBeAcquired", error.message) from error
        except NameUnresolved as error:
            raise _refused("KeyVaultVaultNotFound", error.message) from error
        except Unavailable as error:
            raise _refused("KeyVaultAuthenticationFailure", error.message) from error

    def _leave(self, seen: ObservedAccount) -> None:
        if seen.current_key is None:
            return
        try:
            self._use(seen.current_key, _caller(seen))
        except Refused as error:
            if error.azure_code in {"KeyVaultEncryptionKeyNotFound", "KeyVaultVaultNotFound"}:
                raise _refused("HttpResourceNotFound", error.message, http_status=404) from error
            raise


def _caller(seen: ObservedAccount) -> str:
    """As whom the account comes to the vault: the application, the identity, or itself."""
    return seen.federated_client_id or seen.encryption_identity or seen.resource_id


def _carries(identities: Sequence[str], identity: str) -> bool:
    return any(same_arm_id(one, identity) for one in identities)


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


def _same_version(seen: ObservedAccount, update: EncryptWithKey | SetKeyVersion) -> bool:
    return (seen.key_version or None) == update.version


def _with(seen: ObservedAccount, present: ObservedAccount, identity: str | None) -> ObservedAccount:
    if identity is None:
        return seen
    assigned = _union(seen.user_assigned, (*present.user_assigned, identity))
    return replace(seen, system_assigned=present.system_assigned, user_assigned=assigned)


def _without(seen: ObservedAccount, present: ObservedAccount, identity: str) -> ObservedAccount:
    named = [one for one in present.user_assigned if not same_arm_id(one, identity)]
    # Without any user-assigned identity the request's type leaves out that kind, and with it all there are.
    left = [one for one in seen.user_assigned if named and not same_arm_id(one, identity)]
    return replace(seen, system_assigned=present.system_assigned, user_assigned=_union(left, named))


def _union(there: Sequence[str], named: Sequence[str]) -> tuple[str, ...]:
    union = list(there)
    for one in named:
        if not any(same_arm_id(one, other) for other in union):
            union.append(one)
    return tuple(union)


def _refused(code: str, why: str, *, http_status: int = 400) -> Refused:
    return Refused(f"Updating the storage account: {why}.", http_status=http_status, azure_code=code, detail=why)
