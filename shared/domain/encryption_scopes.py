"""Encryption scopes: parts of a storage account that may be encrypted with a key of their own.

CrossKey makes none. It looks for those that the account's owner put on the customer's key: they keep needing the
versions they are on, whatever the account itself uses, so they come first at a release and count for every version.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.identifiers import KeyIdentifier

VAULT_SOURCE = "Microsoft.KeyVault"
STORAGE_SOURCE = "Microsoft.Storage"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedScope:
    """`key` is the key in use with its version where Azure tells it; None for Microsoft-managed and foreign keys.

    A disabled scope refuses requests, but its data stay encrypted with its key: `state` changes nothing here.
    """

    name: str
    key_source: str
    key: KeyIdentifier | None = None
    state: str = "Enabled"

    @property
    def uses_vault(self) -> bool:
        """Whether the scope is encrypted with a key of somebody's vault."""
        return self.key_source.lower() == VAULT_SOURCE.lower()

    @property
    def version(self) -> str | None:
        """The key version in use, where it is told."""
        return None if self.key is None else self.key.version


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseScope:
    """Put one encryption scope back on Microsoft-managed keys."""

    name: str


def scopes_on(scopes: Sequence[ObservedScope], key: KeyIdentifier) -> list[ObservedScope]:
    """The scopes that are encrypted with the key, whatever its version."""
    return [one for one in scopes if one.uses_vault and one.key is not None and one.key.names_same_key(key)]
