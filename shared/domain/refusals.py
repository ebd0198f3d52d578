"""What Resource Manager's refusals mean. Codes not listed stay `ApplyRefused`, with their code shown.

Sources: recorded answers; azure-cli#12346, azure-docs#84096 and the Resource Manager error reference.
"""

from shared.domain.findings import Finding
from shared.domain.reasons import Reason

_BY_CODE: dict[str, Reason] = {
    "keyvaultpolicyerror": Reason.PURGE_PROTECTION_MISSING,
    "keyvaultauthenticationfailure": Reason.KEY_REFUSED_BY_STORAGE,
    "keyvaultaccessforbidden": Reason.KEY_REFUSED_BY_STORAGE,
    "keyvaulterror": Reason.KEY_REFUSED_BY_STORAGE,
    "keyvaultaccesstokencannotbeacquired": Reason.KEY_REFUSED_BY_STORAGE,
    "keyvaultvaultnotfound": Reason.KEY_REFUSED_BY_STORAGE,
    "keyvaultencryptionkeynotfound": Reason.KEY_REFUSED_BY_STORAGE,
    "failedidentityoperation": Reason.PROVIDER_ROLE_MISSING,
    "httpresourcenotfound": Reason.CURRENT_KEY_UNUSABLE,
    "authorizationfailed": Reason.PROVIDER_ROLE_MISSING,
    "linkedauthorizationfailed": Reason.PROVIDER_ROLE_MISSING,
    "requestdisallowedbypolicy": Reason.POLICY_DENIED,
    "scopelocked": Reason.SCOPE_LOCKED,
    "readonlydisabledsubscription": Reason.SCOPE_LOCKED,
    "storageaccountalreadytaken": Reason.ACCOUNT_NAME_TAKEN,
    "accountnameinvalid": Reason.ACCOUNT_SETTINGS_REFUSED,
    "invalidvaluesforrequestparameters": Reason.ACCOUNT_SETTINGS_REFUSED,
    "invalidresourcelocation": Reason.ACCOUNT_SETTINGS_REFUSED,
    "locationnotavailableforresourcetype": Reason.ACCOUNT_SETTINGS_REFUSED,
    "skunotavailable": Reason.ACCOUNT_SETTINGS_REFUSED,
    "resourcenotfound": Reason.RESOURCE_NOT_FOUND,
    "resourcegroupnotfound": Reason.RESOURCE_NOT_FOUND,
    "subscriptionnotfound": Reason.RESOURCE_NOT_FOUND,
}


def finding_of(http_status: int, azure_code: str, inner_code: str) -> Finding:
    """The finding that a definite no of Resource Manager amounts to."""
    for code in (azure_code, inner_code):
        reason = _BY_CODE.get(code.lower())
        if reason is not None:
            return Finding(reason, f"Resource Manager answered {http_status} {code}.")
    return Finding(Reason.APPLY_REFUSED, f"Resource Manager answered {http_status} {azure_code or 'without a code'}.")
