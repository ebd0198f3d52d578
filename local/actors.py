"""The people of a scenario, as HTTP clients: the vendor's portal and a customer's administrator.

The portal calls CrossKey's API; the administrator acts on the customer's own tenant through Azure's own APIs (the
consent page, Resource Manager, the vault's data plane), through the local proxy, with a token of that tenant.
Used by the demo and by the scenario tests.
"""

import json
import ssl
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from local import names
from local.client import ControlClient

ARM = "https://management.azure.com"
VAULT_API = "7.4"
ENCRYPTION_ROLE_ID = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
READER_ROLE_ID = "21090545-7ca7-4776-b22c-e363652d74d2"
CONTOSO_SUBSCRIPTION = "20000000-0000-4000-8000-000000000002"


class NotReached(RuntimeError):
    """What was waited for did not come about in time."""


def wait_until[T](question: Callable[[], T | None], what: str, *, within_seconds: float = 30.0) -> T:
    """Ask until the answer is not None or false."""
    deadline = time.monotonic() + within_seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise NotReached(f"Waited {within_seconds:.0f} s for {what}.")
        time.sleep(0.05)


class _Client:
    """Shared by both: an HTTP client that is closed at the end."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.http.close()


class Portal(_Client):
    """The vendor's onboarding portal: calls the API with a bearer token."""

    def __init__(self, api: str, token: Callable[[], str]) -> None:
        # A token is asked for at each request: it lives for an hour of world time, and the clock is moved.
        def authorise(request: httpx.Request) -> httpx.Request:
            request.headers["Authorization"] = f"Bearer {token()}"
            return request

        super().__init__(httpx.Client(base_url=api, auth=authorise, timeout=60.0, trust_env=False))

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send one request that must succeed; answers its JSON."""
        # Empty parameters would take away those that the path holds.
        response = self.http.request(method, path, json=body, params=query or None)
        if response.is_error:
            raise NotReached(f"{method} {path} answered {response.status_code}: {response.text}")
        return response.json() if response.content else None

    def begin(self, method: str, path: str, body: Any = None) -> str:
        """Send a request that is answered 202; answers the operation's path."""
        response = self.http.request(method, path, json=body)
        if response.status_code != 202:
            raise NotReached(f"{method} {path} answered {response.status_code}: {response.text}")
        return response.headers["Operation-Location"]

    def finish(self, operation: str, *, within_seconds: float = 30.0) -> Any:
        """Poll an operation until it ended."""

        def ended() -> Any:
            document = self.http.get(httpx.URL(operation).raw_path.decode().removeprefix("/api")).json()
            return document if document["status"] in ("Succeeded", "Failed") else None

        return wait_until(ended, f"operation {operation}", within_seconds=within_seconds)


class Administrator(_Client):
    """A customer's administrator: owner of a subscription and of a vault in the customer's tenant."""

    def __init__(
        self,
        control: ControlClient,
        *,
        tenant_id: str,
        vault: str,
        proxy: str,
        ca_file: str | Path,
        subscription_id: str = CONTOSO_SUBSCRIPTION,
    ) -> None:
        tls = ssl.create_default_context(cafile=str(ca_file))
        super().__init__(httpx.Client(proxy=proxy, verify=tls, timeout=60.0, trust_env=False))
        self.tenant_id = tenant_id
        self.vault = vault
        self.vault_uri = f"https://{vault}.vault.azure.net"
        self.subscription = f"/subscriptions/{subscription_id}"
        self.vault_id = f"{self.subscription}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/{vault}"
        self._control = control

    def _headers(self, audience: str) -> dict[str, str]:
        # Tokens are asked for at each step, because the demo moves the clock.
        grants = [
            {"role": "Owner", "scope": self.subscription},
            {"role": "Key Vault Administrator", "scope": self.vault_id},
        ]
        token = self._control.token(self.tenant_id, audience=audience, grants=grants)
        return {"Authorization": f"Bearer {token}"}

    def arm(self, method: str, path: str, version: str, body: Any = None) -> Any:
        """Call Resource Manager."""
        url = f"{ARM}{path}?api-version={version}"
        response = self.http.request(method, url, json=body, headers=self._headers(names.MANAGEMENT_RESOURCE))
        return _document(response)

    def data_plane(self, method: str, path: str, body: Any = None) -> Any:
        """Call the vault."""
        url = f"{self.vault_uri}{path}?api-version={VAULT_API}"
        return _document(self.http.request(method, url, json=body, headers=self._headers(names.VAULT_RESOURCE)))

    def create_key(self, name: str, **members: Any) -> str:
        """Create an RSA key or a new version of it; answers the version."""
        created = self.data_plane("POST", f"/keys/{name}/create", {"kty": "RSA", "key_size": 2048, **members})
        return str(created["key"]["kid"]).rpartition("/")[2]

    def rotate_key(self, name: str) -> str:
        """Let the vault make a new version; answers it."""
        rotated = self.data_plane("POST", f"/keys/{name}/rotate")
        return str(rotated["key"]["kid"]).rpartition("/")[2]

    def update_key(self, name: str, version: str = "", **members: Any) -> Any:
        """Change attributes or tags of a version; the latest when none is named."""
        return self.data_plane("PATCH", f"/keys/{name}/{version}", members)

    def protect_from_purge(self) -> None:
        """Turn on purge protection, which cannot be undone."""
        self.arm(
            "PATCH",
            self.vault_id,
            "2023-07-01",
            {"properties": {"enablePurgeProtection": True, "enableSoftDelete": True}},
        )

    def assign_role(self, role_id: str, principal_id: str) -> str:
        """Give a role on the vault; answers the assignment's path."""
        path = f"{self.vault_id}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        definition = f"{self.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"
        properties = {"roleDefinitionId": definition, "principalId": principal_id, "principalType": "ServicePrincipal"}
        self.arm("PUT", path, "2022-04-01", {"properties": properties})
        return path

    def subscribe(self, endpoint: str, *, schema: str = "EventGridSchema", **secret_headers: str) -> None:
        """Send the vault's key events to a webhook, with secret headers on each delivery."""
        path = f"{self.vault_id}/providers/Microsoft.EventGrid/eventSubscriptions/crosskey"
        mappings = [
            {"name": name, "type": "Static", "properties": {"value": value, "isSecret": True}}
            for name, value in secret_headers.items()
        ]
        web_hook = {"endpointUrl": endpoint, "deliveryAttributeMappings": mappings}
        destination = {"endpointType": "WebHook", "properties": web_hook}
        self.arm("PUT", path, "2022-06-15", {"properties": {"destination": destination, "eventDeliverySchema": schema}})

    def consent(self, url: str, *, decision: str = "accept") -> httpx.Response:
        """Open the consent link, decide, and follow the redirect to CrossKey's callback."""
        page = self.http.get(url)
        if page.is_error:
            raise NotReached(f"The consent page answered {page.status_code}: {page.text}")
        return self.http.post(url, data={"decision": decision}, follow_redirects=True)


def event_endpoint(folder: Path) -> str:
    """The Event Grid trigger's address with the host's system key, as an operator would read it in Azure."""
    keys = json.loads((folder / "functions-host.keys.json").read_text(encoding="utf-8"))
    code = keys["systemKeys"]["eventgrid_extension"]
    return f"{names.PUBLIC_URL}/runtime/webhooks/eventgrid?functionName=key_vault_events&code={code}"


def last_call(control: ControlClient) -> int:
    """The sequence number of the newest recorded call, for `calls(after=...)`; 0 when there is none."""
    return max((int(call["sequence"]) for call in control.calls()), default=0)


def announced_about(control: ControlClient, customer_id: str) -> list[dict[str, Any]]:
    """What subscribers of the topic received about a customer, in order."""
    return [event for event in control.topic_events() if event["source"] == f"/customers/{customer_id}"]


def _document(response: httpx.Response) -> Any:
    if response.is_error:
        raise NotReached(f"{response.request.method} {response.request.url} answered {response.text}")
    return response.json() if response.content else None


def members(document: Mapping[str, Any], *path: str) -> Any:
    """Follow member names into a document; None where one is missing."""
    found: Any = document
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found
