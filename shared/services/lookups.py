"""Reads that must find something, and parsing of what callers send, with errors that name the field."""

from collections import Counter
from collections.abc import Callable, Iterable

from shared.bundle import Bundle
from shared.domain.identifiers import (
    HostNotAllowed,
    KeyIdentifier,
    MalformedIdentifier,
    StorageAccountId,
    customer_id,
    guid,
    object_name,
)
from shared.domain.model import Customer, Key, Resource
from shared.domain.reasons import Reason
from shared.errors import BadInput, NotFound
from shared.stores import Stored


def parse[T](read: Callable[[str], T], text: str, target: str, code: str) -> T:
    """Parse one field; a malformed one is `BadInput` with a code that names it."""
    try:
        return read(text)
    except HostNotAllowed as error:
        raise BadInput(f"{target} {error}.", target=target, code=Reason.VAULT_HOST_NOT_ALLOWED) from error
    except MalformedIdentifier as error:
        raise BadInput(f"{target} {error}.", target=target, code=code) from error


def parse_customer_id(text: str) -> str:
    """Parse `customerId`."""
    return parse(customer_id, text, "customerId", "CustomerIdMalformed")


def parse_name(text: str, target: str) -> str:
    """Parse a key's or resource's name."""
    return parse(object_name, text, target, "NameMalformed")


def parse_guid(text: str, target: str) -> str:
    """Parse a GUID."""
    return parse(guid, text, target, "GuidMalformed")


def parse_key_identifier(text: str) -> KeyIdentifier:
    """Parse `keyIdentifier`; nothing has been asked of its host before this succeeds."""
    return parse(KeyIdentifier.parse, text, "keyIdentifier", Reason.KEY_IDENTIFIER_MALFORMED)


def parse_resource_id(text: str) -> StorageAccountId:
    """Parse `resourceId`."""
    return parse(StorageAccountId.parse, text, "resourceId", "ResourceIdMalformed")


async def find_customer(bundle: Bundle, customer: str) -> Stored[Customer]:
    """Read a customer. Raises `NotFound`."""
    stored = await bundle.state.read_customer(parse_customer_id(customer))
    if stored is None:
        raise NotFound(f"There is no customer {customer}.", target="customerId", code="CustomerNotFound")
    return stored


async def find_key(bundle: Bundle, customer: str, name: str) -> Stored[Key]:
    """Read a key. Raises `NotFound`."""
    stored = await bundle.state.read_key(customer, parse_name(name, "keyName"))
    if stored is None:
        raise NotFound(f"Customer {customer} has no key {name}.", target="keyName", code="KeyRegistrationNotFound")
    return stored


async def find_resource(bundle: Bundle, customer: str, name: str) -> Stored[Resource]:
    """Read a resource. Raises `NotFound`."""
    stored = await bundle.state.read_resource(customer, parse_name(name, "resourceName"))
    if stored is None:
        raise NotFound(
            f"Customer {customer} has no resource {name}.", target="resourceName", code="ResourceRegistrationNotFound"
        )
    return stored


def versions_in_use(key: Key, resources: Iterable[Stored[Resource]]) -> list[str]:
    """The versions that live resources of a key were last seen on."""
    return sorted(count_users(key, resources))


def count_users(key: Key, resources: Iterable[Stored[Resource]]) -> dict[str, int]:
    """How many live resources of a key were last seen on each version."""
    return Counter(
        stored.value.observed.version_in_use
        for stored in resources
        if stored.value.key == key.name
        and stored.value.is_live
        and stored.value.observed is not None
        and stored.value.observed.version_in_use is not None
    )
