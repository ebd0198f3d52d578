"""Rows and observations: where a row lies, and when a key version can be used."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.model import Operation, OperationKind, ResourceState
from tests.unit.shared.domain.values import CUSTOMER, KEY, NOW, RESOURCE, observed_key

SOON, JUST_NOW = NOW + timedelta(microseconds=1), NOW - timedelta(microseconds=1)
OPERATION = Operation(
    customer_id="contoso", operation_id="1", kind=OperationKind.PROTECT, target=RESOURCE.row, created_at=NOW
)


def test_every_row_has_its_own_place_in_the_customers_partition() -> None:
    rows = [CUSTOMER.row, KEY.row, RESOURCE.row, OPERATION.row]
    assert rows == ["customer", "key:primary", "resource:data", "operation:1"]


@pytest.mark.parametrize("state", ResourceState)
def test_a_resource_depends_on_its_key_until_it_was_released_or_lost(state: ResourceState) -> None:
    ended = (ResourceState.RELEASED, ResourceState.GONE, ResourceState.STRANDED)
    assert replace(RESOURCE, state=state).is_live is (state not in ended)


@pytest.mark.parametrize(
    ("attributes", "usable"),
    [
        ({}, True),
        ({"enabled": False}, False),
        ({"not_before": NOW}, True),
        ({"not_before": SOON}, False),
        ({"expires": SOON}, True),
        ({"expires": NOW}, False),
        ({"not_before": JUST_NOW, "expires": SOON}, True),
        ({"not_before": JUST_NOW, "expires": SOON, "enabled": False}, False),
    ],
)
def test_a_version_is_usable_while_it_is_enabled_and_inside_its_window(
    attributes: dict[str, bool | datetime],
    usable: bool,
) -> None:
    changes: dict[str, Any] = dict(attributes)
    assert observed_key(**changes).usable_at(NOW) is usable
