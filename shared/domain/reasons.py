"""Every reason a check or a reconcile can give, with its owner and one sentence.

A reason code is stable: the portal, the runbook and notifications depend on it. The remedy that belongs to a
reason is made in `remedies`, since it names the customer's vault and key.
"""

from enum import StrEnum


class Owner(StrEnum):
    """Who can mend a finding."""

    CUSTOMER = "customer"
    PROVIDER = "provider"


class Reason(StrEnum):
    """Stable reason codes; `SENTENCES` explains each and `PROVIDER_OWNED` says which are not the customer's."""

    KEY_IDENTIFIER_MALFORMED = "KeyIdentifierMalformed"
    VAULT_HOST_NOT_ALLOWED = "VaultHostNotAllowed"
    VAULT_IN_ANOTHER_TENANT = "VaultInAnotherTenant"
    PROVIDER_CREDENTIAL_BROKEN = "ProviderCredentialBroken"
    TOKEN_UNAVAILABLE = "TokenUnavailable"  # noqa: S105 - a reason, not a token
    CONSENT_MISSING = "ConsentMissing"
    APPLICATION_DISABLED = "ApplicationDisabled"
    BLOCKED_BY_CONDITIONAL_ACCESS = "BlockedByConditionalAccess"
    VAULT_UNREACHABLE = "VaultUnreachable"
    VAULT_NAME_UNRESOLVED = "VaultNameUnresolved"
    VAULT_THROTTLED = "VaultThrottled"
    VAULT_FIREWALL = "VaultFirewall"
    ROLE_PROPAGATING = "RolePropagating"
    ROLE_MISSING = "RoleMissing"
    KEY_NOT_FOUND = "KeyNotFound"
    KEY_DISABLED = "KeyDisabled"
    KEY_NOT_YET_VALID = "KeyNotYetValid"
    KEY_EXPIRED = "KeyExpired"
    KEY_TYPE_UNSUPPORTED = "KeyTypeUnsupported"
    KEY_SIZE_UNSUPPORTED = "KeySizeUnsupported"
    KEY_OPERATIONS_MISSING = "KeyOperationsMissing"
    PURGE_PROTECTION_MISSING = "PurgeProtectionMissing"
    WRAP_REFUSED = "WrapRefused"
    UNWRAP_REFUSED = "UnwrapRefused"
    VERSION_IN_USE_DISABLED = "VersionInUseDisabled"
    OWNERSHIP_UNPROVEN = "OwnershipUnproven"
    KEY_CLAIMED_ELSEWHERE = "KeyClaimedElsewhere"
    NEW_VERSION_UNUSABLE = "NewVersionUnusable"
    NEAR_EXPIRY = "NearExpiry"
    ROTATION_OVERDUE = "RotationOverdue"
    SUBSCRIPTION_MISSING = "SubscriptionMissing"
    KEY_UNSEEN = "KeyUnseen"
    KEY_NOT_READY = "KeyNotReady"
    KEY_NOT_REGISTERED = "KeyNotRegistered"
    CURRENT_KEY_UNUSABLE = "CurrentKeyUnusable"
    RESOURCE_NOT_FOUND = "ResourceNotFound"
    PROVIDER_ROLE_MISSING = "ProviderRoleMissing"
    POLICY_DENIED = "PolicyDenied"
    SCOPE_LOCKED = "ScopeLocked"
    KEY_REFUSED_BY_STORAGE = "KeyRefusedByStorage"
    APPLY_REFUSED = "ApplyRefused"
    ANOTHER_KEY_IN_USE = "AnotherKeyInUse"
    ACCOUNT_NAME_TAKEN = "AccountNameTaken"
    ACCOUNT_SETTINGS_REFUSED = "AccountSettingsRefused"
    SYSTEM_IDENTITY_MISSING = "SystemIdentityMissing"
    DRIFTED = "Drifted"
    REPAIRS_EXHAUSTED = "RepairsExhausted"
    SERVICES_NOT_COVERED = "ServicesNotCovered"
    WORK_POISONED = "WorkPoisoned"


SENTENCES: dict[Reason, str] = {
    Reason.KEY_IDENTIFIER_MALFORMED: "The key identifier is not a Key Vault key identifier.",
    Reason.VAULT_HOST_NOT_ALLOWED: "The key identifier's host is not a Key Vault of the configured cloud.",
    Reason.VAULT_IN_ANOTHER_TENANT: "The vault belongs to another Microsoft Entra tenant than the customer's.",
    Reason.PROVIDER_CREDENTIAL_BROKEN: "CrossKey's own federated credential does not work; not the customer's fault.",
    Reason.TOKEN_UNAVAILABLE: "No answer came to CrossKey's request for a token; this says nothing about the key.",
    Reason.CONSENT_MISSING: "The application is not present in the customer's tenant.",
    Reason.APPLICATION_DISABLED: "The application is disabled in the customer's tenant.",
    Reason.BLOCKED_BY_CONDITIONAL_ACCESS: "A Conditional Access policy of the tenant blocks the application.",
    Reason.VAULT_UNREACHABLE: "The vault gave no usable answer; this says nothing about the key.",
    Reason.VAULT_NAME_UNRESOLVED: "The vault's host name does not resolve: a wrong name, a deleted vault, or DNS.",
    Reason.VAULT_THROTTLED: "The vault is throttling; the check will be repeated.",
    Reason.VAULT_FIREWALL: "The vault's firewall does not let CrossKey's check through.",
    Reason.ROLE_PROPAGATING: "The role is not effective yet; role assignments take some minutes to apply.",
    Reason.ROLE_MISSING: "The application has no role that lets it get, wrap and unwrap with the key.",
    Reason.KEY_NOT_FOUND: "The key does not exist in the vault, or it is soft-deleted.",
    Reason.KEY_DISABLED: "The key version is disabled.",
    Reason.KEY_NOT_YET_VALID: "The key version is not valid yet.",
    Reason.KEY_EXPIRED: "The key version has expired: it still unwraps, but nothing new can be wrapped with it.",
    Reason.KEY_TYPE_UNSUPPORTED: "The key is neither RSA nor RSA-HSM.",
    Reason.KEY_SIZE_UNSUPPORTED: "The key has not 2048, 3072 or 4096 bits.",
    Reason.KEY_OPERATIONS_MISSING: "The key does not permit both wrapKey and unwrapKey.",
    Reason.PURGE_PROTECTION_MISSING: "The vault has not both soft delete and purge protection.",
    Reason.WRAP_REFUSED: "The vault refused to wrap with the key version, or answered wrongly.",
    Reason.UNWRAP_REFUSED: "The vault refused to unwrap with the key version, or answered wrongly.",
    Reason.VERSION_IN_USE_DISABLED: "A key version was disabled while it is still in use; enable it until it is left.",
    Reason.OWNERSHIP_UNPROVEN: "The key does not carry the tag that proves that this customer controls it.",
    Reason.KEY_CLAIMED_ELSEWHERE: "The key is already in use by another registration.",
    Reason.NEW_VERSION_UNUSABLE: "A newer version of the key failed its checks, so everything stays where it is.",
    Reason.NEAR_EXPIRY: "The key version expires soon.",
    Reason.ROTATION_OVERDUE: "The key version never expires and has not been rotated for more than two years.",
    Reason.SUBSCRIPTION_MISSING: "A rotation came without an event of the vault, so it was found late.",
    Reason.KEY_UNSEEN: "The key could not be looked at for an hour; this says nothing about the key.",
    Reason.KEY_NOT_READY: "The key is not verified, so nothing is encrypted with it.",
    Reason.KEY_NOT_REGISTERED: "The key that the resource names is not registered.",
    Reason.CURRENT_KEY_UNUSABLE: "The key version in use does not unwrap, so the resource cannot leave it safely.",
    Reason.RESOURCE_NOT_FOUND: "The resource does not exist in Azure.",
    Reason.PROVIDER_ROLE_MISSING: "CrossKey's own identity may not read or update the resource.",
    Reason.POLICY_DENIED: "An Azure Policy of the provider's subscription denies the update.",
    Reason.SCOPE_LOCKED: "A resource lock forbids the update.",
    Reason.KEY_REFUSED_BY_STORAGE: "Azure Storage could not use the key.",
    Reason.APPLY_REFUSED: "Resource Manager refused the update.",
    Reason.ANOTHER_KEY_IN_USE: "The resource is encrypted with a key that is not the registered one.",
    Reason.ACCOUNT_NAME_TAKEN: "The new storage account's name is taken; names are unique in all of Azure.",
    Reason.ACCOUNT_SETTINGS_REFUSED: "Resource Manager refused the storage account's settings.",
    Reason.SYSTEM_IDENTITY_MISSING: "The account has no system-assigned identity, with which it is to use the key.",
    Reason.DRIFTED: "The resource's encryption was changed by somebody else.",
    Reason.REPAIRS_EXHAUSTED: "The resource was repaired three times within 24 hours and drifted again.",
    Reason.SERVICES_NOT_COVERED: "Queues or tables of the account are not encrypted with the customer's key.",
    Reason.WORK_POISONED: "Work on this object failed repeatedly and was set aside for a person.",
}

PROVIDER_OWNED = frozenset(
    {
        Reason.PROVIDER_CREDENTIAL_BROKEN,
        Reason.TOKEN_UNAVAILABLE,
        Reason.RESOURCE_NOT_FOUND,
        Reason.PROVIDER_ROLE_MISSING,
        Reason.POLICY_DENIED,
        Reason.SCOPE_LOCKED,
        Reason.APPLY_REFUSED,
        Reason.ANOTHER_KEY_IN_USE,
        Reason.ACCOUNT_NAME_TAKEN,
        Reason.ACCOUNT_SETTINGS_REFUSED,
        Reason.SYSTEM_IDENTITY_MISSING,
        Reason.DRIFTED,
        Reason.REPAIRS_EXHAUSTED,
        Reason.SERVICES_NOT_COVERED,
        Reason.KEY_NOT_REGISTERED,
        Reason.KEY_UNSEEN,
        Reason.WORK_POISONED,
    }
)


def owner_of(reason: Reason) -> Owner:
    """Who can mend a finding with this reason."""
    return Owner.PROVIDER if reason in PROVIDER_OWNED else Owner.CUSTOMER
