"""Adapters over transports that answer by hand what Azure was recorded to answer."""

from collections.abc import Callable
from typing import Any

from shared.adapters.account_documents import observe
from shared.adapters.key_vault import AzureKeyVault
from shared.adapters.storage_accounts import ResourceManagerStorage
from shared.adapters.tables import Tables
from shared.domain.account_observation import EncryptWithKey, ObservedAccount
from shared.domain.clouds import PUBLIC
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.settings import Storage
from tests.fakes import APPLICATION
from tests.replay.answering import Answer, AnyCredential, AnyCredentials, RecordedTransport, Sent

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
KEY = KeyIdentifier("contoso.vault.azure.net", "cmk")
WHO: dict[str, str] = {"tenant_id": TENANT, "application": APPLICATION}
GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg"
ACCOUNT = StorageAccountId.parse(f"{GROUP}/providers/Microsoft.Storage/storageAccounts/account")
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ours"
JSON = {"Content-Type": "application/json"}
UPDATE = EncryptWithKey(key=KEY, version=None, identity=IDENTITY, federated_client_id=APPLICATION)


def account(**encryption: Any) -> dict[str, Any]:
    return {"id": str(ACCOUNT), "location": "westus", "properties": {"encryption": encryption}}


def refused(code: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "x", **more}}


def storage(answer: Answer) -> tuple[ResourceManagerStorage, RecordedTransport]:
    transport = RecordedTransport(lambda _: answer)
    return ResourceManagerStorage(AnyCredential(), transport, PUBLIC), transport


def vault(*answers: Answer, host: str = "login.windows.net") -> tuple[AzureKeyVault, RecordedTransport]:
    """A vault that asks for a token first and then answers these, one after the other."""
    left = iter(answers)
    challenge = f'Bearer authorization="https://{host}/{TENANT}", resource="https://vault.azure.net"'

    def answer(sent: Sent) -> Answer:
        if "authorization" in sent.headers:
            return next(left)
        return Answer(401, {"WWW-Authenticate": challenge, "x-ms-keyvault-region": "uksouth"})

    transport = RecordedTransport(answer)
    return AzureKeyVault(AnyCredentials(), transport, PUBLIC), transport


def tables(answer: Callable[[Sent], Answer], *, creation: Answer | None = None) -> tuple[Tables, RecordedTransport]:
    """Tables on a service that makes a table first and then answers."""
    made = creation or Answer(201, JSON, {"TableName": "state"})

    def made_first(sent: Sent) -> Answer:
        return made if sent.url.endswith("/Tables") else answer(sent)

    transport = RecordedTransport(made_first)
    return Tables(Storage(table_service_uri="https://a.table.core.windows.net"), transport, AnyCredential()), transport


def observed(**encryption: Any) -> ObservedAccount:
    return observe(account(**encryption), PUBLIC)
