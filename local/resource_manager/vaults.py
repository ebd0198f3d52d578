"""Key vaults as resources: what a customer's administrator reads and changes of a vault that exists.

Purge protection can be turned on and never off; the retention of soft delete is fixed when a vault is created.
"""

from typing import Any, Final

from local.resource_manager.calls import Answer, ArmCall, check_members
from local.resource_manager.errors import ArmError, resource_not_found
from local.resource_manager.scopes import check_group, find_vault_by_id
from local.world import AccessPolicy, Firewall, Vault

KIND: Final = "Microsoft.KeyVault/vaults"
_SERVICE_VERSION: Final = "1.5.1229.0"
_PROPERTIES: Final = (
    "tenantId",
    "sku",
    "accessPolicies",
    "enabledForDeployment",
    "enabledForDiskEncryption",
    "enabledForTemplateDeployment",
    "enableSoftDelete",
    "enableRbacAuthorization",
    "softDeleteRetentionInDays",
    "createMode",
    "enablePurgeProtection",
    "networkAcls",
    "publicNetworkAccess",
)


async def get_vault(call: ArmCall) -> Answer:
    """GET."""
    return _answer(existing_vault(call, f"{KIND}/read"))


async def update_vault(call: ArmCall) -> Answer:
    """PATCH."""
    vault = existing_vault(call, f"{KIND}/write")
    body = call.body("tags", "properties")
    properties = body.get("properties") or {}
    check_members(properties, _PROPERTIES, "VaultPatchProperties")
    _check(vault, properties)
    if body.get("tags") is not None:
        vault.tags = dict(body["tags"])
    if properties.get("enablePurgeProtection"):
        vault.purge_protection = True
    if properties.get("enableSoftDelete") and vault.soft_delete_days == 0:
        vault.soft_delete_days = properties.get("softDeleteRetentionInDays") or 90
    if properties.get("enableRbacAuthorization") is not None:
        vault.rbac = properties["enableRbacAuthorization"]
    if properties.get("accessPolicies") is not None:
        vault.access_policies = [
            AccessPolicy(each["objectId"], set((each.get("permissions") or {}).get("keys") or []))
            for each in properties["accessPolicies"]
        ]
    rules = properties.get("networkAcls") or {}
    vault.firewall.default_action = rules.get("defaultAction") or vault.firewall.default_action
    vault.firewall.bypass = rules.get("bypass") or vault.firewall.bypass
    if rules.get("ipRules") is not None:
        vault.firewall.allowed_addresses = [each["value"] for each in rules["ipRules"]]
    return _answer(vault)


def _answer(vault: Vault) -> Answer:
    return Answer(200, _document(vault), {"x-ms-keyvault-service-version": _SERVICE_VERSION})


def existing_vault(call: ArmCall, action: str) -> Vault:
    """Authorise, then find the vault in the path; raises 403 and 404."""
    resource_id = f"{call.group_id}/providers/{KIND}/{call.parts['name']}"
    call.authorise(action, resource_id)
    check_group(call.world, call.parts["subscription"], call.parts["group"])
    vault = find_vault_by_id(call.world, resource_id)
    if vault is None:
        raise resource_not_found(KIND, call.parts["name"], call.parts["group"])
    return vault


def _check(vault: Vault, properties: dict[str, Any]) -> None:
    if properties.get("enablePurgeProtection") is False and vault.purge_protection:
        raise _refused("enablePurgeProtection", "Enabling the purge protection for a vault is an irreversible action.")
    if properties.get("enableSoftDelete") is False:
        raise _refused("enableSoftDelete", "Enabling the soft delete for a vault is an irreversible action.")
    days = properties.get("softDeleteRetentionInDays")
    if days is not None and vault.soft_delete_days and days != vault.soft_delete_days:
        raise ArmError(
            400,
            "BadRequest",
            'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.',
        )


def _refused(member: str, reason: str) -> ArmError:
    return ArmError(400, "BadRequest", f'The property "{member}" cannot be set to false. {reason}')


def _network_rules(vault: Vault) -> dict[str, Any]:
    """The rules; a vault that never had any does not show the member."""
    if vault.firewall == Firewall():
        return {}
    return {
        "networkAcls": {
            "bypass": vault.firewall.bypass,
            "defaultAction": vault.firewall.default_action,
            "ipRules": [{"value": each} for each in vault.firewall.allowed_addresses],
            "virtualNetworkRules": [],
        }
    }


def _document(vault: Vault) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "sku": {"family": "A", "name": "standard"},
        "tenantId": vault.tenant_id,
        **_network_rules(vault),
        "accessPolicies": [
            {
                "tenantId": vault.tenant_id,
                "objectId": each.object_id,
                "permissions": {"keys": sorted(each.permissions)},
            }
            for each in vault.access_policies
        ],
        "enabledForDeployment": False,
        "enableSoftDelete": vault.soft_delete_days > 0,
        "softDeleteRetentionInDays": vault.soft_delete_days,
        "enableRbacAuthorization": vault.rbac,
        "vaultUri": f"https://{vault.name}.vault.azure.net/",
        "provisioningState": "Succeeded",
        "publicNetworkAccess": "Enabled",
    }
    if vault.purge_protection:
        # The member is absent, not false, where purge protection is off.
        properties["enablePurgeProtection"] = True
    return {
        "id": vault.resource_id,
        "name": vault.name,
        "type": KIND,
        "location": vault.location,
        "tags": dict(vault.tags),
        "properties": properties,
    }
