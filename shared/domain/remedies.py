"""The exact command that mends a finding, filled in for the customer's vault and key. One source for all who show it.

Values are quoted for a POSIX shell. Commands are the Azure CLI's; None means that nothing needs to be done, or
that no command exists.
"""

import shlex

from shared.domain.model import Customer, Key
from shared.domain.reasons import Reason

ENCRYPTION_ROLE = "Key Vault Crypto Service Encryption User"


def ownership_tag(customer: Customer) -> tuple[str, str]:
    """Name and value of the tag that proves control of a key.

    The name holds the application, so that one key can serve several vendors; the value is the customer's nonce.
    """
    return f"crosskey-{customer.application}", customer.ownership_nonce


def remedy(reason: Reason | None, *, customer: Customer, key: Key | None, versions: tuple[str, ...] = ()) -> str | None:
    """What to run, and where, so that the finding disappears. `versions` are those that the finding is about."""
    if reason is None:
        return None
    general = _GENERAL.get(reason)
    if general is not None:
        return general.format(
            application=shlex.quote(customer.application),
            tenant=shlex.quote(customer.tenant_id),
        )
    if key is None:
        return None
    if versions and reason in _ENABLES:
        vault, name = shlex.quote(key.identifier.vault_name), shlex.quote(key.identifier.key_name)
        return " && ".join(
            f"az keyvault key set-attributes --vault-name {vault} --name {name} --version {version} --enabled true"
            for version in versions
        )
    return _for_key(reason, customer, key)


_ENABLES = frozenset({Reason.KEY_DISABLED, Reason.VERSION_IN_USE_DISABLED})

_GENERAL: dict[Reason, str] = {
    Reason.CONSENT_MISSING: (
        "Open the consent link as an administrator of tenant {tenant}, or run there: az ad sp create --id {application}"
    ),
    Reason.APPLICATION_DISABLED: "az ad sp update --id {application} --set accountEnabled=true",
    Reason.BLOCKED_BY_CONDITIONAL_ACCESS: (
        "Exclude application {application} from the Conditional Access policy "
        "for workload identities in tenant {tenant}."
    ),
    Reason.PROVIDER_CREDENTIAL_BROKEN: (
        "Nothing to do for the customer. The provider checks the federated credential of {application}."
    ),
    Reason.TOKEN_UNAVAILABLE: "Nothing to do for the customer: the check is repeated.",
    Reason.VAULT_UNREACHABLE: (
        "Nothing to do: the check is repeated. If it lasts, look at the vault's network settings."
    ),
    Reason.VAULT_THROTTLED: "Nothing to do: the check is repeated later.",
    Reason.KEY_UNSEEN: "Nothing to do for the customer. The provider finds out what keeps CrossKey from the vault.",
    Reason.SUBSCRIPTION_MISSING: (
        "Make the vault's event subscription with what GET /api/customers/<customerId>/webhook answers; "
        "docs/webhook.md says how."
    ),
}


def _for_key(reason: Reason, customer: Customer, key: Key) -> str | None:
    identifier = key.identifier
    vault, name = shlex.quote(identifier.vault_name), shlex.quote(identifier.key_name)
    on_key = f"--vault-name {vault} --name {name}"
    tag = shlex.quote("=".join(ownership_tag(customer)))
    application, tenant = shlex.quote(customer.application), shlex.quote(customer.tenant_id)
    assign = f'az role assignment create --role "{ENCRYPTION_ROLE}" --assignee {application} --scope {_scope(key)}'
    create = f"az keyvault key create --vault-name {vault} --name <new name> --kty RSA --size 3072"
    commands: dict[Reason, str] = {
        Reason.ROLE_PROPAGATING: f"If the role was assigned, wait: the check is repeated. If not: {assign}",
        Reason.VAULT_IN_ANOTHER_TENANT: (
            f"Register a key of a vault in tenant {tenant}, or correct the customer's tenantId."
        ),
        Reason.VAULT_NAME_UNRESOLVED: f"az keyvault show --name {vault} --query properties.vaultUri",
        Reason.VAULT_FIREWALL: (
            f"az keyvault update --name {vault} --bypass AzureServices && "
            f"az keyvault network-rule add --name {vault} --ip-address <CrossKey's outbound address>"
        ),
        Reason.ROLE_MISSING: assign,
        Reason.KEY_NOT_FOUND: f"az keyvault key recover {on_key}",
        Reason.KEY_DISABLED: f"az keyvault key set-attributes {on_key} --enabled true",
        Reason.VERSION_IN_USE_DISABLED: (
            f"az keyvault key set-attributes {on_key} --version <the version named> --enabled true"
        ),
        Reason.KEY_NOT_YET_VALID: f"az keyvault key set-attributes {on_key} --not-before <a time that has passed>",
        Reason.KEY_EXPIRED: f"az keyvault key rotate {on_key}",
        Reason.NEW_VERSION_UNUSABLE: f"az keyvault key rotate {on_key}   # or mend the version that is named",
        Reason.NEAR_EXPIRY: f"az keyvault key rotate {on_key}",
        Reason.ROTATION_OVERDUE: (
            f"az keyvault key rotate {on_key} && "
            f"az keyvault key rotation-policy update {on_key} --value <policy.json>   # rotates from then on"
        ),
        Reason.KEY_REFUSED_BY_STORAGE: (
            f"az keyvault update --name {vault} --bypass AzureServices   # and see that the role is there: {assign}"
        ),
        Reason.KEY_TYPE_UNSUPPORTED: create,
        Reason.KEY_SIZE_UNSUPPORTED: create,
        Reason.KEY_OPERATIONS_MISSING: f"az keyvault key set-attributes {on_key} --ops wrapKey unwrapKey",
        Reason.PURGE_PROTECTION_MISSING: (
            f"az keyvault update --name {vault} --enable-purge-protection true   # cannot be undone"
        ),
        Reason.WRAP_REFUSED: f"az keyvault key show {on_key}   # look at enabled, expires and key_ops",
        Reason.UNWRAP_REFUSED: f"az keyvault key show {on_key}   # look at enabled and key_ops",
        Reason.OWNERSHIP_UNPROVEN: (
            f"az keyvault key set-attributes {on_key} --tags {tag}   # name existing tags again, too"
        ),
        Reason.KEY_CLAIMED_ELSEWHERE: f"Register a key that serves no other registration: {create}",
        Reason.CURRENT_KEY_UNUSABLE: (
            f"az keyvault key list-versions {on_key}   # enable or recover the version in use"
        ),
    }
    return commands.get(reason)


def _scope(key: Key) -> str:
    if key.vault_resource_id is not None:
        return shlex.quote(key.vault_resource_id)
    return f'"$(az keyvault show --name {shlex.quote(key.identifier.vault_name)} --query id --output tsv)"'
