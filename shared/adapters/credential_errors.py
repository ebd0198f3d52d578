"""Tells Microsoft Entra's refusals from its outages.

The SDK raises the same class for both. A refusal carries an AADSTS number or a 4xx status; everything else says
nothing about consent and must not be taken for lost consent.
"""

import re
from typing import Final

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from shared.adapters.azure_errors import translate
from shared.errors import CredentialRefused, CrossKeyError, Refused, Unavailable

AADSTS: Final = re.compile(r"AADSTS(\d{2,9})")
CORRELATION: Final = re.compile(r"correlation[_ ]?id['\"]?\s*[:=]\s*['\"]?([0-9a-f-]{36})", re.IGNORECASE)

TRANSIENT: Final = frozenset({90033})
"""Numbers by which Entra itself says that trying again later can help."""


def translate_credential(error: Exception, doing: str) -> CrossKeyError:
    """`CredentialRefused` for a definite no, `Unavailable` for everything that leaves it open."""
    if isinstance(error, CrossKeyError):
        return error
    translated = translate(error, doing)
    if isinstance(error, CredentialUnavailableError):
        return Unavailable(f"{doing}: no managed identity endpoint answered")
    if isinstance(error, ClientAuthenticationError) and isinstance(translated, Refused):
        text = f"{error.message}\n{translated.detail}"
        number = AADSTS.search(text)
        correlation = CORRELATION.search(text)
        aadsts = int(number[1]) if number else 0
        if aadsts not in TRANSIENT and (number or error.status_code is not None):
            return CredentialRefused(
                f"{doing}: refused" + (f" with AADSTS{aadsts}" if aadsts else ""),
                aadsts=aadsts,
                correlation_id=correlation[1] if correlation else "",
            )
    # A name that does not resolve here is Entra's, and throttling is Entra's: neither says anything of a vault.
    wait = translated.retry_after if isinstance(translated, Unavailable) else None
    return Unavailable(translated.message, retry_after=wait)
