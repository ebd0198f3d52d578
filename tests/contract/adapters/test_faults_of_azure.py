"""Every call the app makes to Azure, with every fault Azure has: each ends in one of our errors, never in an SDK's.

The adapters are the app's own, over the local Azure. What a fault may have done before its answer was lost is the
business of the services, whose tests lose answers at every port call.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from local import names
from shared.bundle import Bundle
from shared.domain.account_observation import ReturnToMicrosoftManagedKeys
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.errors import CrossKeyError, Refused, Throttled, Unavailable, UnexpectedAnswer
from shared.ports import Announcement
from tests.contract.local.contoso import ACCOUNT_ID, TENANT, VAULT, Contoso

ACCOUNT = StorageAccountId.parse(ACCOUNT_ID)
WHO = {"tenant_id": TENANT, "application": names.POOL_CLIENT_ID}
KEY = KeyIdentifier(f"{VAULT}.vault.azure.net", "cmk")


class Fault(NamedTuple):
    """A fault of the local Azure, and what it must become."""

    name: str
    spec: dict[str, Any]
    becomes: tuple[type[CrossKeyError], ...]


COULD_NOT_TELL = (Unavailable,)
FAULTS = [
    Fault("429 without Retry-After", {"kind": "status", "status": 429}, (Throttled,)),
    Fault("429 with Retry-After", {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}}, (Throttled,)),
    Fault("500", {"kind": "status", "status": 500}, COULD_NOT_TELL),
    Fault("502", {"kind": "status", "status": 502}, COULD_NOT_TELL),
    Fault("503", {"kind": "status", "status": 503}, COULD_NOT_TELL),
    Fault("500 after taking effect", {"kind": "status", "status": 500, "when": "after"}, COULD_NOT_TELL),
    Fault("cut before taking effect", {"kind": "drop"}, COULD_NOT_TELL),
    Fault("cut after taking effect", {"kind": "drop", "when": "after"}, COULD_NOT_TELL),
    Fault("malformed body", {"kind": "malformed"}, (UnexpectedAnswer,)),
]


class Call(NamedTuple):
    """One call of the app: the local service and operation that it reaches, and how the app makes it."""

    name: str
    service: str
    operation: str
    make: Callable[[Bundle, str], Awaitable[Any]]
    unlike: Mapping[str, tuple[type[CrossKeyError], ...]] = MappingProxyType({})
    """Faults that become something else here."""


async def challenge(bundle: Bundle, version: str) -> None:
    del version
    await bundle.vault.read_challenge(KEY)


async def token(bundle: Bundle, version: str) -> None:
    del version
    await bundle.credentials.obtain(**WHO, fresh=True)


async def read_key(bundle: Bundle, version: str) -> None:
    del version
    await bundle.vault.read_key(KEY, **WHO)


async def list_versions(bundle: Bundle, version: str) -> None:
    del version
    await bundle.vault.list_versions(KEY, **WHO)


async def wrap(bundle: Bundle, version: str) -> None:
    await bundle.vault.wrap(KEY.with_version(version), b"0" * 32, **WHO)


async def unwrap(bundle: Bundle, version: str) -> None:
    await bundle.vault.unwrap(KEY.with_version(version), "AAAA", **WHO)


async def read_account(bundle: Bundle, version: str) -> None:
    del version
    await bundle.accounts.read(ACCOUNT)


async def list_accounts(bundle: Bundle, version: str) -> None:
    del version
    _ = [one async for one in bundle.accounts.read_subscription(names.PROVIDER_SUBSCRIPTION_ID)]


async def list_scopes(bundle: Bundle, version: str) -> None:
    del version
    await bundle.accounts.read_scopes(ACCOUNT)


async def update_account(bundle: Bundle, version: str) -> None:
    del version
    present = await bundle.accounts.read(ACCOUNT)
    assert present is not None
    await bundle.accounts.update(ACCOUNT, ReturnToMicrosoftManagedKeys(), present=present)


async def publish(bundle: Bundle, version: str) -> None:
    del version
    now = datetime(2026, 11, 22, tzinfo=UTC)
    event = Announcement(event_id="1", type="CrossKey.Test", source="/t", subject="s", time=now, data={})
    await bundle.notifications.publish([event])


async def signing_key(bundle: Bundle, version: str) -> None:
    del version
    await bundle.signing_keys.find("some-key")


# Entra's silence must never be taken for the vault's, so its throttling is plain "could not tell" as well.
OF_ENTRA: dict[str, tuple[type[CrossKeyError], ...]] = {
    "429 without Retry-After": COULD_NOT_TELL,
    "429 with Retry-After": COULD_NOT_TELL,
    "malformed body": (Unavailable, UnexpectedAnswer),
}
CALLS = [
    Call("challenge", "keyvault", "GetKey*", challenge),
    Call("token of the customer's tenant", "entra", "Token", token, OF_ENTRA),
    Call("read the key", "keyvault", "GetKey", read_key),
    Call("list its versions", "keyvault", "GetKeyVersions", list_versions),
    Call("wrap", "keyvault", "WrapKey", wrap),
    Call("unwrap", "keyvault", "UnwrapKey", unwrap),
    Call("read the account", "arm", "StorageAccounts.GetProperties", read_account),
    Call("list the accounts", "arm", "StorageAccounts.List", list_accounts),
    Call("list its scopes", "arm", "EncryptionScopes.List", list_scopes),
    Call("update the account", "arm", "StorageAccounts.Update", update_account),
    Call("publish", "eventgrid", "PublishEvents", publish),
    Call("signing keys", "entra", "Keys", signing_key, OF_ENTRA),
]


@pytest.fixture
def version(contoso: Contoso) -> str:
    """The version of a key and an account, so that every call would succeed."""
    contoso.azure.control.put_storage_account(ACCOUNT_ID)
    return str(contoso.create_key()["key"]["kid"]).rpartition("/")[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_a_fault_of_azure_becomes_one_of_our_errors(
    bundle: Bundle, contoso: Contoso, version: str, call: Call, fault: Fault
) -> None:
    contoso.azure.control.add_fault(service=call.service, operation=call.operation, **fault.spec)
    with pytest.raises(call.unlike.get(fault.name, fault.becomes)) as raised:
        await call.make(bundle, version)
    assert not isinstance(raised.value, Refused), "a fault is no answer"
    if fault.name == "429 with Retry-After" and isinstance(raised.value, Throttled):
        assert raised.value.retry_after is not None
        assert raised.value.retry_after.total_seconds() == 7


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
async def test_a_slow_answer_is_an_answer(bundle: Bundle, contoso: Contoso, version: str, call: Call) -> None:
    contoso.azure.control.add_fault(
        "latency", service=call.service, operation=call.operation, latency_seconds=0.2, times=2
    )
    if call.make is unwrap:
        with pytest.raises(Refused):  # what was sent is no ciphertext
            await call.make(bundle, version)
    else:
        await call.make(bundle, version)
