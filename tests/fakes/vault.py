"""A fake of customers' vaults: access, versions, validity and wrapping as Key Vault has them.

Bytes wrapped by one version are unwrapped by that version alone. A version outside its validity window still
unwraps but does not wrap (https://learn.microsoft.com/azure/key-vault/keys/about-keys-details); a disabled one still
wraps but does not unwrap (https://github.com/Azure/azure-sdk-for-python/issues/45342).
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.domain.identifiers import KeyIdentifier
from shared.domain.key_observation import ObservedKey
from shared.errors import CredentialRefused, NameUnresolved, Refused
from shared.ports import Challenge
from tests.fakes.interruptions import Interruptible
from tests.fakes.process import FakeClock, FakeCredentials

NONCE, SEAL = 16, 32


@dataclass
class _Version:
    seen: ObservedKey
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))


@dataclass
class FakeVault:
    """One vault. `granted`: applications, and ARM ids of identities and accounts, that may get, wrap and unwrap."""

    host: str
    tenant_id: str
    region: str | None = "westeurope"
    granted: set[str] = field(default_factory=set)
    firewall_detail: str | None = None
    outage: Exception | None = None
    recovery_level: str = "CustomizedRecoverable"
    deleted_keys: set[str] = field(default_factory=set)
    versions: dict[str, list[_Version]] = field(default_factory=dict)


class FakeKeyVault(Interruptible):
    """Every vault there is; other hosts have no address. `home_tenant` is that of storage accounts and identities."""

    def __init__(self, clock: FakeClock, credentials: FakeCredentials, *, home_tenant: str) -> None:
        super().__init__()
        self.home_tenant = home_tenant
        self._clock = clock
        self._credentials = credentials
        self._vaults: dict[str, FakeVault] = {}

    def add_vault(self, name: str, tenant_id: str, *applications: str) -> FakeVault:
        """Create a vault that lets the applications in."""
        host = f"{name}.vault.azure.net"
        vault = self._vaults[host] = FakeVault(host=host, tenant_id=tenant_id, granted=set(applications))
        return vault

    def remove_vault(self, vault: FakeVault) -> None:
        """Delete a vault: its name resolves no longer."""
        del self._vaults[vault.host]

    def add_version(self, vault: FakeVault, name: str, *, expires: datetime | None = None) -> KeyIdentifier:
        """Create a key, or a newer version that keeps the key's tags."""
        versions = vault.versions.setdefault(name.lower(), [])
        seen = ObservedKey(
            version=secrets.token_hex(16),
            key_type="RSA",
            bits=3072,
            operations=frozenset({"wrapKey", "unwrapKey"}),
            enabled=True,
            not_before=None,
            expires=expires,
            # Two versions of one second would have no order.
            created=self._clock.now() + timedelta(seconds=len(versions)),
            recovery_level=vault.recovery_level,
            tags=dict(versions[-1].seen.tags) if versions else {},
        )
        versions.append(_Version(seen))
        return KeyIdentifier(vault.host, name, seen.version)

    def change(self, key: KeyIdentifier, **attributes: object) -> None:
        """Set attributes of one version, or of the latest: `enabled=False`, `tags={...}`, `expires=...`."""
        version = self._versions(key)[0]
        version.seen = replace(version.seen, **attributes)  # type: ignore[arg-type]  # names of ObservedKey's fields

    async def read_challenge(self, key: KeyIdentifier) -> Challenge:
        """Ask anonymously whose vault it is."""
        await self._begin("read_challenge")
        vault = self._reach(key)
        return Challenge(vault.tenant_id, vault.region)

    async def read_key(self, key: KeyIdentifier, *, tenant_id: str, application: str) -> ObservedKey | None:
        """Read one version, or the latest."""
        vault = await self._enter("read_key", key, tenant_id, application)
        found = self._versions(key)
        return replace(found[0].seen, recovery_level=vault.recovery_level) if found else None

    async def list_versions(
        self, key: KeyIdentifier, *, tenant_id: str, application: str
    ) -> Sequence[tuple[str, bool, datetime]]:
        """Every version, newest first."""
        await self._enter("list_versions", key, tenant_id, application)
        return [(one.seen.version, one.seen.enabled, one.seen.created) for one in self._versions(key.versionless)]

    async def wrap(self, key: KeyIdentifier, plaintext: bytes, *, tenant_id: str, application: str) -> str:
        """Wrap bytes with one version."""
        _check_versioned(key)
        await self._enter("wrap", key, tenant_id, application)
        version = self._for_wrapping(key)
        nonce = secrets.token_bytes(NONCE)
        hidden = _mix(version.secret, nonce, plaintext)
        seal = hmac.digest(version.secret, nonce + hidden, "sha256")
        return base64.urlsafe_b64encode(nonce + seal + hidden).rstrip(b"=").decode()

    async def unwrap(self, key: KeyIdentifier, wrapped: str, *, tenant_id: str, application: str) -> bytes:
        """Unwrap what one version wrapped."""
        _check_versioned(key)
        await self._enter("unwrap", key, tenant_id, application)
        version = self._for_unwrapping(key)
        try:
            data = base64.urlsafe_b64decode(wrapped + "=" * (-len(wrapped) % 4))
        except binascii.Error:
            data = b""
        nonce, seal, hidden = data[:NONCE], data[NONCE : NONCE + SEAL], data[NONCE + SEAL :]
        if not hmac.compare_digest(seal, hmac.digest(version.secret, nonce + hidden, "sha256")):
            raise Refused("Unwrapping: the vault refused.", http_status=400, azure_code="BadParameter")
        return _mix(version.secret, nonce, hidden)

    def latest(self, key: KeyIdentifier) -> KeyIdentifier | None:
        """The newest version of a key, usable or not: what Azure Storage takes when no version is named."""
        self._reach(key)
        found = self._versions(key.versionless)
        return key.with_version(found[0].seen.version) if found else None

    def serve_storage(self, key: KeyIdentifier, caller: str, *, wrapping: bool) -> None:
        """What Azure Storage meets when it uses a version: no cached token, and past the firewall where it is let.

        `caller` is an application, or the ARM id of an identity or account, which has no place in other tenants.
        """
        vault = self._reach(key)
        if caller.startswith("/"):
            if vault.tenant_id != self.home_tenant:
                raise CredentialRefused(f"{caller} is none of tenant {vault.tenant_id}'s.", aadsts=700016)
        else:
            self._credentials.check(tenant_id=vault.tenant_id, application=caller)
        if vault.firewall_detail is not None and "bypass is set to None" in vault.firewall_detail:
            raise _forbidden("ForbiddenByFirewall", vault.firewall_detail)
        _check_role(vault, caller)
        if wrapping:
            self._for_wrapping(key)
        self._for_unwrapping(key)

    async def _enter(self, operation: str, key: KeyIdentifier, tenant_id: str, application: str) -> FakeVault:
        await self._begin(operation)
        vault = self._reach(key)
        if vault.tenant_id != tenant_id:
            # The challenge names another tenant than the pinned one, and no token is asked for.
            raise Refused(
                f"The vault's challenge named tenant {vault.tenant_id}.",
                http_status=401,
                azure_code="Unauthorized",
                inner_code="VaultInAnotherTenant",
            )
        await self._credentials.obtain(tenant_id=tenant_id, application=application)
        if vault.firewall_detail is not None:
            raise _forbidden("ForbiddenByFirewall", vault.firewall_detail)
        _check_role(vault, application)
        return vault

    def _reach(self, key: KeyIdentifier) -> FakeVault:
        vault = self._vaults.get(key.vault_host)
        if vault is None:
            raise NameUnresolved(f"Reaching {key.vault_host}: the name has no address.")
        if vault.outage is not None:
            raise vault.outage
        return vault

    def _versions(self, key: KeyIdentifier) -> list[_Version]:
        vault = self._vaults[key.vault_host]
        name = key.key_name.lower()
        if name in vault.deleted_keys:
            return []
        found = vault.versions.get(name, [])[::-1]
        return [one for one in found if key.version in (None, one.seen.version)]

    def _for_wrapping(self, key: KeyIdentifier) -> _Version:
        version = self._permitted(key, "wrapKey")
        expires, not_before, now = version.seen.expires, version.seen.not_before, self._clock.now()
        if expires is not None and expires <= now:
            raise _forbidden("KeyExpired", "Operation wrapKey is not allowed on an expired key.")
        if not_before is not None and now < not_before:
            raise _forbidden("KeyNotYetValid", "Operation wrapKey is not allowed on a key that is not yet valid.")
        return version

    def _for_unwrapping(self, key: KeyIdentifier) -> _Version:
        version = self._permitted(key, "unwrapKey")
        if not version.seen.enabled:
            raise _forbidden("KeyDisabled", "Operation unwrapKey is not allowed on a disabled key.")
        return version

    def _permitted(self, key: KeyIdentifier, operation: str) -> _Version:
        found = self._versions(key)
        if not found:
            raise Refused(f"{operation}: the vault has no such key.", http_status=404, azure_code="KeyNotFound")
        if operation not in found[0].seen.operations:
            raise _forbidden("KeyOperationForbidden", f"Operation {operation} is not permitted on this key.")
        return found[0]


def _check_versioned(key: KeyIdentifier) -> None:
    if key.version is None:
        raise ValueError(f"wrapping and unwrapping need a versioned key identifier, not {key}")


def _check_role(vault: FakeVault, application: str) -> None:
    if application not in vault.granted:
        raise _forbidden("ForbiddenByRbac", "Caller is not authorized to perform action on resource.")


def _forbidden(inner_code: str, detail: str) -> Refused:
    return Refused(
        f"The vault refused: {detail}", http_status=403, azure_code="Forbidden", inner_code=inner_code, detail=detail
    )


def _mix(secret: bytes, nonce: bytes, data: bytes) -> bytes:
    stream = hashlib.shake_256(secret + nonce).digest(len(data))
    return bytes(one ^ other for one, other in zip(data, stream, strict=True))
