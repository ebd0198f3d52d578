"""Storage accounts, vaults and identities in the local Azure as a recorded account shows them.

The account gets there by the local Azure's own doing: created, then PATCHed to its identity and encryption, so that
what it answers afterwards is its own.
"""

import re
import uuid
from typing import Any, Final
from urllib.parse import urlsplit

from local.entra.consent import create_service_principal
from local.entra.tokens import v2_issuer
from local.resource_manager.storage_documents import new_account
from local.seed import put_application, put_federated_credential, put_identity
from local.world import (
    AccessPolicy,
    Application,
    FederatedCredential,
    KeyVersion,
    ManagedIdentity,
    StorageAccount,
    Vault,
    VaultKey,
    World,
)
from tests.replay.alike_vault import rsa_key
from tests.replay.recordings import TENANT
from tests.replay.stage import Stage

API_VERSION: Final = "2023-05-01"
_KEY_OPERATIONS: Final = ["wrapKey", "unwrapKey"]
_PERMISSIONS: Final = {"get", "wrapKey", "unwrapKey"}
_VERSION: Final = re.compile(r"[0-9a-f]{32}")


def put_account(stage: Stage, document: dict[str, Any], token: str) -> str:
    """Create the account with the identity and encryption of a recorded answer; answers its id."""
    resource_id = str(document["id"])
    encryption = (document.get("properties") or {}).get("encryption") or {}
    put_keys_and_identities(stage, document)

    def create(world: World) -> None:
        body = {
            "sku": document.get("sku") or {"name": "Standard_LRS"},
            "kind": document.get("kind") or "StorageV2",
            "location": document.get("location") or "westeurope",
            "tags": document.get("tags") or {},
            "properties": _chosen(document),
        }
        made = StorageAccount(resource_id, new_account(world, resource_id, body), b"k" * 32)
        made.document["properties"]["provisioningState"] = "Succeeded"
        world.storage_accounts[resource_id.casefold()] = made

    stage.change(create)
    identity = document.get("identity")
    if identity is None:
        return resource_id
    wanted: dict[str, Any] = {each: {} for each in identity.get("userAssignedIdentities") or {}}
    chosen = (encryption.get("identity") or {}).get("userAssignedIdentity")
    if chosen and not any(each.casefold() == chosen.casefold() for each in wanted):
        wanted[chosen] = {}
    kinds = [each for each in ("SystemAssigned",) if each in identity["type"]] + (["UserAssigned"] if wanted else [])
    if kinds:
        first = {"type": ",".join(kinds), **({"userAssignedIdentities": wanted} if wanted else {})}
        _patch(stage, resource_id, token, {"identity": first})
    allow_identities(stage, resource_id)
    if encryption.get("keySource") == "Microsoft.Keyvault":
        _patch(stage, resource_id, token, {"properties": {"encryption": _requested(encryption)}})
    if identity["type"] != ",".join(kinds) or set(wanted) != set(identity.get("userAssignedIdentities") or {}):
        _patch(stage, resource_id, token, {"identity": _removing(identity, wanted)})
    return resource_id


def put_keys_and_identities(stage: Stage, *documents: Any, purge_protection: bool = True) -> None:
    """Create every identity, vault and key that the documents name, and let the identities use the keys."""

    def put(world: World) -> None:
        for document in documents:
            if not isinstance(document, dict):
                continue
            for resource_id in _identities(document):
                if resource_id.casefold() not in world.managed_identities:
                    identity = ManagedIdentity(resource_id, str(uuid.uuid4()), str(uuid.uuid4()), TENANT)
                    put_identity(world, identity)
            _put_key(world, document, purge_protection=purge_protection)

    stage.change(put)


def allow_identities(stage: Stage, account_id: str | None = None) -> None:
    """Let every identity, and the account's own, use every key."""

    def allow(world: World) -> None:
        principals = [each.principal_id for each in world.managed_identities.values()]
        for tenant in world.tenants.values():
            principals += [each.object_id for each in tenant.service_principals.values()]
        account = world.storage_accounts.get((account_id or "").casefold())
        if account is not None:
            principals.append(str((account.document.get("identity") or {}).get("principalId")))
        for vault in world.vaults.values():
            vault.access_policies = [AccessPolicy(each, set(_PERMISSIONS)) for each in principals]

    stage.change(allow)


def _put_key(world: World, document: dict[str, Any], *, purge_protection: bool) -> None:
    encryption = (document.get("properties") or {}).get("encryption") or {}
    named = encryption.get("keyvaultproperties") or {}
    host = urlsplit(str(named.get("keyvaulturi") or "")).hostname or ""
    if not host or not named.get("keyname"):
        return
    name = host.partition(".")[0]
    resource_id = f"/subscriptions/{TENANT}/resourceGroups/recorded/providers/Microsoft.KeyVault/vaults/{name}"
    vault = world.vaults.setdefault(
        name, Vault(name, resource_id, TENANT, "westeurope", purge_protection=purge_protection, rbac=False)
    )
    key = vault.keys.setdefault(named["keyname"], VaultKey(named["keyname"]))
    current = str(named.get("currentVersionedKeyIdentifier") or "").rpartition("/")[2]
    for version in (named.get("keyversion"), current, None if key.versions else "1" * 32):
        if version and _VERSION.fullmatch(version) and all(each.version != version for each in key.versions):
            key.versions.append(KeyVersion(version, rsa_key(), "RSA", list(_KEY_OPERATIONS), created=1, updated=1))
    application = (encryption.get("identity") or {}).get("federatedIdentityClientId")
    if application:
        _federate(world, application, str(encryption["identity"].get("userAssignedIdentity") or ""))


def _federate(world: World, client_id: str, identity_id: str) -> None:
    if client_id not in world.applications:
        put_application(world, Application(client_id=client_id, tenant_id=TENANT, display_name="Recorded"))
    identity = world.managed_identities.get(identity_id.casefold())
    if identity is not None:
        credential = FederatedCredential("recorded", v2_issuer(TENANT), identity.principal_id)
        put_federated_credential(world, client_id, credential)
    create_service_principal(world.tenants[TENANT], client_id)


def _identities(document: dict[str, Any]) -> list[str]:
    encryption = (document.get("properties") or {}).get("encryption") or {}
    named = [*((document.get("identity") or {}).get("userAssignedIdentities") or {})]
    chosen = (encryption.get("identity") or {}).get("userAssignedIdentity")
    return [*named, *([chosen] if chosen else [])]


def _chosen(document: dict[str, Any]) -> dict[str, Any]:
    """What whoever made the account had chosen."""
    properties = document.get("properties") or {}
    names = ("accessTier", "minimumTlsVersion", "isHnsEnabled", "allowSharedKeyAccess", "publicNetworkAccess")
    encryption = properties.get("encryption") or {}
    services = {
        "services": {
            kind: {"keyType": each.get("keyType")} for kind, each in (encryption.get("services") or {}).items()
        }
    }
    return {**{name: properties[name] for name in names if name in properties}, "encryption": services}


def _requested(encryption: dict[str, Any]) -> dict[str, Any]:
    """The block as a request would hold it."""
    named = encryption.get("keyvaultproperties") or {}
    wanted = {name: named[name] for name in ("keyname", "keyvaulturi", "keyversion") if name in named}
    made: dict[str, Any] = {"keySource": encryption["keySource"], "keyvaultproperties": wanted}
    return {**made, "identity": encryption["identity"]} if encryption.get("identity") else made


def _removing(identity: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    kept = identity.get("userAssignedIdentities") or {}
    if not kept:
        return {"type": identity["type"]}
    changes: dict[str, Any] = {each: {} if each in kept else None for each in wanted}
    return {"type": identity["type"], "userAssignedIdentities": changes}


def _patch(stage: Stage, resource_id: str, token: str, body: dict[str, Any]) -> None:
    url = f"https://management.azure.com{resource_id}?api-version={API_VERSION}"
    answer = stage.ask("PATCH", url, token=token, body=body)
    if answer.status != 200:
        raise ValueError(f"the recorded state cannot be reached: {answer.status} {answer.body}")
