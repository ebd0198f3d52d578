"""Looks at one key: whose vault, does a token come, what does the vault say, does it wrap and unwrap.

Every answer of Azure becomes data here; an outage is kept apart from a refusal. Details that are recorded hold
stable codes only, so that an unchanged world makes no writes.
"""

import hashlib
from dataclasses import replace

from shared.bundle import Bundle
from shared.domain.key_observation import (
    Denial,
    KeyObservation,
    ObservedKey,
    Outage,
    Probe,
    ProbeOutcome,
    TokenRefusal,
)
from shared.domain.key_refusals import DISABLED_DENIAL, FIREWALL_DENIAL, FIREWALL_DENIALS, token_reason
from shared.domain.limited import is_out_of_reach
from shared.domain.model import Canary, Customer, Key, VerificationState
from shared.domain.reasons import Reason
from shared.errors import (
    CredentialRefused,
    CrossKeyError,
    NameUnresolved,
    Refused,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
)
from shared.services.lookups import count_users

CANARY_BYTES = 32


async def observe_key(bundle: Bundle, customer: Customer, key: Key, *, thorough: bool) -> KeyObservation:
    """Look once. `thorough` probes even without doubt."""
    seen = KeyObservation(at=bundle.clock.now())
    if thorough or key.verification.state is not VerificationState.VERIFIED:
        seen = await _see_challenge(bundle, key, seen)
        if is_out_of_reach(key) and seen.denial is not None and seen.denial.inner_code in FIREWALL_DENIALS:
            # Not even the challenge gets through. Consent can be told all the same: the vault is not asked.
            return await _see_token(bundle, customer, seen, fresh=thorough)
        if seen.outage is not None or seen.challenge_tenant != customer.tenant_id:
            # No token may go to a vault of another tenant, so nothing more can be asked.
            return seen
    else:
        seen = replace(seen, challenge_tenant=customer.tenant_id)
    seen = await _see_token(bundle, customer, seen, fresh=thorough)
    if not seen.token_obtained:
        return seen
    seen = await _see_key(bundle, customer, key, seen)
    if seen.key is not None and (thorough or _in_doubt(key, seen.key)):
        seen = replace(seen, probe=await _probe(bundle, customer, key, seen.key))
    return seen


async def observe_version(bundle: Bundle, customer: Customer, key: Key, version: str) -> KeyObservation:
    """Look at one version, as if it were pinned."""
    return await observe_key(bundle, customer, replace(key, pinned_version=version), thorough=False)


def _in_doubt(key: Key, seen: ObservedKey) -> bool:
    return (
        key.verification.state is not VerificationState.VERIFIED
        or key.latest_version != seen.version
        or key.canary(seen.version) is None
        or key.health.suspected_at is not None
    )


async def _see_challenge(bundle: Bundle, key: Key, seen: KeyObservation) -> KeyObservation:
    try:
        challenge = await bundle.vault.read_challenge(key.identifier)
    except Refused as refusal:
        # A firewall may refuse before the challenge.
        return replace(seen, denial=_denial(refusal))
    except (Unavailable, UnexpectedAnswer) as error:
        return _outage(seen, error)
    return replace(seen, challenge_tenant=challenge.tenant_id, vault_region=challenge.region)


async def _see_token(bundle: Bundle, customer: Customer, seen: KeyObservation, *, fresh: bool) -> KeyObservation:
    try:
        await bundle.credentials.obtain(tenant_id=customer.tenant_id, application=customer.application, fresh=fresh)
    except CredentialRefused as refusal:
        return replace(seen, token_refusal=_token_refusal(refusal))
    except (Unavailable, UnexpectedAnswer):
        # The vault was not asked, so whatever keeps silent here is not the customer's.
        return replace(seen, outage=Outage.NO_TOKEN)
    return replace(seen, token_obtained=True)


async def _see_key(bundle: Bundle, customer: Customer, key: Key, seen: KeyObservation) -> KeyObservation:
    tenant_id, application = customer.tenant_id, customer.application
    identifier = key.identifier.versionless
    if key.pinned_version is not None:
        # What resources are to be on is what must be fit; newer versions are none of its business.
        identifier = identifier.with_version(key.pinned_version)
    try:
        latest = await bundle.vault.read_key(identifier, tenant_id=tenant_id, application=application)
        if latest is None:
            return replace(seen, missing=True)
        if key.pinned_version is None and not latest.usable_at(seen.at):
            latest = await _newest_usable(bundle, customer, key, seen) or latest
    except Refused as refusal:
        return replace(seen, denial=_denial(refusal))
    except CredentialRefused as refusal:
        return replace(seen, token_obtained=False, token_refusal=_token_refusal(refusal))
    except (Unavailable, UnexpectedAnswer) as error:
        return _outage(seen, error)
    return replace(seen, key=latest)


async def _newest_usable(bundle: Bundle, customer: Customer, key: Key, seen: KeyObservation) -> ObservedKey | None:
    """The newest version by creation that is enabled and in its window, when the newest of all is not.

    Never one older than the version taken over: that one is answered as it is, usable or not.
    """
    tenant_id, application = customer.tenant_id, customer.application
    identifier = key.identifier.versionless
    try:
        listed = await bundle.vault.list_versions(identifier, tenant_id=tenant_id, application=application)
        versions = [version for version, enabled, _ in listed if enabled or version == key.latest_version]
    except Refused:
        # Access policies grant listing apart from reading; the version we know can be read all the same.
        versions = [] if key.latest_version is None else [key.latest_version]
    for version in versions:
        candidate = await bundle.vault.read_key(
            identifier.with_version(version), tenant_id=tenant_id, application=application
        )
        if candidate is not None and (candidate.usable_at(seen.at) or version == key.latest_version):
            return candidate
    return None


async def _probe(bundle: Bundle, customer: Customer, key: Key, seen: ObservedKey) -> Probe:
    """Wrap and unwrap fresh bytes with the version seen, then unwrap the canary of every version in use."""
    identifier = key.identifier.with_version(seen.version)
    tenant_id, application = customer.tenant_id, customer.application
    plaintext = bundle.randomness.random_bytes(CANARY_BYTES)
    probe = Probe(version=seen.version, wrap=ProbeOutcome.NOT_TRIED, unwrap=ProbeOutcome.NOT_TRIED)
    try:
        wrapped = await bundle.vault.wrap(identifier, plaintext, tenant_id=tenant_id, application=application)
    except Refused as refusal:
        return replace(probe, wrap=ProbeOutcome.REFUSED, wrap_denial=_denial(refusal))
    except CrossKeyError:
        return probe
    canary = Canary(version=seen.version, wrapped=wrapped, digest=_digest(plaintext))
    unwrap, denial = await _unwraps(bundle, customer, key, canary)
    # A version that nothing uses any more may be disabled or deleted: that is how versions are retired.
    users = count_users(key, await bundle.state.read_resources(key.customer_id))
    in_use = {seen.version, key.pinned_version, *users}
    answers = {
        stored.version: await _unwraps(bundle, customer, key, stored)
        for stored in key.canaries
        if stored.version in in_use
    }
    refused = {version: refusal for version, (_, refusal) in answers.items() if refusal is not None}
    return replace(
        probe,
        wrap=ProbeOutcome.OK,
        unwrap=unwrap,
        unwrap_denial=denial,
        canaries={version: outcome for version, (outcome, _) in answers.items()},
        disabled=frozenset(version for version, one in refused.items() if one.inner_code == DISABLED_DENIAL),
        users=users,
        new_canary=canary if unwrap is ProbeOutcome.OK else None,
    )


async def _unwraps(bundle: Bundle, customer: Customer, key: Key, canary: Canary) -> tuple[ProbeOutcome, Denial | None]:
    identifier = key.identifier.with_version(canary.version)
    try:
        plaintext = await bundle.vault.unwrap(
            identifier, canary.wrapped, tenant_id=customer.tenant_id, application=customer.application
        )
    except Refused as refusal:
        return ProbeOutcome.REFUSED, _denial(refusal)
    except CrossKeyError:
        return ProbeOutcome.NOT_TRIED, None
    return (ProbeOutcome.OK if _digest(plaintext) == canary.digest else ProbeOutcome.WRONG), None


async def still_unwraps(bundle: Bundle, customer: Customer, key: Key, version: str, *, wraps: bool = False) -> bool:
    """Whether one version unwraps now: by its canary, or by a round trip when it has none, or when it must wrap too.

    Raises `Unavailable` when that could not be told, and `CredentialRefused` when our own credential is at fault.
    """
    identifier = key.identifier.with_version(version)
    tenant_id, application = customer.tenant_id, customer.application
    canary = key.canary(version)
    try:
        if canary is None or wraps:
            plaintext = bundle.randomness.random_bytes(CANARY_BYTES)
            wrapped = await bundle.vault.wrap(identifier, plaintext, tenant_id=tenant_id, application=application)
            canary = Canary(version=version, wrapped=wrapped, digest=_digest(plaintext))
        answer = await bundle.vault.unwrap(identifier, canary.wrapped, tenant_id=tenant_id, application=application)
    except CredentialRefused as refusal:
        if token_reason(refusal.aadsts) is Reason.PROVIDER_CREDENTIAL_BROKEN:
            raise
        return False
    except Refused as refusal:
        if refusal.inner_code in FIREWALL_DENIALS:
            if is_out_of_reach(key):
                # No proof of ours can be had, ever: Azure Storage unwraps with the key, and its refusal is the answer.
                return True
            raise Unavailable(f"Unwrapping with {identifier}: the firewall does not let CrossKey through.") from refusal
        return False
    return _digest(answer) == canary.digest


def _digest(plaintext: bytes) -> str:
    return hashlib.sha256(plaintext).hexdigest()


def _denial(refusal: Refused) -> Denial:
    detail = refusal.detail.lower()
    bypass_on = None
    if refusal.inner_code == FIREWALL_DENIAL and "not a trusted service" in detail:
        bypass_on = True
    elif refusal.inner_code == FIREWALL_DENIAL and "bypass is set to none" in detail:
        bypass_on = False
    return Denial(
        http_status=refusal.http_status,
        inner_code=refusal.inner_code or refusal.azure_code or str(refusal.http_status),
        bypass_on=bypass_on,
    )


def _token_refusal(refusal: CredentialRefused) -> TokenRefusal:
    detail = f"Microsoft Entra answered AADSTS{refusal.aadsts}." if refusal.aadsts else "Microsoft Entra gave no token."
    return TokenRefusal(aadsts=refusal.aadsts, detail=detail)


def _outage(seen: KeyObservation, error: CrossKeyError) -> KeyObservation:
    outage = Outage.UNREACHABLE
    if isinstance(error, NameUnresolved):
        outage = Outage.NAME_UNRESOLVED
    elif isinstance(error, Throttled):
        outage = Outage.THROTTLED
    return replace(seen, outage=outage)
