"""Identifiers, parsed once into frozen values: customers, names, tenants, keys in a vault, ARM resources.

Everything from outside that names something comes through here before any client is built, so that a
request can only ever go to a vault of the configured cloud and to Resource Manager. A malformed value raises
`MalformedIdentifier`, which says which rule was broken; callers add the field's name.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from shared.domain.clouds import PUBLIC, Cloud

CUSTOMER_ID = re.compile(r"[a-z0-9]([a-z0-9-]{1,61}[a-z0-9])")
OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
VAULT_NAME = re.compile(r"[a-z](?!.*--)[a-z0-9-]{1,22}[a-z0-9]")
KEY_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
KEY_VERSION = re.compile(r"[0-9a-f]{32}")
RESOURCE_GROUP = re.compile(r"[\w().-]{0,89}[\w()-]")
STORAGE_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
MAX_IDENTIFIER_LENGTH = 512


class MalformedIdentifier(ValueError):
    """The text is not the identifier it should be; the message says what it must look like."""


class HostNotAllowed(MalformedIdentifier):
    """The key identifier leads to a host that is not a vault of the configured cloud."""


def customer_id(text: str) -> str:
    """Check a customer id."""
    if not CUSTOMER_ID.fullmatch(text):
        raise MalformedIdentifier(
            "must be 3 to 63 lower-case letters, digits or hyphens, beginning and ending with a letter or digit"
        )
    return text


def object_name(text: str) -> str:
    """Check the name of a key or resource as the operator chose it."""
    if not OBJECT_NAME.fullmatch(text):
        raise MalformedIdentifier(
            "must be 1 to 63 lower-case letters, digits or hyphens, beginning and ending with a letter or digit"
        )
    return text


def guid(text: str) -> str:
    """Check a GUID and fold its case."""
    folded = text.lower()
    if not GUID.fullmatch(folded):
        raise MalformedIdentifier("must be a GUID such as 72f988bf-86f1-41af-91ab-2d7cd011db47")
    return folded


@dataclass(frozen=True, slots=True)
class KeyIdentifier:
    """A key in a vault, with or without a version. Key names compare case-folded."""

    vault_host: str
    key_name: str
    version: str | None = None

    @classmethod
    def parse(cls, text: str, *, cloud: Cloud = PUBLIC) -> Self:
        """Parse `https://{vault}{suffix}/keys/{name}[/{version}]`.

        No user-info, query, fragment or port other than 443 is accepted, and the host must be one vault
        label under the cloud's suffix, so that no look-alike ever receives a token.
        """
        # urlsplit would drop line breaks and leading control characters in silence.
        plain = text.isascii() and text.isprintable() and " " not in text
        if len(text) > MAX_IDENTIFIER_LENGTH or not plain:
            raise MalformedIdentifier("must be a plain ASCII URL of at most 512 characters")
        try:
            url = urlsplit(text)
            port = url.port
        except ValueError as error:
            raise MalformedIdentifier("must be a URL such as https://contoso.vault.azure.net/keys/cmk") from error
        if url.scheme != "https" or url.query or url.fragment or "?" in text or "#" in text or "\\" in text:
            raise MalformedIdentifier("must be an https URL without query or fragment")
        if url.username is not None or url.password is not None or port not in (None, 443):
            raise HostNotAllowed("must not hold user-info or a port other than 443")
        host = (url.hostname or "").lower()
        if not host.endswith(cloud.vault_suffix) or not VAULT_NAME.fullmatch(host.removesuffix(cloud.vault_suffix)):
            raise HostNotAllowed(f"must name a vault: https://<vault>{cloud.vault_suffix}/keys/<name>")
        match url.path.split("/"):
            case ["", "keys", name] | ["", "keys", name, ""] if KEY_NAME.fullmatch(name):
                return cls(host, name)
            case ["", "keys", name, version] if KEY_NAME.fullmatch(name) and KEY_VERSION.fullmatch(version.lower()):
                return cls(host, name, version.lower())
            case _:
                raise MalformedIdentifier(
                    f"must be https://<vault>{cloud.vault_suffix}/keys/<name> or .../<name>/<version>"
                )

    @property
    def versionless(self) -> "KeyIdentifier":
        """The same key without a version."""
        return KeyIdentifier(self.vault_host, self.key_name)

    def with_version(self, version: str) -> "KeyIdentifier":
        """The same key at one version."""
        return KeyIdentifier(self.vault_host, self.key_name, version)

    @property
    def vault_uri(self) -> str:
        """The vault's base URL, without a trailing slash."""
        return f"https://{self.vault_host}"

    @property
    def vault_name(self) -> str:
        """The vault's name: the host's first label."""
        return self.vault_host.partition(".")[0]

    @property
    def claim(self) -> str:
        """The case-folded row key under which the key's one owner is recorded."""
        return f"{self.vault_host}|{self.key_name.lower()}"

    def names_same_key(self, other: "KeyIdentifier") -> bool:
        """Whether both name one key, whatever their versions."""
        return self.claim == other.claim

    def __str__(self) -> str:
        base = f"https://{self.vault_host}/keys/{self.key_name}"
        return base if self.version is None else f"{base}/{self.version}"


@dataclass(frozen=True, slots=True)
class StorageAccountId:
    """An ARM id of a storage account. ARM ids compare case-folded; the spelling given is kept."""

    subscription_id: str
    resource_group: str
    account_name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `/subscriptions/{guid}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{name}`."""
        shape = (
            "must be /subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.Storage/storageAccounts/<name>"
        )
        if len(text) > MAX_IDENTIFIER_LENGTH or not text.isascii():
            raise MalformedIdentifier(shape)
        parts = text.split("/")
        if len(parts) != 9 or parts[0] != "":
            raise MalformedIdentifier(shape)
        _, subscriptions, subscription, groups, group, providers, provider, kind, name = parts
        fixed = (subscriptions.lower(), groups.lower(), providers.lower(), provider.lower(), kind.lower())
        if fixed != ("subscriptions", "resourcegroups", "providers", "microsoft.storage", "storageaccounts"):
            raise MalformedIdentifier(shape)
        if (
            not GUID.fullmatch(subscription.lower())
            or not RESOURCE_GROUP.fullmatch(group)
            or not STORAGE_ACCOUNT.fullmatch(name.lower())
        ):
            raise MalformedIdentifier(shape)
        return cls(subscription.lower(), group, name.lower())

    @property
    def claim(self) -> str:
        """The case-folded row key under which the resource's one owner is recorded."""
        return f"{self.subscription_id}|{self.resource_group.lower()}|microsoft.storage|{self.account_name}"

    def __str__(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Storage/storageAccounts/{self.account_name}"
        )


def same_arm_id(one: str, other: str) -> bool:
    """Whether two ARM ids name the same thing; ARM compares without case."""
    return one.rstrip("/").lower() == other.rstrip("/").lower()
