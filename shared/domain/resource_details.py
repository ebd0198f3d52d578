"""What a resource's row holds beside its own fields: what was observed, and what was begun and not yet finished.

A creation is recorded before it is asked for, and its address once Resource Manager accepted it. From then on the
account counts as one that has been there: whatever becomes of it, it is not asked for again.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedEncryption:
    """What Resource Manager last said of a resource's encryption. `pinned`: Azure's automatic update is off."""

    key_source: str
    key_identifier: str | None = None
    version_in_use: str | None = None
    pinned: bool = False
    rotated_at: datetime | None = None
    coverage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A move to `version` by pinning it and returning to Azure's automatic setting, begun and not yet finished."""

    version: str
    begun_at: datetime


class EncryptionIdentity(StrEnum):
    """As whom a storage account comes to the vault: CrossKey's own identity, or the account's."""

    USER_ASSIGNED = "userAssigned"
    SYSTEM_ASSIGNED = "systemAssigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A storage account to make where there is none. `coverage` names queues and tables: chosen now or never."""

    location: str
    sku: str
    kind: str
    coverage: tuple[str, ...] = ()
    minimum_tls_version: str = "TLS1_2"
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """An account that is being made. `poll_url` is where Resource Manager says how far it is, once it accepted."""

    begun_at: datetime
    poll_url: str | None = None
