"""Every port call of a look at a key, against everything that can go wrong with it.

The key was verified and healthy before. Whatever happens, the record must end as the truth: an outage is no
revocation, and what is the provider's is never shown as the customer's.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.domain.findings import CheckResult
from shared.domain.model import REVOKED_STATES, ConsentState, HealthState, Key, VerificationState
from shared.domain.reasons import Owner, Reason
from shared.errors import (
    CredentialRefused,
    CrossKeyError,
    NameUnresolved,
    Refused,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
)
from tests.fakes import APPLICATION, CUSTOMER_TENANT
from tests.unit.shared.services.stage import Stage, verified_key

CALLS = ("read_challenge", "obtain", "read_key", "list_versions", "wrap", "unwrap")
BEFORE_THE_PROBE = ("read_challenge", "read_key", "list_versions")

OUTAGES: dict[str, tuple[Callable[[], CrossKeyError], Reason]] = {
    "unavailable": (lambda: Unavailable("no answer"), Reason.VAULT_UNREACHABLE),
    "throttled": (lambda: Throttled("429", retry_after=timedelta(seconds=7)), Reason.VAULT_THROTTLED),
    "nameUnresolved": (lambda: NameUnresolved("no address"), Reason.VAULT_NAME_UNRESOLVED),
    "unexpectedAnswer": (lambda: UnexpectedAnswer("not JSON"), Reason.VAULT_UNREACHABLE),
}

CUSTOMERS_NUMBERS = {
    700016: (Reason.CONSENT_MISSING, ConsentState.MISSING),
    7000229: (Reason.CONSENT_MISSING, ConsentState.MISSING),
    650052: (Reason.CONSENT_MISSING, ConsentState.MISSING),
    65001: (Reason.CONSENT_MISSING, ConsentState.MISSING),
    65004: (Reason.CONSENT_MISSING, ConsentState.MISSING),
    7000112: (Reason.APPLICATION_DISABLED, ConsentState.DISABLED),
    53003: (Reason.BLOCKED_BY_CONDITIONAL_ACCESS, ConsentState.BLOCKED),
}
PROVIDERS_NUMBERS = (
    *(90002, 90072, 70021, 700211, 7002121, 700213, 700222, 700226, 700227, 700236),
    *(0, 1234567),  # none that could be read, and one that nobody knows
)


def refused(inner_code: str, http_status: int = 403) -> Refused:
    return Refused("the vault refused", http_status=http_status, azure_code="Forbidden", inner_code=inner_code)


async def look(stage: Stage, call: str, error: CrossKeyError, *, times: int = 1) -> tuple[CheckResult, ...]:
    """Look thoroughly while one port call goes wrong; confirm what it shows as often as asked."""
    if call == "list_versions":
        newest = stage.world.vault.add_version(stage.vault, "cmk")
        stage.world.vault.change(newest, enabled=False)
    checks: tuple[CheckResult, ...] = ()
    for _ in range(times):
        port = stage.world.credentials if call == "obtain" else stage.world.vault
        port.break_before(call, error)
        before = port.calls[call]
        checks = (await stage.check(thorough=True)).checks
        assert port.calls[call] > before, f"{call} was never made"
        stage.world.clock.advance(timedelta(seconds=30))
    return checks


def owners(checks: tuple[CheckResult, ...]) -> set[Owner]:
    return {check.owner for check in checks if check.owner is not None}


def assert_still_trusted(key: Key, before: Key) -> None:
    assert key.verification == before.verification
    assert key.latest_version == before.latest_version
    assert key.health.suspected_at is None
    assert key.health.state not in REVOKED_STATES


async def old_verified_key() -> Stage:
    """Verified long ago: no role assignment can be on its way any more."""
    stage = await verified_key()
    stage.world.clock.advance(timedelta(days=1))
    return stage


@pytest.mark.parametrize("call", BEFORE_THE_PROBE)
@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_of_the_vault_makes_the_key_unobservable_and_nothing_else(call: str, outage: str) -> None:
    stage = await old_verified_key()
    before, announced = await stage.key(), stage.announced()
    make, reason = OUTAGES[outage]
    await look(stage, call, make(), times=3)
    key = await stage.key()
    assert key.health.state is HealthState.UNOBSERVABLE
    assert key.health.reasons == (reason,)
    assert_still_trusted(key, before)
    await stage.work_off()
    assert stage.announced() == announced


@pytest.mark.parametrize("call", ["wrap", "unwrap"])
@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_during_the_probe_proves_nothing_and_changes_nothing(call: str, outage: str) -> None:
    stage = await old_verified_key()
    before = await stage.key()
    await look(stage, call, OUTAGES[outage][0](), times=3)
    assert await stage.key() == before


@pytest.mark.parametrize("outage", OUTAGES)
async def test_silence_instead_of_a_token_is_not_the_customers_fault(outage: str) -> None:
    stage = await old_verified_key()
    before = await stage.key()
    checks = await look(stage, "obtain", OUTAGES[outage][0](), times=3)
    key = await stage.key()
    assert key.health.state is HealthState.UNOBSERVABLE
    assert key.health.reasons == (Reason.TOKEN_UNAVAILABLE,)
    assert owners(checks) == {Owner.PROVIDER}
    assert_still_trusted(key, before)


@pytest.mark.parametrize("call", CALLS)
async def test_the_key_is_healthy_again_at_the_first_look_after_an_outage(call: str) -> None:
    stage = await old_verified_key()
    await look(stage, call, Unavailable("no answer"))
    await stage.check()
    assert (await stage.key()).health.state is HealthState.HEALTHY


@pytest.mark.parametrize("call", ["read_challenge", "read_key", "wrap", "unwrap"])
@pytest.mark.parametrize("inner_code", ["ForbiddenByFirewall", "ForbiddenByConnection"])
async def test_a_firewalls_refusal_is_unobservable_and_no_revocation(call: str, inner_code: str) -> None:
    stage = await old_verified_key()
    before = await stage.key()
    await look(stage, call, refused(inner_code), times=3)
    key = await stage.key()
    assert key.health.state is HealthState.UNOBSERVABLE
    assert key.health.reasons == (Reason.VAULT_FIREWALL,)
    assert_still_trusted(key, before)


@pytest.mark.parametrize("call", ["read_key", "wrap", "unwrap"])
@pytest.mark.parametrize("inner_code", ["ForbiddenByRbac", "ForbiddenByPolicy", "AccessDenied"])
async def test_a_missing_role_is_an_access_loss_once_it_was_seen_twice(call: str, inner_code: str) -> None:
    stage = await old_verified_key()
    await look(stage, call, refused(inner_code))
    suspected = await stage.key()
    assert suspected.health.state is HealthState.HEALTHY
    assert suspected.health.suspected_state is HealthState.ACCESS_DENIED
    await look(stage, call, refused(inner_code))
    key = await stage.key()
    assert key.health.state is HealthState.ACCESS_DENIED
    assert key.health.reasons == (Reason.ROLE_MISSING,)
    assert key.verification.state is VerificationState.FAILED


@pytest.mark.parametrize("call", ["read_key", "wrap", "unwrap"])
async def test_a_token_that_the_vault_does_not_accept_is_an_access_loss(call: str) -> None:
    stage = await old_verified_key()
    await look(stage, call, refused("", http_status=401), times=2)
    assert (await stage.key()).health.state is HealthState.ACCESS_DENIED


@pytest.mark.parametrize("inner_code", ["", "SomethingNew"])
async def test_a_403_without_a_cause_we_know_is_an_access_loss_and_never_healthy(inner_code: str) -> None:
    stage = await old_verified_key()
    await look(stage, "read_key", refused(inner_code), times=2)
    key = await stage.key()
    assert key.health.state is HealthState.ACCESS_DENIED
    assert key.health.reasons == (Reason.ROLE_MISSING,)


@pytest.mark.parametrize("status", [400, 404, 409, 410])
async def test_a_refusal_that_is_not_about_the_key_says_nothing_about_it(status: int) -> None:
    stage = await old_verified_key()
    before = await stage.key()
    await look(stage, "read_key", refused("BadParameter", http_status=status), times=3)
    key = await stage.key()
    assert key.health.state is HealthState.UNOBSERVABLE
    assert_still_trusted(key, before)


@pytest.mark.parametrize(
    ("inner_code", "state", "reason"),
    [
        ("KeyDisabled", HealthState.DISABLED, Reason.KEY_DISABLED),
        ("KeyNotYetValid", HealthState.DISABLED, Reason.KEY_NOT_YET_VALID),
        ("KeyExpired", HealthState.EXPIRED, Reason.KEY_EXPIRED),
    ],
)
async def test_a_refusal_to_read_that_names_the_keys_state_is_that_state(
    inner_code: str, state: HealthState, reason: Reason
) -> None:
    stage = await old_verified_key()
    await look(stage, "read_key", refused(inner_code), times=2)
    key = await stage.key()
    assert (key.health.state, key.health.reasons) == (state, (reason,))


@pytest.mark.parametrize("inner_code", ["ForbiddenByRbac", "AccessDenied", "ForbiddenByPolicy", ""])
async def test_a_key_whose_versions_may_not_be_listed_is_still_read_at_the_version_we_know(inner_code: str) -> None:
    stage = await old_verified_key()
    before = await stage.key()
    await look(stage, "list_versions", refused(inner_code), times=2)
    key = await stage.key()
    assert key.health.state is HealthState.HEALTHY
    assert_still_trusted(key, before)


@pytest.mark.parametrize("inner_code", ["KeyDisabled", "SomethingNew"])
async def test_a_refused_unwrap_is_a_revocation(inner_code: str) -> None:
    stage = await old_verified_key()
    await look(stage, "unwrap", refused(inner_code), times=2)
    key = await stage.key()
    assert key.health.state is HealthState.DISABLED
    assert key.health.reasons == (Reason.UNWRAP_REFUSED,)


@pytest.mark.parametrize("inner_code", ["KeyDisabled", "SomethingNew"])
async def test_a_refused_wrap_lets_nothing_new_be_encrypted(inner_code: str) -> None:
    stage = await old_verified_key()
    await look(stage, "wrap", refused(inner_code))
    key = await stage.key()
    assert key.health.reasons == (Reason.WRAP_REFUSED,)
    assert key.verification.state is VerificationState.FAILED


@pytest.mark.parametrize("call", ["obtain", "read_key", "list_versions"])
@pytest.mark.parametrize("aadsts", CUSTOMERS_NUMBERS)
async def test_a_token_refused_by_the_customers_tenant_is_lost_consent(call: str, aadsts: int) -> None:
    stage = await old_verified_key()
    reason, _ = CUSTOMERS_NUMBERS[aadsts]
    await look(stage, call, CredentialRefused("no token", aadsts=aadsts), times=2)
    key = await stage.key()
    assert key.health.state is HealthState.CONSENT_LOST
    assert key.health.reasons == (reason,)


@pytest.mark.parametrize("aadsts", CUSTOMERS_NUMBERS)
async def test_lost_consent_is_recorded_of_the_customer_too(aadsts: int) -> None:
    stage = await old_verified_key()
    stage.world.credentials.withdraw(CUSTOMER_TENANT, APPLICATION, aadsts=aadsts)
    await stage.check(thorough=True)
    await stage.work_off()
    assert (await stage.customer()).consent.state is CUSTOMERS_NUMBERS[aadsts][1]
    assert (await stage.key()).health.state is HealthState.CONSENT_LOST
    assert stage.announced()[-1] == "KeyAccessLost"


@pytest.mark.parametrize("call", ["obtain", "read_key", "list_versions"])
@pytest.mark.parametrize("aadsts", PROVIDERS_NUMBERS)
async def test_a_token_refused_for_our_own_fault_is_never_the_customers(call: str, aadsts: int) -> None:
    stage = await old_verified_key()
    before, announced = await stage.key(), stage.announced()
    checks = await look(stage, call, CredentialRefused("no token", aadsts=aadsts), times=3)
    key = await stage.key()
    assert key.health.state is HealthState.PROVIDER_FAULT
    assert key.health.reasons == (Reason.PROVIDER_CREDENTIAL_BROKEN,)
    assert owners(checks) == {Owner.PROVIDER}
    assert_still_trusted(key, before)
    await stage.work_off()
    assert stage.announced() == announced
    assert (await stage.customer()).consent.state is ConsentState.GRANTED


@pytest.mark.parametrize("call", ["wrap", "unwrap"])
@pytest.mark.parametrize("aadsts", [700016, 700213, 0])
async def test_a_token_lost_during_the_probe_is_judged_by_the_next_look(call: str, aadsts: int) -> None:
    stage = await old_verified_key()
    before = await stage.key()
    await look(stage, call, CredentialRefused("no token", aadsts=aadsts))
    assert await stage.key() == before
