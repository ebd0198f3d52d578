"""`whatIf` refuses whatever the request itself would refuse, in the same words, and changes nothing."""

from typing import Any

import pytest

from shared.errors import BadInput, Conflict, CrossKeyError
from shared.services.customers import put_customer
from shared.services.keys import put_key
from shared.services.resources import plan_resource, put_resource
from tests.fakes import CUSTOMER_TENANT
from tests.unit.shared.services.stage import (
    ACCOUNT,
    CONTOSO,
    ORIGIN,
    Stage,
    account_id,
    protected_account,
    verified_key,
)

WISH: dict[str, Any] = {"resource_id": str(ACCOUNT), "key": "primary", "drift_policy": "repair"}


async def register_second_key(stage: Stage) -> None:
    stage.world.vault.add_version(stage.vault, "second")
    await put_key(
        stage.bundle,
        CONTOSO,
        "second",
        key_identifier=f"{stage.cmk.vault_uri}/keys/second",
        version_policy="latest",
        vault_resource_id=None,
        if_match=None,
        origin=ORIGIN,
    )


async def refusals(stage: Stage, customer_id: str, name: str, **changes: Any) -> list[tuple[type, str, str | None]]:
    """What `whatIf` says, and then what the request says."""
    told: list[tuple[type, str, str | None]] = []
    wish = {**WISH, **changes}
    writes = stage.world.state.writes
    for ask in (
        lambda: plan_resource(stage.bundle, customer_id, name, **wish),
        lambda: put_resource(stage.bundle, customer_id, name, if_match=None, origin=ORIGIN, **wish),
    ):
        try:
            await ask()
        except CrossKeyError as error:
            told.append((type(error), error.code, error.target))
    assert stage.world.state.writes == writes
    return told


@pytest.mark.parametrize(
    "changes",
    [{"resource_id": str(account_id("another"))}, {"key": "second"}],
    ids=["another account", "another key"],
)
async def test_a_registered_resource_keeps_its_account_and_key_in_a_plan_too(changes: dict[str, str]) -> None:
    stage = await protected_account()
    await register_second_key(stage)
    assert await refusals(stage, CONTOSO, "data", **changes) == [(Conflict, "ResourceFixed", "key")] * 2


async def test_an_account_of_another_registration_is_refused_in_a_plan_too() -> None:
    stage = await protected_account()
    assert await refusals(stage, CONTOSO, "again") == [(Conflict, "ResourceClaimed", "resourceId")] * 2


async def test_an_account_of_another_customer_is_refused_in_a_plan_too() -> None:
    stage = await protected_account()
    await put_customer(
        stage.bundle, "fabrikam", display_name="Fabrikam", tenant_id=CUSTOMER_TENANT, if_match=None, origin=ORIGIN
    )
    await put_key(
        stage.bundle,
        "fabrikam",
        "primary",
        key_identifier="https://fabrikam-keys.vault.azure.net/keys/cmk",
        version_policy="latest",
        vault_resource_id=None,
        if_match=None,
        origin=ORIGIN,
    )
    assert await refusals(stage, "fabrikam", "data") == [(Conflict, "ResourceClaimed", "resourceId")] * 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": "none"}, "KeyNotRegistered"),
        ({"drift_policy": "ignore"}, "DriftPolicyUnknown"),
        ({"resource_id": "/subscriptions/x"}, "ResourceIdMalformed"),
    ],
)
async def test_a_wrong_field_is_refused_in_a_plan_too(changes: dict[str, str], code: str) -> None:
    stage = await verified_key()
    told = await refusals(stage, CONTOSO, "data", **changes)
    assert [(kind, said) for kind, said, _ in told] == [(BadInput, code)] * 2


async def test_a_plan_of_the_same_registration_in_another_case_is_no_conflict() -> None:
    stage = await protected_account()
    same = str(ACCOUNT).replace("rg-data", "RG-Data")
    plan = await plan_resource(stage.bundle, CONTOSO, "data", **{**WISH, "resource_id": same})
    assert plan.steps == []
