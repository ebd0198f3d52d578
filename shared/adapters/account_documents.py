"""Storage accounts in Resource Manager's words: the body of each update, and what an answer says.

Inside `keyvaultproperties` the member names are all lower case. `keyversion: ""` asks for Azure's automatic update;
leaving the member out would keep a version that is pinned. Answers are read without regard to the case of names.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.domain.account_observation import (
    STORAGE_MANAGED,
    VAULT_MANAGED,
    AccountUpdate,
    CreateAccount,
    EncryptWithKey,
    ObservedAccount,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.clouds import Cloud
from shared.domain.identifiers import KeyIdentifier, MalformedIdentifier, same_arm_id
from shared.errors import UnexpectedAnswer

API_VERSION: Final = "2023-05-01"
"""Every member used here is in this version's published contract."""

ALWAYS_COVERED: Final = frozenset({"blob", "file"})
"""Queues and tables are covered only with `keyType: Account`, which is chosen when the account is made."""


def body(update: AccountUpdate, present: ObservedAccount) -> dict[str, Any]:
    """The PATCH body of an update."""
    match update:
        case EncryptWithKey():
            properties = {"properties": {"encryption": _encryption(update, present)}}
            # Leaving identities out of a request keeps those that are there.
            return (
                properties
                if update.identity is None
                else {"identity": _identity(present, add=update.identity), **properties}
            )
        case SetKeyVersion():
            return {"properties": {"encryption": _encryption(update, present)}}
        case ReturnToMicrosoftManagedKeys():
            return {"properties": {"encryption": {"keySource": STORAGE_MANAGED, **_services(present)}}}
        case RemoveIdentity():
            return {"identity": _identity(present, remove=update.identity)}


def _encryption(update: EncryptWithKey | SetKeyVersion, present: ObservedAccount) -> dict[str, Any]:
    identity = _encryption_identity(update)
    if update.federated_client_id is None and present.federated_client_id is not None:
        # What somebody else set would go on otherwise: members that are left out of a PATCH may be kept.
        identity["federatedIdentityClientId"] = ""
    return {"keySource": VAULT_MANAGED, **_services(present), **_key(update), "identity": identity}


def _key(update: EncryptWithKey | SetKeyVersion) -> dict[str, Any]:
    return {
        "keyvaultproperties": {
            "keyvaulturi": update.key.vault_uri,
            "keyname": update.key.key_name,
            "keyversion": update.version or "",
        }
    }


def _encryption_identity(update: EncryptWithKey | SetKeyVersion) -> dict[str, str]:
    # An empty text stands for the account's system-assigned identity.
    identity = {"userAssignedIdentity": update.identity or ""}
    if update.federated_client_id is not None:
        identity["federatedIdentityClientId"] = update.federated_client_id
    return identity


def creation_body(creation: CreateAccount) -> dict[str, Any]:
    """The PUT body of a new account: on the customer's key before anything is stored in it."""
    account, encryption = creation.account, creation.encryption
    covered = {name: {"enabled": True, "keyType": "Account"} for name in account.coverage}
    body: dict[str, Any] = {
        "location": account.location,
        "sku": {"name": account.sku},
        "kind": account.kind,
        "tags": dict(account.tags),
        "properties": {
            "minimumTlsVersion": account.minimum_tls_version,
            "encryption": {
                "keySource": VAULT_MANAGED,
                "services": {"blob": {"enabled": True}, "file": {"enabled": True}, **covered},
                **_key(encryption),
                "identity": _encryption_identity(encryption),
            },
        },
    }
    if encryption.identity is not None:
        body["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {encryption.identity: {}}}
    return body


def _services(present: ObservedAccount) -> dict[str, Any]:
    return {"services": {name: _service(name, present) for name in present.encryption_services}}


def _service(name: str, present: ObservedAccount) -> dict[str, Any]:
    if name in ALWAYS_COVERED or name not in present.covered_services:
        return {"enabled": True}
    # Without it the default could be read, which cannot be chosen any more.
    return {"enabled": True, "keyType": "Account"}


def _identity(present: ObservedAccount, *, add: str | None = None, remove: str | None = None) -> dict[str, Any]:
    """The union of what is there and what is added, or what is left. An identity that is there is never dropped."""
    kept = [one for one in present.user_assigned if remove is None or not same_arm_id(one, remove)]
    if add is not None and not any(same_arm_id(one, add) for one in kept):
        kept.append(add)
    if not kept:
        # A type without user-assigned identities takes off the last one by itself.
        return {"type": "SystemAssigned" if present.system_assigned else "None"}
    kinds = (["SystemAssigned"] if present.system_assigned else []) + ["UserAssigned"]
    assigned: dict[str, Any] = {one: {} for one in kept}
    if remove is not None:
        # By the spelling under which Resource Manager knows it.
        assigned[next((one for one in present.user_assigned if same_arm_id(one, remove)), remove)] = None
    return {"type": ",".join(kinds), "userAssignedIdentities": assigned}


def observe(document: Any, cloud: Cloud) -> ObservedAccount:
    """Read an account as Resource Manager answers it. Raises `UnexpectedAnswer`."""
    account = _Members(document)
    resource_id, location = account.text("id"), account.text("location")
    if resource_id is None or location is None:
        raise UnexpectedAnswer("reading a storage account: the answer has no id or location")
    identity = account.inner("identity")
    encryption = account.inner("properties").inner("encryption")
    key = encryption.inner("keyvaultproperties")
    encryption_identity = encryption.inner("identity")
    services = {name: _Members(value) for name, value in encryption.inner("services").items()}
    enabled = sorted(name for name, service in services.items() if service.get("enabled") is not False)
    return ObservedAccount(
        resource_id=resource_id,
        location=location,
        system_assigned="systemassigned" in (identity.text("type") or "").lower().replace(" ", "").split(","),
        user_assigned=tuple(name for name, _ in identity.inner("userAssignedIdentities").items()),
        key_source=encryption.text("keySource") or STORAGE_MANAGED,
        vault_uri=key.text("keyvaulturi"),
        key_name=key.text("keyname"),
        key_version=key.text("keyversion"),
        current_key=_current_key(key.text("currentVersionedKeyIdentifier"), cloud),
        rotated_at=read_timestamp(key.text("lastKeyRotationTimestamp")),
        encryption_identity=encryption_identity.text("userAssignedIdentity") or None,
        federated_client_id=(encryption_identity.text("federatedIdentityClientId") or "").lower() or None,
        covered_services=tuple(name for name in enabled if _is_covered(name, services[name])),
        encryption_services=tuple(enabled),
        provisioning_state=account.inner("properties").text("provisioningState") or "Succeeded",
    )


def _is_covered(name: str, service: "_Members") -> bool:
    return name in ALWAYS_COVERED or (service.text("keyType") or "").lower() == "account"


def _current_key(text: str | None, cloud: Cloud) -> KeyIdentifier | None:
    try:
        return KeyIdentifier.parse(text, cloud=cloud) if text else None
    except MalformedIdentifier:
        # A key outside Key Vault, such as in a Managed HSM, is not one of ours; what counts is that it is another.
        return None


def read_timestamp(text: str | None) -> datetime | None:
    """A time with up to seven digits of fraction; the year 1970 means "none"."""
    if not text:
        return None
    whole, dot, rest = text.strip().partition(".")
    if dot:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        whole += f".{digits[:6].ljust(6, '0')}{rest[len(digits) :]}"
    try:
        time = datetime.fromisoformat(whole)
    except ValueError as error:
        raise UnexpectedAnswer(f"reading a storage account: {text!r} is not a time") from error
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return None if time.year == 1970 else time


class _Members:
    """A JSON object's members, by names without regard to case; anything else has none."""

    def __init__(self, value: Any) -> None:
        self._value: Mapping[str, Any] = value if isinstance(value, dict) else {}

    def get(self, name: str) -> Any:
        return next((value for key, value in self._value.items() if key.lower() == name.lower()), None)

    def text(self, name: str) -> str | None:
        value = self.get(name)
        return value if isinstance(value, str) else None

    def inner(self, name: str) -> "_Members":
        return _Members(self.get(name))

    def items(self) -> list[tuple[str, Any]]:
        return list(self._value.items())
