"""What the refusals of Microsoft Entra and of Key Vault mean for a key; the check chain asks here.

Sources: https://learn.microsoft.com/entra/identity-platform/reference-error-codes; Key Vault's answers, whose
innermost code says why. What is not listed stays harmless: an unknown AADSTS number is ours until shown otherwise,
an unknown 403 to a read is a denial of access, and any other unknown answer says nothing about the key.
"""

from shared.domain.key_observation import Denial
from shared.domain.reasons import Reason

CONSENT_MISSING_CODES = frozenset({700016, 7000229, 650052, 65001, 65004, 500011})
APPLICATION_DISABLED_CODES = frozenset({7000112})
CONDITIONAL_ACCESS_CODES = frozenset({53003, 530034, 53000})
ROLE_DENIALS = frozenset({"ForbiddenByRbac", "ForbiddenByPolicy", "AccessDenied"})
FIREWALL_DENIAL = "ForbiddenByFirewall"
CONNECTION_DENIAL = "ForbiddenByConnection"
FIREWALL_DENIALS = frozenset({FIREWALL_DENIAL, CONNECTION_DENIAL})
WINDOW_DENIALS = {"KeyNotYetValid": Reason.KEY_NOT_YET_VALID, "KeyExpired": Reason.KEY_EXPIRED}
DISABLED_DENIAL = "KeyDisabled"


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
    """Whether a vault's refusal is about permissions; a 401 after a token is one too.

    A vault found to be of another tenant has a check of its own.
    """
    if denial.inner_code == Reason.VAULT_IN_ANOTHER_TENANT:
        return False
    return denial.inner_code in ROLE_DENIALS or denial.http_status == 401


def refuses_reading(denial: Denial) -> bool:
    """Whether a refused read is about permissions: so is every 403 that is not about the firewall or the key."""
    other = {*FIREWALL_DENIALS, *WINDOW_DENIALS, DISABLED_DENIAL}
    return is_role_denial(denial) or (denial.http_status == 403 and denial.inner_code not in other)


def tells_nothing(denial: Denial) -> bool:
    """Whether a refusal is neither 401 nor 403: an answer we do not know, and no word about the key."""
    return denial.http_status not in (401, 403)
