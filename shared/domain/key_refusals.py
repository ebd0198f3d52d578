"""What the refusals of Microsoft Entra and of Key Vault mean for a key. Read by the check chain.

Sources: https://learn.microsoft.com/entra/identity-platform/reference-error-codes; Key Vault's 403 answers, whose
innermost code says why. Numbers and codes that are not listed stay harmless: an unknown AADSTS number is ours until
shown otherwise, an unknown 403 is a denial, and any other unknown status says nothing about the key.
"""

from shared.domain.key_observation import Denial
from shared.domain.reasons import Reason

CONSENT_MISSING_CODES = frozenset({700016, 7000229, 650052, 65001, 65004, 500011})
APPLICATION_DISABLED_CODES = frozenset({7000112})
CONDITIONAL_ACCESS_CODES = frozenset({53003, 530034, 53000})
FIREWALL_DENIALS = frozenset({"ForbiddenByFirewall", "ForbiddenByConnection"})
STATE_DENIALS = {
    "KeyDisabled": Reason.KEY_DISABLED,
    "KeyNotYetValid": Reason.KEY_NOT_YET_VALID,
    "KeyExpired": Reason.KEY_EXPIRED,
}
OPERATION_DENIALS = frozenset({"KeyOperationForbidden"})


def token_reason(aadsts: int) -> Reason:
    """Whose fault a refused token is. Unknown numbers are ours until shown otherwise: no customer is blamed."""
    if aadsts in CONSENT_MISSING_CODES:
        return Reason.CONSENT_MISSING
    if aadsts in APPLICATION_DISABLED_CODES:
        return Reason.APPLICATION_DISABLED
    if aadsts in CONDITIONAL_ACCESS_CODES:
        return Reason.BLOCKED_BY_CONDITIONAL_ACCESS
    return Reason.PROVIDER_CREDENTIAL_BROKEN


def is_role_denial(denial: Denial) -> bool:
    """Whether a vault's refusal is about permissions; a 401 after a token is one too (the vault moved tenant)."""
    about_other_things = FIREWALL_DENIALS | OPERATION_DENIALS | STATE_DENIALS.keys()
    return denial.http_status == 401 or (denial.http_status == 403 and denial.inner_code not in about_other_things)


def is_unreadable(denial: Denial) -> bool:
    """Whether a vault's refusal is none that we know: it says nothing about the key."""
    return denial.http_status not in (401, 403)
