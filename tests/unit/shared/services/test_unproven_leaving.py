"""A key is left only when the version in use is known and unwraps now; else a person is asked, or time passes."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.account_observation import VAULT_MANAGED
from shared.domain.identifiers import KeyIdentifier
from shared.domain.model import ResourceState
from shared.domain.reasons import Reason
from shared.errors import Unavailable
from shared.services.resources import release_resource
from tests.unit.shared.services.stage import ACCOUNT, CONTOSO, ORIGIN, Stage, protected_account

BYPASS = [
    "Client address is not authorized and caller is not a trusted service. bypass is set to None",
    "Client address is not authorized and caller is not a trusted service.",
]


async def release(stage: Stage) -> str:
    _, operation = await release_resource(stage.bundle, CONTOSO, "data", if_match=None, origin=ORIGIN)
    assert operation is not None
    return operation.operation_id


@pytest.mark.parametrize("key", ["good", "disabled"])
async def test_a_release_without_a_known_version_in_use_asks_a_person(key: str) -> None:
    stage = await protected_account()
    stage.world.accounts.change(ACCOUNT, current_key=None)
    stage.world.vault.change(stage.version, enabled=key == "good")
    requests = len(stage.world.accounts.requests)
    await release(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.RELEASING
    assert [finding.reason for finding in resource.findings] == [Reason.CURRENT_KEY_UNUSABLE]
    assert len(stage.world.accounts.requests) == requests
    assert (await stage.account()).key_source == VAULT_MANAGED
    assert stage.announced().count("ResourceFailed") == 1
    assert await stage.world.claims.find("resource", ACCOUNT.claim) is not None


async def test_a_version_that_is_not_told_but_pinned_is_proven_as_such() -> None:
    stage = await protected_account(policy="pinned")
    stage.world.accounts.change(ACCOUNT, current_key=None)
    unwraps = stage.world.vault.calls["unwrap"]
    await release(stage)
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED
    assert stage.world.vault.calls["unwrap"] > unwraps


@pytest.mark.parametrize("detail", BYPASS)
async def test_a_firewall_that_hides_the_key_is_an_outage_of_the_release_and_no_finding(detail: str) -> None:
    stage = await protected_account()
    stage.vault.firewall_detail = detail
    operation = await release(stage)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await stage.reconcile()
        stage.world.clock.advance(timedelta(minutes=1))
    resource = await stage.resource()
    assert (resource.state, resource.findings) == (ResourceState.RELEASING, ())
    assert (await stage.operation(operation)).succeeded is None
    assert "ResourceFailed" not in stage.announced()
    stage.vault.firewall_detail = None
    await stage.work_off()
    assert (await stage.resource()).state is ResourceState.RELEASED
    assert (await stage.operation(operation)).succeeded
    assert "ResourceFailed" not in stage.announced()


async def test_the_release_of_an_account_moved_to_another_vault_says_what_it_is_on() -> None:
    stage = await protected_account()
    theirs = KeyIdentifier("theirs.vault.azure.net", "k", "a" * 32)
    stage.world.accounts.change(ACCOUNT, vault_uri=theirs.vault_uri, key_name="k", current_key=theirs)
    requests = len(stage.world.accounts.requests)
    operation = await release(stage)
    await stage.work_off()
    resource = await stage.resource()
    assert resource.state is ResourceState.RELEASED
    assert [finding.reason for finding in resource.findings] == [Reason.ANOTHER_KEY_IN_USE]
    assert "theirs.vault.azure.net" in resource.findings[0].message
    assert len(stage.world.accounts.requests) == requests
    assert (await stage.account()).current_key == theirs
    assert (await stage.operation(operation)).succeeded
    assert told(stage, "ResourceReleased")["keySource"] == VAULT_MANAGED
    assert told(stage, "ResourceReleased")["reasons"] == [Reason.ANOTHER_KEY_IN_USE]


async def test_an_ordinary_release_says_that_microsofts_keys_protect_the_account() -> None:
    stage = await protected_account()
    await release(stage)
    await stage.work_off()
    assert told(stage, "ResourceReleased")["keySource"] == "Microsoft.Storage"
    assert told(stage, "ResourceReleased")["reasons"] == []


def told(stage: Stage, kind: str) -> dict[str, Any]:
    (one,) = [one for one in stage.world.notifications.distinct if one.type == f"CrossKey.{kind}"]
    return dict(one.data)
