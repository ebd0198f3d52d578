"""The stage in the local Azure, reached through the real SDKs."""

import base64
import json
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from azure.data.tables.aio import TableClient
from azure.storage.queue.aio import QueueClient

from local import names
from shared.adapters.entities import join, read_time
from shared.bundle import Bundle
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.work import WorkItem
from shared.ports import Announcement
from shared.services.work_codec import parse_work_item
from tests.contract.local.contoso import (
    ACCOUNT_ID,
    KEY_USER,
    TENANT,
    VAULT,
    VAULT_ID,
    Contoso,
    storage_client,
)
from tests.contract.ports.stage import KEY_NAME, Call, Stage

FOREIGN_TENANT = "30000000-0000-4000-8000-000000000001"
OTHER_IDENTITY = names.KEYS_IDENTITY_RESOURCE_ID.replace(names.KEYS_IDENTITY_NAME, "other")
REQUESTS: dict[Call, tuple[str, str]] = {
    "read_challenge": ("keyvault", "GetKey"),
    "read_key": ("keyvault", "GetKey"),
    "list_versions": ("keyvault", "GetKeyVersions"),
    "wrap": ("keyvault", "WrapKey"),
    "unwrap": ("keyvault", "UnwrapKey"),
    "obtain": ("entra", "Token"),
    "read": ("arm", "StorageAccounts.GetProperties"),
    "update": ("arm", "StorageAccounts.Update"),
    "create": ("arm", "StorageAccounts.Create"),
    "follow_creation": ("arm", "StorageAccounts.GetOperation"),
    "read_subscription": ("arm", "StorageAccounts.List"),
    "read_scopes": ("arm", "EncryptionScopes.List"),
    "release_scope": ("arm", "EncryptionScopes.Patch"),
    "publish": ("eventgrid", "PublishEvents"),
    "find": ("entra", "Keys"),
}
# What asks to wait longer than the pipelines do is not tried again, so that no test waits either.
NOT_SOON = {"Retry-After": "60"}


class AzureStage(Stage):
    """Contoso in the local Azure."""

    def __init__(self, bundle: Bundle, contoso: Contoso, connection_string: str, queue: str) -> None:
        self._contoso = contoso
        self._control = contoso.azure.control
        self._connection_string = connection_string
        self._queue = queue
        self._control.put_identity(
            resourceId=OTHER_IDENTITY,
            clientId="10000000-0000-4000-8000-000000000041",
            principalId="10000000-0000-4000-8000-000000000042",
        )
        super().__init__(
            bundle=bundle,
            tenant_id=TENANT,
            application=names.POOL_CLIENT_ID,
            key=KeyIdentifier(f"{VAULT}.vault.azure.net", KEY_NAME),
            account=StorageAccountId.parse(ACCOUNT_ID),
            identity=names.KEYS_IDENTITY_RESOURCE_ID,
            other_identity=OTHER_IDENTITY,
            key_bits=2048,
        )

    def now(self) -> datetime:
        return self._control.now()

    def advance(self, by: timedelta) -> None:
        self._control.advance(by)

    def add_version(self, name: str = KEY_NAME, *, tags: dict[str, str] | None = None) -> KeyIdentifier:
        made = self._contoso.create_key(name, tags=tags or {})
        return KeyIdentifier.parse(made["key"]["kid"])

    def change(
        self,
        key: KeyIdentifier,
        *,
        enabled: bool | None = None,
        not_before: datetime | None = None,
        expires: datetime | None = None,
        operations: frozenset[str] | None = None,
    ) -> None:
        wanted = {"enabled": enabled, "nbf": _seconds(not_before), "exp": _seconds(expires)}
        attributes = {name: value for name, value in wanted.items() if value is not None}
        permitted = {} if operations is None else {"key_ops": sorted(operations)}
        self._contoso.vault("PATCH", f"/keys/{key.key_name}/{key.version}", {"attributes": attributes, **permitted})

    def delete_key(self) -> None:
        self._contoso.vault("DELETE", f"/keys/{KEY_NAME}")

    def close_firewall(self, *, bypass: bool = True) -> None:
        firewall = {"defaultAction": "Deny", "bypass": "AzureServices" if bypass else "None"}
        self._control.put_vault(VAULT, firewall=firewall)

    def revoke_role(self) -> None:
        self._control.revoke(self._contoso.principal_id, KEY_USER, VAULT_ID)

    def withdraw_consent(self) -> None:
        self._control.remove_service_principal(TENANT)

    def give_consent(self) -> None:
        self._control.put_service_principal(TENANT, enabled=True)

    def disable_application(self) -> None:
        self._control.put_service_principal(TENANT, enabled=False)

    def add_foreign_key(self) -> KeyIdentifier:
        self._control.put_tenant(FOREIGN_TENANT, "Fabrikam")
        self._control.put_vault("fabrikam-keys", tenantId=FOREIGN_TENANT)
        return KeyIdentifier("fabrikam-keys.vault.azure.net", KEY_NAME, "0" * 32)

    def put_account(
        self, *user_assigned: str, system_assigned: bool = True, account: StorageAccountId | None = None
    ) -> None:
        kinds = (["SystemAssigned"] if system_assigned else []) + (["UserAssigned"] if user_assigned else [])
        identity = {"type": ",".join(kinds) or "None", "userAssignedIdentities": list(user_assigned)}
        self._control.put_storage_account(str(account or self.account), identity=identity)

    def take_name(self) -> None:
        elsewhere = f"{names.RESOURCE_GROUP_ID}-of-others"
        self._control.put_storage_account(
            f"{elsewhere}/providers/Microsoft.Storage/storageAccounts/{self.account.account_name}"
        )

    def remove_account(self) -> None:
        self._contoso.azure.look(lambda world: world.storage_accounts.pop(str(self.account).casefold()))

    async def assign_identity(self, identity: str) -> None:
        change: Any = {"identity": {"type": "SystemAssigned,UserAssigned", "userAssignedIdentities": {identity: {}}}}
        async with storage_client(self._contoso.azure) as client:
            await client.storage_accounts.update(self.account.resource_group, self.account.account_name, change)
        self._control.forget_calls()

    async def put_scope(self, name: str, key: KeyIdentifier | None = None) -> None:
        on_key = {"source": "Microsoft.KeyVault", "keyVaultProperties": {"keyUri": str(key)}}
        change: Any = {"properties": on_key if key is not None else {"source": "Microsoft.Storage"}}
        content = BytesIO(json.dumps(change).encode())
        group, account = self.account.resource_group, self.account.account_name
        async with storage_client(self._contoso.azure) as client:
            await client.encryption_scopes.put(group, account, name, content)
        self._control.forget_calls()

    def sent_updates(self) -> list[dict[str, Any]]:
        writes = ("StorageAccounts.Update", "StorageAccounts.Create")
        calls = [call for call in self._control.calls(service="arm") if call["operation"] in writes]
        return [
            {
                "method": call["method"],
                "url": f"https://{call['host']}{call['path']}?{call['query']}",
                "body": call["requestBody"],
            }
            for call in calls
        ]

    async def take_work(self) -> list[WorkItem]:
        async with QueueClient.from_connection_string(self._connection_string, self._queue) as client:
            messages = [one async for one in client.receive_messages(messages_per_page=32)]
            for message in messages:
                await client.delete_message(message)
        return [parse_work_item(base64.b64decode(one.content).decode()) for one in messages]

    def announced(self) -> list[Announcement]:
        return [
            Announcement(
                event_id=event["id"],
                type=event["type"],
                source=event["source"],
                subject=event["subject"],
                time=datetime.fromisoformat(event["time"]),
                data=event["data"],
            )
            for event in self._control.topic_events()
        ]

    async def lost_work(self) -> dict[str, tuple[str, datetime]]:
        async with TableClient.from_connection_string(self._connection_string, "fleet") as client:
            found = [one async for one in client.query_entities("PartitionKey eq 'lostWork'")]
        return {unquote(one["RowKey"]): (join("text", one), read_time(one["at"])) for one in found}

    def signed_token(self) -> str:
        return self._control.token("provider", "CrossKey.Reader")

    def throttle(self, call: Call, retry_after: timedelta | None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(int(retry_after.total_seconds()))}
        self._fault(call, "status", status=429, headers=headers)

    def silence(self, call: Call) -> None:
        self._fault(call, "status", status=503, headers=NOT_SOON)

    def lose_answer(self, call: Call) -> None:
        self._fault(call, "drop", when="after")

    def refuse(self, call: Call, *, status: int, code: str) -> None:
        self._fault(call, "status", status=status, body={"error": {"code": code, "message": "No."}})

    def _fault(self, call: Call, kind: str, **members: Any) -> None:
        service, operation = REQUESTS[call]
        self._control.add_fault(kind, service=service, operation=operation, times=1, **members)


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
