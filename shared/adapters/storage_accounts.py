"""Storage accounts through Resource Manager, as the app's own managed identity.

Requests go through `send_request` with plain JSON: models drop members that must be sent, and cost eight times as much
on long lists. A PATCH is never repeated by the pipeline: one whose answer was lost may have taken effect, so the
account is read again instead.
"""

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline import PipelineRequest
from azure.core.rest import HttpRequest

from shared.adapters.account_documents import API_VERSION, body, creation_body, observe
from shared.adapters.azure_errors import retry_after, translate, translate_status
from shared.adapters.credentials import Credential
from shared.adapters.scope_documents import observe_scope, release_body
from shared.adapters.transport import SharedTransport, client_arguments
from shared.domain.account_observation import AccountUpdate, CreateAccount, CreationAccepted, ObservedAccount
from shared.domain.clouds import Cloud
from shared.domain.encryption_scopes import ObservedScope, ReleaseScope
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

    async def create(self, account: StorageAccountId, creation: CreateAccount) -> ObservedAccount | CreationAccepted:
        """Send one PUT; answers the account, or where to ask for it."""
        doing = f"creating {account}"
        request = HttpRequest("PUT", self._url(account), json=creation_body(creation))
        options = {"retry_total": 0, "read_timeout": UPDATE_SECONDS}
        return self._made(await self._send(account.subscription_id, request, doing, accepted=202, **options), doing)

    async def follow_creation(self, account: StorageAccountId, poll_url: str) -> ObservedAccount | CreationAccepted:
        """Ask once how far a creation is."""
        doing = f"following the creation of {account}"
        try:
            response = await self._send(account.subscription_id, HttpRequest("GET", poll_url), doing, accepted=202)
        except Refused as refusal:
            if refusal.http_status == 401:
                # A token can expire in the middle of a creation, which is none of the creation's business.
                raise Unavailable(f"{doing}: {refusal.azure_code}") from refusal
            raise
        return self._made(response, doing, poll_url)

    def _made(self, response: Any, doing: str, poll_url: str | None = None) -> ObservedAccount | CreationAccepted:
        wait = retry_after(response.headers)
        if response.status_code == 202:
            address = poll_url or response.headers.get("Location", "")
            # What is kept is what is asked later: nothing that does not lead to Resource Manager is.
            self._check_host(address)
            return CreationAccepted(poll_url=address, retry_after=wait)
        document = _json(response, doing)
        match document:
            case {"status": ("Failed" | "Canceled") as status}:
                refused = translate_status(400, response.headers, response.text(), doing)
                if isinstance(refused, Refused):
                    refused.azure_code = refused.azure_code or status
                raise refused
            case {"status": str()} if poll_url is not None:
                return CreationAccepted(poll_url=poll_url, retry_after=wait)
        return observe(document, self._cloud)

    def describe_creation(self, account: StorageAccountId, creation: CreateAccount) -> dict[str, Any]:
        """The exact request that `create` would send."""
        return {"method": "PUT", "url": self._url(account), "body": creation_body(creation)}

    def describe(self, account: StorageAccountId, update: AccountUpdate, *, present: ObservedAccount) -> dict[str, Any]:
        """The exact request that `update` would send."""
        return {"method": "PATCH", "url": self._url(account), "body": body(update, present)}

    async def read_subscription(self, subscription_id: str) -> AsyncIterator[ObservedAccount]:
        """Every account of a subscription, by list pages."""
        doing = f"listing the storage accounts of subscription {subscription_id}"
        root = f"{self._cloud.resource_manager}/subscriptions/{subscription_id}"
        link = f"{root}/providers/Microsoft.Storage/storageAccounts?api-version={API_VERSION}"
        async for account in self._list(subscription_id, link, doing):
            yield observe(account, self._cloud)

    async def read_scopes(self, account: StorageAccountId) -> Sequence[ObservedScope]:
        """Every encryption scope of an account; none when the account is not there."""
        doing = f"listing the encryption scopes of {account}"
        scopes: list[ObservedScope] = []
        try:
            async for document in self._list(account.subscription_id, self._scope_url(account), doing):
                scope = observe_scope(document, self._cloud)
                if scope.uses_vault and scope.key is not None and scope.version is None:
                    # The published example of a list leaves the version in use out.
                    scope = await self._read_scope(account, scope.name)
                scopes.append(scope)
        except Refused as refusal:
            if refusal.http_status == 404 and refusal.azure_code.lower() in GONE:
                return ()
            raise
        return scopes

    async def release_scope(self, account: StorageAccountId, scope: ReleaseScope) -> ObservedScope:
        """Send one PATCH of a scope and answer it as Resource Manager did."""
        doing = f"releasing encryption scope {scope.name} of {account}"
        request = HttpRequest("PATCH", self._scope_url(account, scope.name), json=release_body())
        options = {"retry_total": 0, "read_timeout": UPDATE_SECONDS}
        response = await self._send(account.subscription_id, request, doing, **options)
        return observe_scope(_json(response, doing), self._cloud)

    async def _read_scope(self, account: StorageAccountId, name: str) -> ObservedScope:
        doing = f"reading encryption scope {name} of {account}"
        request = HttpRequest("GET", self._scope_url(account, name))
        return observe_scope(_json(await self._send(account.subscription_id, request, doing), doing), self._cloud)

    async def _list(self, subscription_id: str, first: str, doing: str) -> AsyncIterator[Any]:
        """Yield every member of a list, page by page; a page may be empty and still have a next one."""
        link: str | None = first
        seen: set[str] = set()
        while link:
            if link in seen:
                raise UnexpectedAnswer(f"{doing}: its pages go round in a circle")
            seen.add(link)
            document = _json(await self._send(subscription_id, HttpRequest("GET", link), doing), doing)
            match document:
                case {"value": list(members)}:
                    for member in members:
                        yield member
                case _:
                    raise UnexpectedAnswer(f"{doing}: the answer is not a list")
            link = document.get("nextLink") or None

    def _url(self, account: StorageAccountId) -> str:
        return f"{self._cloud.resource_manager}{account}?api-version={API_VERSION}"

    def _scope_url(self, account: StorageAccountId, name: str | None = None) -> str:
        path = f"{account}/encryptionScopes" if name is None else f"{account}/encryptionScopes/{quote(name, safe='')}"
        return f"{self._cloud.resource_manager}{path}?api-version={API_VERSION}"

    async def _send(
        self, subscription_id: str, request: HttpRequest, doing: str, *, accepted: int = 200, **options: Any
    ) -> Any:
        self._check_host(request.url)
        try:
            response = await self._client(subscription_id).send_request(request, **options)
        except (AzureError, ValueError) as error:
            raise translate(error, doing) from error
        if response.status_code in (200, accepted) or (response.status_code == 404 and request.method == "GET"):
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
