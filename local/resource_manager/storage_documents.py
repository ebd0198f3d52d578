"""Storage accounts as their provider answers them, and which members requests may have.

The members are those of the provider's contract from 2021-09-01 on; an answer has the recorded order.
"""

from typing import Any, Final

from local.timestamps import azure_timestamp
from local.world import World

KIND: Final = "Microsoft.Storage/storageAccounts"
UPDATE_MEMBERS: Final = ("sku", "tags", "identity", "properties", "kind", "zones", "placement")
CREATE_MEMBERS: Final = (
    "sku",
    "kind",
    "location",
    "extendedLocation",
    "zones",
    "placement",
    "tags",
    "identity",
    "properties",
    # Some clients send the name as well; Azure ignores it.
    "name",
)
# Simple properties, kept as they are sent. `encryption` is worked out apart.
PROPERTIES: Final = (
    "customDomain",
    "encryption",
    "sasPolicy",
    "keyPolicy",
    "accessTier",
    "turboTier",
    "azureFilesIdentityBasedAuthentication",
    "supportsHttpsTrafficOnly",
    "isSftpEnabled",
    "isLocalUserEnabled",
    "enableExtendedGroups",
    "networkAcls",
    "largeFileSharesState",
    "routingPreference",
    "dualStackEndpointPreference",
    "allowBlobPublicAccess",
    "minimumTlsVersion",
    "allowSharedKeyAccess",
    "allowCrossTenantReplication",
    "defaultToOAuthAuthentication",
    "publicNetworkAccess",
    "immutableStorageWithVersioning",
    "allowedCopyScope",
    "dnsEndpointType",
    "geoPriorityReplicationStatus",
    "allowSharedKeyAccessForServices",
    "dataCollaborationPolicyProperties",
    "allowCrossTenantDelegationSas",
)
CREATE_ONLY_PROPERTIES: Final = ("isHnsEnabled", "isNfsV3Enabled")
_ENDPOINTS: Final = {
    "Storage": ("blob", "queue", "table", "file"),
    "BlobStorage": ("dfs", "blob", "table"),
    "BlockBlobStorage": ("dfs", "web", "blob"),
    "FileStorage": ("file",),
}
_ALL_ENDPOINTS: Final = ("dfs", "web", "blob", "queue", "table", "file")
_SECONDARY_ENDPOINTS: Final = ("dfs", "web", "blob", "queue", "table")
_SECONDARY_LOCATION: Final = "northeurope"


def new_account(world: World, resource_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """A new account with Microsoft-managed keys and no identity yet."""
    name = resource_id.rpartition("/")[2]
    created = azure_timestamp(world.clock.now())
    properties = body.get("properties") or {}
    wanted = (properties.get("encryption") or {}).get("services") or {}
    services: dict[str, Any] = {
        kind: {"keyType": "Account", "enabled": True, "lastEnabledTime": created} for kind in ("file", "blob")
    }
    for kind in ("queue", "table"):
        if (wanted.get(kind) or {}).get("keyType") == "Account":
            services[kind] = {"keyType": "Account", "enabled": True, "lastEnabledTime": created}
    encryption: dict[str, Any] = {"services": services, "keySource": "Microsoft.Storage"}
    if (properties.get("encryption") or {}).get("requireInfrastructureEncryption"):
        encryption["requireInfrastructureEncryption"] = True
    chosen = {name: value for name, value in properties.items() if name != "encryption" and value is not None}
    return {
        "sku": sku(body["sku"]["name"]),
        "kind": body["kind"],
        "id": resource_id,
        "name": name,
        "type": KIND,
        "location": body["location"].lower().replace(" ", ""),
        "tags": dict(body.get("tags") or {}),
        "properties": {
            "keyCreationTime": {"key1": created, "key2": created},
            "allowCrossTenantReplication": False,
            "privateEndpointConnections": [],
            "minimumTlsVersion": "TLS1_0",
            "allowBlobPublicAccess": False,
            "networkAcls": {
                "ipv6Rules": [],
                "bypass": "AzureServices",
                "virtualNetworkRules": [],
                "ipRules": [],
                "defaultAction": "Allow",
            },
            "supportsHttpsTrafficOnly": True,
            "encryption": encryption,
            # The oldest kind of account has no tiers.
            **({} if body["kind"] == "Storage" else {"accessTier": "Hot"}),
            **chosen,
            "provisioningState": "Creating",
            "creationTime": created,
            "primaryEndpoints": _addresses(name, _ENDPOINTS.get(body["kind"], _ALL_ENDPOINTS)),
            "primaryLocation": body["location"].lower().replace(" ", ""),
            "statusOfPrimary": "available",
            **_secondary(name, body["sku"]["name"]),
        },
    }


def _secondary(name: str, sku_name: str) -> dict[str, Any]:
    """What an account shows of its copy in another region; only the read-access kinds have addresses there."""
    redundancy = sku_name.partition("_")[2].upper()
    if "G" not in redundancy:
        return {}
    place: dict[str, Any] = {"secondaryLocation": _SECONDARY_LOCATION, "statusOfSecondary": "available"}
    if redundancy.startswith("RA"):
        place["secondaryEndpoints"] = _addresses(f"{name}-secondary", _SECONDARY_ENDPOINTS)
    return place


def _addresses(name: str, kinds: tuple[str, ...]) -> dict[str, str]:
    return {kind: f"https://{name}.{kind}.core.windows.net/" for kind in kinds}


def sku(name: str) -> dict[str, str]:
    """The sku with its tier."""
    return {"name": name, "tier": "Premium" if name.startswith("Premium") else "Standard"}


def with_identity(document: dict[str, Any], identity: dict[str, Any] | None) -> dict[str, Any]:
    """The account with an identity block, which stands first where there is one."""
    rest = {name: value for name, value in document.items() if name != "identity"}
    return rest if identity is None else {"identity": identity, **rest}
