"""A key that is not seen is never healthy: above all one whose vault turns up in another tenant."""

from datetime import timedelta

import pytest

from shared.domain.key_health import is_ready
from shared.domain.model import HealthState, ResourceState, VerificationState
from shared.domain.reasons import Reason
from shared.errors import CredentialRefused, Refused, Throttled, Unavailable
from shared.services.check_key import MARGIN
from shared.services.resources import release_resource
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, protected_account

ELSEWHERE = "20000000-0000-4000-8000-0000000000ff"
TWICE = timedelta(seconds=30) + MARGIN


@pytest.mark.parametrize("thorough", [False, True])
async def test_a_vault_that_moved_to_another_tenant_is_lost_access_once_seen_twice(thorough: bool) -> None:
    stage = await protected_account()
    stage.vault.tenant_id = ELSEWHERE
    checked = await stage.check(thorough=thorough)
    assert checked.key.value.verification.state is VerificationState.FAILED
    assert checked.key.value.health.suspected_state is HealthState.ACCESS_DENIED
    assert not is_ready(checked.key.value)
    stage.world.clock.advance(TWICE)
    await stage.check(thorough=thorough)
    await stage.work_off()
    key = await stage.key()
    assert key.health.state is HealthState.ACCESS_DENIED
    assert key.health.reasons == (Reason.VAULT_IN_ANOTHER_TENANT,)
    assert stage.announced().count("KeyAccessLost") == 1
    assert "KeyAccessRestored" not in stage.announced()


@pytest.mark.parametrize("thorough", [False, True])
async def test_a_revoked_key_whose_vault_moved_is_not_restored_by_that(thorough: bool) -> None:
    stage = await protected_account()
    stage.world.vault.change(stage.cmk, enabled=False)
    for _ in range(2):
        await stage.check()
        stage.world.clock.advance(TWICE)
    stage.vault.tenant_id = ELSEWHERE
    for _ in range(2):
        await stage.check(thorough=thorough)
        stage.world.clock.advance(TWICE)
    await stage.work_off()
    assert (await stage.key()).health.state is HealthState.ACCESS_DENIED
    assert "KeyAccessRestored" not in stage.announced()


async def test_nothing_is_let_go_or_encrypted_while_the_vault_is_in_another_tenant() -> None:
    stage = await protected_account()
    requests = len(stage.world.accounts.requests)
    stage.vault.tenant_id = ELSEWHERE
    await stage.check()
    await stage.work_off()
    await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    await stage.work_off()
    resource = await stage.resource()
    assert len(stage.world.accounts.requests) == requests
    assert resource.state is ResourceState.RELEASING
    assert [finding.reason for finding in resource.findings] == [Reason.CURRENT_KEY_UNUSABLE]


UNSEEN = [
    ("read_key", Unavailable("no answer")),
    ("read_key", Throttled("429")),
    ("read_key", Refused("no", http_status=403, azure_code="Forbidden", inner_code="ForbiddenByRbac")),
    ("read_key", Refused("no", http_status=403, azure_code="Forbidden", inner_code="ForbiddenByFirewall")),
    ("read_key", Refused("no", http_status=401, azure_code="Unauthorized", inner_code="VaultInAnotherTenant")),
    ("read_key", Refused("no", http_status=418, azure_code="Teapot")),
    ("read_key", Refused("no", http_status=403, azure_code="Forbidden", inner_code="SomethingNew")),
    ("read_key", CredentialRefused("no", aadsts=7000229)),
    ("read_key", CredentialRefused("no", aadsts=0)),
    ("obtain", Unavailable("no answer")),
    ("obtain", CredentialRefused("no", aadsts=7000112)),
    ("obtain", CredentialRefused("no", aadsts=123456)),
]


def break_next(stage: Stage, call: str, error: Exception) -> None:
    port = stage.world.vault if call == "read_key" else stage.world.credentials
    port.break_before(call, error)


@pytest.mark.parametrize(("call", "error"), UNSEEN)
@pytest.mark.parametrize("thorough", [False, True])
async def test_without_the_key_in_sight_nothing_is_healthy_or_ready(
    call: str, error: Exception, thorough: bool
) -> None:
    stage = await protected_account()
    for look in (1, 2):
        break_next(stage, call, error)
        key = (await stage.check(thorough=thorough)).key.value
        assert not is_ready(key)
        suspected = key.health.suspected_at is not None
        assert (key.health.state not in (HealthState.HEALTHY, HealthState.EXPIRING)) or (look == 1 and suspected)
        stage.world.clock.advance(TWICE)


@pytest.mark.parametrize(("call", "error"), UNSEEN)
async def test_a_revoked_key_that_is_not_seen_is_not_restored(call: str, error: Exception) -> None:
    stage = await protected_account()
    stage.world.vault.change(stage.cmk, enabled=False)
    for _ in range(2):
        await stage.check()
        stage.world.clock.advance(TWICE)
    for _ in range(2):
        break_next(stage, call, error)
        await stage.check()
        stage.world.clock.advance(TWICE)
    assert not is_ready(await stage.key())
    assert "KeyAccessRestored" not in await stage.entry_types()
    outbox = await stage.world.state.read_outbox(CONTOSO, limit=100)
    assert "KeyAccessRestored" not in {str(row.entry.type) for row in outbox}
