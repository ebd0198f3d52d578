"""What a loss means is said with the resources it concerns and with what restores them."""

from dataclasses import replace

import pytest

from shared.domain.consequences import FAILING_OPERATIONS, MEANING, NAMED, SOURCE, consequences
from shared.domain.model import REVOKED_STATES, HealthState, KeyHealth, Resource, ResourceState
from shared.domain.reasons import Reason
from shared.domain.resource_details import ObservedEncryption
from tests.unit.shared.domain.values import CMK, CUSTOMER, FOREIGN, KEY, NOW, RESOURCE, V1

REASONS = (Reason.KEY_DISABLED, Reason.ROTATION_OVERDUE)  # the one that matters, and a warning beside it
LOST = replace(KEY, health=KeyHealth(state=HealthState.DISABLED, since=NOW, reasons=REASONS))


def on_key(name: str, key: str = str(CMK.with_version(V1)), **changes: object) -> Resource:
    observed = ObservedEncryption(key_source="Microsoft.Keyvault", key_identifier=key, version_in_use=V1)
    protected = replace(RESOURCE, name=name, state=ResourceState.PROTECTED, observed=observed)
    return replace(protected, **changes)  # type: ignore[arg-type]  # names of Resource's fields


def test_a_loss_says_what_fails_where_since_when_and_what_restores_it() -> None:
    assert consequences(CUSTOMER, LOST, [on_key("files"), on_key("data")]) == {
        "since": NOW.isoformat(),
        "meaning": MEANING,
        "failingOperations": list(FAILING_OPERATIONS),
        "httpStatus": 403,
        "resourceCount": 2,
        "resources": ["data", "files"],
        "restoredBy": ["az keyvault key set-attributes --vault-name contoso-keys --name cmk --enabled true"],
        "source": SOURCE,
    }


@pytest.mark.parametrize("state", sorted(set(HealthState) - REVOKED_STATES))
def test_a_key_that_is_not_lost_has_no_consequences(state: HealthState) -> None:
    assert consequences(CUSTOMER, replace(LOST, health=KeyHealth(state=state)), [on_key("data")]) is None


@pytest.mark.parametrize(
    "other",
    [
        on_key("data", key=str(FOREIGN)),
        on_key("data", key=f"{CMK}2/{V1}"),
        on_key("data", state=ResourceState.RELEASED),
        on_key("data", observed=None),
        replace(on_key("data"), key="secondary"),
    ],
)
def test_only_resources_that_are_on_the_key_are_counted(other: Resource) -> None:
    told = consequences(CUSTOMER, LOST, [other])
    assert told is not None
    assert (told["resourceCount"], told["resources"]) == (0, [])


def test_a_thousand_resources_are_counted_and_some_are_named() -> None:
    told = consequences(CUSTOMER, LOST, [on_key(f"data-{number:04}") for number in range(1000)])
    assert told is not None
    assert (told["resourceCount"], len(told["resources"])) == (1000, NAMED)
