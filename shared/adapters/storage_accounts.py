"""Storage accounts through Resource Manager, as the app's own managed identity.

Requests go through `send_request` with plain JSON: models drop members that must be sent, and cost eight times as much
on long lists. A PATCH is never repeated by the pipeline: one whose answer was lost may have taken effect, so the
account is read again instead.
"""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineRequest
from azure.core.rest import HttpRequest

from shared.adapters.account_documents import API_VERSION, body, observe
from shared.adapters.azure_errors import translate, translate_status
from shared.adapters.credentials import Credential
from shared.adapters.transport import SharedTransport, client_arguments
from shared.domain.account_observation import AccountUpdate, ObservedAccount
from shared.domain.clouds import Cloud
from shared.domain.identifiers import StorageAccountId
from shared.errors import Refused, Unavailable, UnexpectedAnswer

if TYPE_CHECKING:
    from azure.mgmt.storage.aio import StorageManagementClient

UPDATE_SECONDS: Final = 60
"""An update wraps the account's key in the customer's vault before it answers."""

IN_PROGRESS: Final = frozenset({"storageaccountoperationinprogress", "anotheroperationinprogress"})
GONE: Final = frozenset({"resourcenotfound", "resourcegroupnotfound"})


class ResourceManagerStorage:
    """Implements `StorageAccounts`."""

    def __init__(self, credential: Credential, transport: SharedTransport, cloud: Cloud) -> None:
        self._credential = credential
        self._transport = transport
        self._cloud = cloud
        self._clients: dict[str, StorageManagementClient] = {}

    async def read(self, account: StorageAccountId) -> ObservedAccount | None:
        """Read one account; None when it or its resource group is not there."""
        doing = f"reading {account}"
        response = await self._send(account.subscription_id, HttpRequest("GET", self._url(account)), doing)
        if response.status_code == 404 and _code(response).lower() in GONE:
            return None
        return observe(_json(response, doing), self._cloud)

    async def update(
        self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount
    ) -> ObservedAccount:
        """Send one PATCH and answer the account as Resource Manager did."""
        doing = f"updating {account}"
        request = HttpRequest("PATCH", self._url(account), json=body(update, present))
        options = {"retry_total": 0, "read_timeout": UPDATE_SECONDS}
        return observe(_json(await self._send(account.subscription_id, request, doing, **options), doing), self._cloud)

    def describe(self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount) -> dict[str, Any]:
        """The exact request that `update` would send."""
        return {"method": "PATCH", "url": self._url(account), "body": body(update, present)}

    async def read_subscription(self, subscription_id: str) -> AsyncIterator[ObservedAccount]:
        """Every account of a subscription, by list pages."""
        doing = f"listing the storage accounts of subscription {subscription_id}"
        root = f"{self._cloud.resource_manager}/subscriptions/{subscription_id}"
        link: str | None = f"{root}/providers/Microsoft.Storage/storageAccounts?api-version={API_VERSION}"
        seen: set[str] = set()
        while link:
            if link in seen:
                raise UnexpectedAnswer(f"{doing}: its pages go round in a circle")
            seen.add(link)
            document = _json(await self._send(subscription_id, HttpRequest("GET", link), doing), doing)
            match document:
                case {"value": list(accounts)}:
                    for account in accounts:
                        yield observe(account, self._cloud)
                case _:
                    raise UnexpectedAnswer(f"{doing}: the answer is not a list")
            link = document.get("nextLink") or None

    def _url(self, account: StorageAccountId) -> str:
        return f"{self._cloud.resource_manager}{account}?api-version={API_VERSION}"

    async def _send(self, subscription_id: str, request: HttpRequest, doing: str, **options: Any) -> Any:
        self._check_host(request.url)
        try:
            response = await self._client(subscription_id).send_request(request, **options)
        except (AzureError, ValueError) as error:
            raise translate(error, doing) from error
        if response.status_code == 200 or (response.status_code == 404 and request.method == "GET"):
            return response
        if 200 <= response.status_code < 300:
            raise Unavailable(f"{doing}: accepted with status {response.status_code}, and not confirmed yet")
        refused = translate_status(response.status_code, response.headers, response.text(), doing)
        if isinstance(refused, Refused) and refused.azure_code.lower() in IN_PROGRESS:
            # Somebody else's change is under way: nothing is wrong, and waiting helps.
            raise Unavailable(f"{doing}: {refused.azure_code}")
        raise refused

    def _client(self, subscription_id: str) -> "StorageManagementClient":
        if subscription_id not in self._clients:
            # Costly to import, and needed by no request that leaves Resource Manager alone.
            from azure.mgmt.storage.aio import StorageManagementClient  # noqa: PLC0415

            def stay(request: PipelineRequest[Any]) -> None:
                self._check_host(request.http_request.url)

            self._clients[subscription_id] = StorageManagementClient(
                self._credential,
                subscription_id,
                self._cloud.resource_manager,
                credential_scopes=[f"{self._cloud.resource_manager_audience}/.default"],
                raw_request_hook=stay,
                **client_arguments(self._transport),
            )
        return self._clients[subscription_id]

    def _check_host(self, url: str) -> None:
        # The token of Resource Manager goes nowhere else, whatever a next link says.
        parts, home = urlsplit(url), urlsplit(self._cloud.resource_manager)
        if (parts.scheme, parts.hostname, parts.port or 443) != (home.scheme, home.hostname, home.port or 443):
            raise UnexpectedAnswer(f"following {parts.hostname}: it is not Resource Manager")


def _json(response: Any, doing: str) -> Any:
    if response.status_code == 404:
        raise translate_status(404, response.headers, response.text(), doing)
    try:
        return response.json()
    except (AzureError, ValueError) as error:
        raise UnexpectedAnswer(f"{doing}: the answer is not JSON") from error


def _code(response: Any) -> str:
    try:
        return str(response.json()["error"]["code"])
    except (AzureError, ValueError, KeyError, TypeError):
        return ""
