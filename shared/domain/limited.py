"""Keys that CrossKey cannot reach from here, because their vault's firewall or a private endpoint keeps it out.

Such a key can be used all the same, since Azure Storage comes to the vault as a trusted service. An operator attests
whose it is, and the first update of a resource is the trial: what Azure Storage answers is the only proof there is.
Nothing here applies to a key that CrossKey has reached once: from then on the vault's own answers count.
Source: https://learn.microsoft.com/azure/key-vault/general/overview-vnet-service-endpoints#trusted-services
"""

from collections.abc import Iterable

from shared.domain.findings import CheckResult, Finding, Result, failed, passed, skipped
from shared.domain.key_refusals import CONNECTION_DENIAL, FIREWALL_DENIAL
from shared.domain.look import Look
from shared.domain.model import HealthState, Key, OwnershipState, Resource, ResourceState, VerificationState
from shared.domain.reasons import Reason

TRIAL = "trialUpdate"
TRIAL_REFUSALS = frozenset({Reason.KEY_REFUSED_BY_STORAGE, Reason.PURGE_PROTECTION_MISSING})


def is_out_of_reach(key: Key) -> bool:
    """Whether a key has never been reached and an operator answers for it."""
    return key.latest_version is None and key.ownership.state is OwnershipState.ATTESTED


def is_limited(key: Key) -> bool:
    """Whether the key is used on Azure Storage's word alone."""
    return is_out_of_reach(key) and key.verification.state is VerificationState.LIMITED


def is_confirmed(key: Key) -> bool:
    """Whether Azure Storage has really used the limited key."""
    return is_limited(key) and any(
        check.check == TRIAL and check.result is Result.PASS for check in key.verification.checks
    )


def is_in_service(key: Key) -> bool:
    """Whether the key was found fit once: by every check, or by Azure Storage's trial."""
    return key.latest_version is not None or is_confirmed(key)


def storage_accepted(key: Key, resources: Iterable[Resource]) -> bool:
    """Whether a live resource was last seen on the key."""
    return any(is_on_key(resource, key) for resource in resources)


def is_on_key(resource: Resource, key: Key) -> bool:
    """Whether a live resource of the key was last seen encrypted with it, with whichever version."""
    observed = None if resource.observed is None else resource.observed.key_identifier
    prefix = f"{key.identifier.versionless}/".lower()
    return resource.key == key.name and resource.is_live and (observed or "").lower().startswith(prefix)


def storage_refused(key: Key, resources: Iterable[Resource]) -> Finding | None:
    """Why Azure Storage last refused the key to a resource that still wants it; None when it did not."""
    return next(
        (finding for resource in resources if resource.key == key.name for finding in trial_refusals(resource)), None
    )


def trial_refusals(resource: Resource) -> tuple[Finding, ...]:
    """The findings that say that Azure Storage could not use the key."""
    if resource.state is not ResourceState.FAILED:
        return ()
    return tuple(finding for finding in resource.findings if finding.reason in TRIAL_REFUSALS)


def trial_update(look: Look) -> CheckResult:
    """A key that cannot be reached must at least serve Azure Storage; a key that can needs no trial."""
    if not is_out_of_reach(look.key) or look.seen.key is not None:
        return skipped(TRIAL, "Only a key that CrossKey cannot reach is tried by an update.")
    if look.storage_refused is not None:
        return failed(TRIAL, look.storage_refused.reason, look.storage_refused.detail)
    if look.storage_accepted:
        return passed(TRIAL)
    return skipped(TRIAL, "No resource has been updated with the key yet.")


def is_fit_for_trial(look: Look, checks: tuple[CheckResult, ...]) -> bool:
    """Whether the firewall is all that keeps CrossKey from judging a key that an operator answers for.

    Consent must be shown by a token, and the vault must let Azure Storage pass as far as its refusal tells.
    """
    failures = [(check.check, check.reason) for check in checks if check.result is Result.FAIL]
    return (
        is_out_of_reach(look.key)
        and look.seen.key is None
        and look.seen.token_obtained
        and failures == [("vaultReachable", Reason.VAULT_FIREWALL)]
        and any(
            denial.inner_code == CONNECTION_DENIAL or (denial.inner_code == FIREWALL_DENIAL and denial.bypass_on)
            for denial in look.seen.denials
        )
    )


def may_try_again(key: Key, resource: Resource) -> bool:
    """Whether a refused resource may repeat the trial, at its own pace; other resources wait for its outcome."""
    failures = [check for check in key.verification.checks if check.result is Result.FAIL]
    return (
        is_out_of_reach(key)
        and key.removing_since is None
        and key.health.state is HealthState.UNOBSERVABLE
        and bool(trial_refusals(resource))
        and all(check.check == TRIAL or check.reason is Reason.VAULT_FIREWALL for check in failures)
        and any(check.check == TRIAL for check in failures)
    )
