"""Resource Manager's answers through the real storage adapter.

What any provider refuses looks alike, so a refusal of a resource that the app does not know is read as if it were a
storage account's. A long-running operation is followed with the SDK's own polling, whose failure we translate.
"""

from typing import Any, Final

from azure.core import AsyncPipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.polling import AsyncLROPoller
from azure.core.rest import HttpRequest
from azure.mgmt.core.polling.async_arm_polling import AsyncARMPolling

from shared.adapters.account_documents import observe, read_timestamp
from shared.adapters.azure_errors import translate
from shared.adapters.storage_accounts import ResourceManagerStorage
from shared.domain.account_observation import EncryptWithKey, ObservedAccount, ReturnToMicrosoftManagedKeys
from shared.domain.clouds import PUBLIC
from shared.domain.identifiers import KeyIdentifier, MalformedIdentifier, StorageAccountId
from shared.domain.refusals import finding_of
from shared.errors import CrossKeyError, Refused, Unavailable
from tests.replay.answering import Answer, AnyCredential, RecordedTransport, Sent
from tests.replay.places import Service, template
from tests.replay.recordings import TENANT, VAULT_HOST, Exchange
from tests.replay.verdicts import Said, describe, not_ours, read, wrong_with

STAND_IN: Final = StorageAccountId(TENANT, "recorded", "recorded")
ACCOUNT: Final = "/subscriptions/{name}/resourcegroups/{name}/providers/microsoft.storage/storageaccounts/{name}"
ACCOUNTS: Final = "/subscriptions/{name}/providers/microsoft.storage/storageaccounts"
POLL: Final = "/subscriptions/{name}/providers/microsoft.storage/locations/{name}/asyncoperations/{name}"
IDENTITY: Final = (
    f"/subscriptions/{TENANT}/resourceGroups/recorded/providers/Microsoft.ManagedIdentity"
    "/userAssignedIdentities/recorded"
)
_BARE: Final = ObservedAccount(
    resource_id=str(STAND_IN),
    location="recorded",
    system_assigned=False,
    user_assigned=(),
    key_source="Microsoft.Storage",
    encryption_services=("blob", "file"),
)
_REQUEST_ID: Final = {"x-ms-client-request-id": "recorded"}
_GONE: Final = frozenset({"ResourceNotFound", "ResourceGroupNotFound"})


async def read_arm(exchange: Exchange) -> Said:
    """Read one answer of Resource Manager as the app would."""
    body = exchange.body if isinstance(exchange.body, dict) else {}
    if not exchange.status:
        return not_ours("the quotation has no status")
    if exchange.status == 200 and body.get("status") in {"Failed", "Canceled"}:
        return await _failed_operation(exchange)
    place = template(Service.ARM, exchange.url).lower()
    if exchange.status < 300 and place == ACCOUNTS:
        return await _list(exchange, body)
    if exchange.status < 300 and place not in {ACCOUNT, POLL}:
        return not_ours("the app reads storage accounts")
    if exchange.status == 204 or exchange.method == "DELETE":
        return not_ours("the app deletes nothing in Resource Manager")
    return await _account(exchange, body)


async def _account(exchange: Exchange, body: dict[str, Any]) -> Said:
    transport = RecordedTransport(lambda _: Answer(exchange.status, exchange.headers, exchange.body))
    accounts = ResourceManagerStorage(AnyCredential(), transport, PUBLIC)
    try:
        account = StorageAccountId.parse(exchange.path)
    except MalformedIdentifier:
        account = STAND_IN
    try:
        if exchange.method == "GET":
            found = await accounts.read(account)
        else:
            found = await accounts.update(account, update_like(exchange), present=present(exchange))
    except CrossKeyError as error:
        if 201 <= exchange.status < 300:
            right = type(error) is Unavailable
            return read("accepted, not confirmed yet", transport.sent, [] if right else ["it is accepted only"])
        return read(describe(error) + _finding(error), transport.sent, wrong_with(error, exchange))
    if found is None:
        right = exchange.status == 404 and exchange.code in _GONE
        return read("no such account", transport.sent, [] if right else ["there is one"])
    text = f"account, {found.key_source}" + (f", version {found.current_version}" if found.current_key else "")
    return read(text, transport.sent, _wrong_account(found, body))


def update_like(exchange: Exchange) -> EncryptWithKey | ReturnToMicrosoftManagedKeys:
    """The update of ours that comes nearest to what was recorded."""
    body = exchange.sent_body if isinstance(exchange.sent_body, dict) else {}
    encryption = (body.get("properties") or {}).get("encryption") or {}
    if encryption.get("keySource") == "Microsoft.Storage":
        return ReturnToMicrosoftManagedKeys()
    named = encryption.get("keyvaultproperties") or {}
    host = str(named.get("keyvaulturi") or f"https://{VAULT_HOST}").removeprefix("https://").rstrip("/")
    identity = encryption.get("identity") or {}
    return EncryptWithKey(
        key=KeyIdentifier(host, str(named.get("keyname") or "cmk")),
        version=named.get("keyversion") or None,
        identity=identity.get("userAssignedIdentity") or IDENTITY,
        federated_client_id=identity.get("federatedIdentityClientId"),
    )


def present(exchange: Exchange) -> ObservedAccount:
    """The account as it stood before, by an earlier answer of the same recording."""
    for earlier in reversed(exchange.before):
        if earlier.path == exchange.path and earlier.status == 200:
            return observe(earlier.body, PUBLIC)
    return _BARE


async def _list(exchange: Exchange, body: dict[str, Any]) -> Said:
    def answer(sent: Sent) -> Answer:
        first = sent is transport.sent[0]
        return Answer(200, {}, exchange.body if first else {"value": []})

    transport = RecordedTransport(answer)
    accounts = ResourceManagerStorage(AnyCredential(), transport, PUBLIC)
    found = [each async for each in accounts.read_subscription(TENANT)]
    right = len(found) == len(body.get("value") or [])
    return read(f"{len(found)} accounts", transport.sent, [] if right else ["there are others"])


async def _failed_operation(exchange: Exchange) -> Said:
    """HTTP 200, and the failure in the body: what the SDK's own polling makes of it, translated by us."""

    def answer(sent: Sent) -> Answer:
        if sent.method == "GET":
            return Answer(exchange.status, exchange.headers, exchange.body)
        return Answer(202, {"Azure-AsyncOperation": exchange.url})

    transport = RecordedTransport(answer)
    host = PUBLIC.resource_manager
    client: AsyncPipelineClient[Any, Any] = AsyncPipelineClient(host, policies=[], transport=transport)
    begun = await client._pipeline.run(HttpRequest("PUT", f"{host}{STAND_IN}", headers=_REQUEST_ID))
    poller: AsyncLROPoller[Any] = AsyncLROPoller(client, begun, lambda found: found, AsyncARMPolling(0))
    try:
        await poller.result()
    except HttpResponseError as error:
        made = translate(error, "polling")
        right = isinstance(made, Refused) and made.azure_code == exchange.code
        wrong = [] if right else [f"its code is {exchange.code}"]
        return read(f"the operation failed: {describe(made)}{_finding(made)}", [], wrong)
    return read("the operation ended", [], ["it failed"])


def _wrong_account(found: ObservedAccount, body: dict[str, Any]) -> list[str]:
    encryption = (body.get("properties") or {}).get("encryption") or {}
    key, chosen = encryption.get("keyvaultproperties") or {}, encryption.get("identity") or {}
    identity = body.get("identity") or {}
    current = key.get("currentVersionedKeyIdentifier")
    pairs = {
        "id": (found.resource_id, body.get("id")),
        "identity.type": (found.system_assigned, "SystemAssigned" in str(identity.get("type"))),
        "userAssignedIdentities": (list(found.user_assigned), [*(identity.get("userAssignedIdentities") or {})]),
        "keySource": (found.key_source, encryption.get("keySource")),
        "keyvaulturi": (found.vault_uri, key.get("keyvaulturi")),
        "keyname": (found.key_name, key.get("keyname")),
        "keyversion": (found.key_version, key.get("keyversion")),
        "current version": (found.current_version, current and current.rpartition("/")[2]),
        "lastKeyRotationTimestamp": (found.rotated_at, read_timestamp(key.get("lastKeyRotationTimestamp"))),
        "userAssignedIdentity": (found.encryption_identity, chosen.get("userAssignedIdentity") or None),
        "federatedIdentityClientId": (found.federated_client_id, chosen.get("federatedIdentityClientId")),
    }
    return [f"{name} is {wanted}, not {ours}" for name, (ours, wanted) in pairs.items() if ours != wanted]


def _finding(error: CrossKeyError) -> str:
    if not isinstance(error, Refused):
        return ""
    return f", {finding_of(error.http_status, error.azure_code, error.inner_code).reason}"
