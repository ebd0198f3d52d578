"""The evidence statement: made from the timeline alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.entries import EntryType, Notification, Origin, Record, TimelineEntry
from shared.domain.model import Customer
from shared.domain.statement import make_statement

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ORIGIN = Origin(request_id="r", cause="test")
CONTOSO = Customer(
    customer_id="contoso",
    display_name="Contoso",
    tenant_id="20000000-0000-4000-8000-000000000001",
    application="10000000-0000-4000-8000-00000000000a",
    ownership_nonce="n",
    created_at=START,
)


def entries(*told: tuple[EntryType, dict[str, Any]]) -> list[TimelineEntry]:
    """A timeline, an hour between its entries."""
    return [
        TimelineEntry(
            sequence=number,
            entry_id=f"row/{number}",
            type=kind.value,
            recorded_at=START + timedelta(hours=number),
            origin=ORIGIN,
            data={"resource": "data", "resourceId": "/accounts/data", "key": "primary", **data},
            hash=f"{number:064x}",
        )
        for number, (kind, data) in enumerate(told, start=1)
    ]


def resource_of(*told: tuple[EntryType, dict[str, Any]]) -> dict[str, Any]:
    statement = make_statement(CONTOSO, entries(*told), now=START)
    (resource,) = statement["resources"]
    return dict(resource)


def test_each_version_is_listed_with_its_time() -> None:
    resource = resource_of(
        (Notification.RESOURCE_PROTECTED, {"version": "one"}),
        (Notification.RESOURCE_ROTATED, {"version": "two"}),
        (Notification.RESOURCE_RELEASED, {"keySource": "Microsoft.Storage"}),
    )
    assert [(span["version"], span["from"][11:16], span["to"][11:16]) for span in resource["protectedBy"]] == [
        ("one", "10:00", "11:00"),
        ("two", "11:00", "12:00"),
    ]
    assert (resource["end"], resource["keySourceAfterwards"]) == ("released", "Microsoft.Storage")


def test_a_resource_that_was_protected_again_has_not_ended() -> None:
    resource = resource_of(
        (Notification.RESOURCE_PROTECTED, {"version": "one"}),
        (Notification.RESOURCE_RELEASED, {}),
        (Notification.RESOURCE_PROTECTED, {"version": "one"}),
    )
    assert (resource["end"], resource["protectedBy"][1]["to"]) == (None, None)


def test_a_stranded_resource_is_never_called_released() -> None:
    told = entries((Notification.RESOURCE_PROTECTED, {"version": "one"}), (Record.RESOURCE_STRANDED, {}))
    statement = make_statement(CONTOSO, told, now=START)
    assert statement["everyResourceReleased"] is False
    assert statement["resources"][0]["end"] == "stranded"


def test_it_names_the_entry_it_goes_up_to() -> None:
    told = entries((Record.KEY_REGISTERED, {"keyIdentifier": "https://v.vault.azure.net/keys/cmk"}))
    statement = make_statement(CONTOSO, told, now=START)
    assert statement["timeline"] == {"sequence": 1, "hash": told[0].hash}
    assert statement["keys"] == [{"name": "primary", "keyIdentifier": "https://v.vault.azure.net/keys/cmk"}]


def test_a_customer_of_whom_nothing_is_told_has_nothing_to_release() -> None:
    statement = make_statement(CONTOSO, [], now=START)
    assert (statement["resources"], statement["everyResourceReleased"]) == ([], True)
