"""Rows and entries for the table tests."""

from datetime import UTC, datetime

from shared.domain.entries import Entry, Origin, Record
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.model import Customer, Key, Resource

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
TENANT = "20000000-0000-4000-8000-000000000001"
SUBSCRIPTION = "10000000-0000-4000-8000-000000000002"
ORIGIN = Origin(request_id="request-1", cause="test", actor="operator")


def entry(record: Record = Record.CUSTOMER_REGISTERED, **data: object) -> Entry:
    return Entry(type=record, data=data, origin=ORIGIN)


def customer(customer_id: str, name: str = "Contoso") -> Customer:
    return Customer(
        customer_id=customer_id,
        display_name=name,
        tenant_id=TENANT,
        application="app",
        ownership_nonce="nonce",
        created_at=NOW,
    )


def key(customer_id: str, name: str = "primary") -> Key:
    identifier = KeyIdentifier("contoso-keys.vault.azure.net", "cmk")
    return Key(customer_id=customer_id, name=name, identifier=identifier, registered_at=NOW)


def resource(customer_id: str, name: str) -> Resource:
    return Resource(
        customer_id=customer_id,
        name=name,
        resource_id=StorageAccountId(SUBSCRIPTION, "rg", name.replace("-", "")),
        key="primary",
        registered_at=NOW,
    )
