"""`ControlClient`: what tests, the demo and scripts use to drive a running local Azure. Synchronous and typed."""

from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import httpx

from local import names


class ControlRefused(RuntimeError):
    """The control API refused a request; the text is its explanation."""


class ControlClient:
    """A client of the control API at `url`. Close it, or use it as a context manager."""

    def __init__(self, url: str) -> None:
        # Moving the clock waits for the children; everything else answers at once. No proxy: it is on loopback.
        self._http = httpx.Client(base_url=url, timeout=60.0, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send one request; answers its document (None for 204), raises `ControlRefused`."""
        wanted = {name: value for name, value in query.items() if value is not None}
        response = self._http.request(method, path, json=body, params=wanted)
        if response.is_error:
            raise ControlRefused(f"{method} {path}: {response.status_code} {response.text}")
        return None if response.status_code == 204 else response.json()

    # Time

    def now(self) -> datetime:
        """World time."""
        return datetime.fromisoformat(self.request("GET", "/clock")["now"])

    def advance(self, by: timedelta) -> datetime:
        """Move world time forward; answers the new time when Azurite and the Functions host follow."""
        answer = self.request("POST", "/clock", {"advanceSeconds": by.total_seconds()})
        return datetime.fromisoformat(answer["now"])

    # Faults and the record of calls

    def add_fault(self, kind: str, **members: Any) -> str:
        """Inject a fault, with the members of the control API's `FaultSpec` in camelCase; answers its id."""
        return str(self.request("POST", "/faults", {"kind": kind, **members})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force, with how often each struck."""
        return list(self.request("GET", "/faults"))

    def remove_fault(self, identifier: str) -> None:
        self.request("DELETE", f"/faults/{identifier}")

    def clear_faults(self) -> None:
        self.request("DELETE", "/faults")

    def calls(
        self, *, after: int = 0, service: str | None = None, operation: str | None = None
    ) -> list[dict[str, Any]]:
        """The recorded calls, in order."""
        return list(self.request("GET", "/calls", after=after, service=service, operation=operation))

    def forget_calls(self) -> None:
        self.request("DELETE", "/calls")

    # The Functions host, and everything

    def host(self) -> dict[str, Any]:
        """Whether the Functions host runs, its process id and address."""
        return dict(self.request("GET", "/host"))

    def kill_host(self) -> None:
        self.request("POST", "/host/kill")

    def start_host(self) -> None:
        self.request("POST", "/host/start")

    def restart_host(self) -> None:
        self.request("POST", "/host/restart")

    def reset(self) -> None:
        """Return to the first state. Azurite keeps its data."""
        self.request("POST", "/reset")

    # What exists; bodies have the members of the control API's models, in camelCase

    def put_tenant(self, tenant_id: str, display_name: str) -> None:
        self.request("PUT", f"/tenants/{tenant_id}", {"displayName": display_name})

    def put_service_principal(
        self, tenant_id: str, client_id: str = names.POOL_CLIENT_ID, **members: Any
    ) -> dict[str, Any]:
        """Install an application without consent, or disable (`enabled=False`) or block it."""
        return dict(self.request("PUT", f"/tenants/{tenant_id}/servicePrincipals/{client_id}", members))

    def service_principal(self, tenant_id: str, client_id: str = names.POOL_CLIENT_ID) -> dict[str, Any]:
        """An application's presence in a tenant, with the object id that roles are given to."""
        return dict(self.request("GET", f"/tenants/{tenant_id}/servicePrincipals/{client_id}"))

    def remove_service_principal(self, tenant_id: str, client_id: str = names.POOL_CLIENT_ID) -> None:
        self.request("DELETE", f"/tenants/{tenant_id}/servicePrincipals/{client_id}")

    def put_application(self, client_id: str, **members: Any) -> dict[str, Any]:
        return dict(self.request("PUT", f"/applications/{client_id}", members))

    def put_identity(self, **members: Any) -> dict[str, Any]:
        return dict(self.request("PUT", "/managedIdentities", members))

    def put_federated_credential(self, **members: Any) -> dict[str, Any]:
        return dict(self.request("PUT", "/federatedCredentials", members))

    def remove_federated_credential(self, client_id: str, name: str) -> None:
        self.request("DELETE", f"/federatedCredentials/{client_id}/{name}")

    def put_vault(self, name: str, **members: Any) -> dict[str, Any]:
        """Create a vault (needs `tenantId`) or change the members that are given."""
        return dict(self.request("PUT", f"/vaults/{name}", members))

    def put_storage_account(self, resource_id: str, **members: Any) -> dict[str, Any]:
        """Create an account with Microsoft-managed keys; answers its document."""
        return dict(self.request("PUT", "/storageAccounts", {"resourceId": resource_id, **members}))

    def grant(self, principal_id: str, role: str, scope: str) -> None:
        """Give a role, in effect at once."""
        self.request("PUT", "/roleAssignments", {"principalId": principal_id, "role": role, "scope": scope})

    def revoke(self, principal_id: str, role: str, scope: str) -> None:
        """Take a role away."""
        self.request("DELETE", "/roleAssignments", principal_id=principal_id, role=role, scope=scope)

    def put_event_subscription(self, **members: Any) -> dict[str, Any]:
        """Subscribe a webhook to a vault's events; the handshake is done before this returns."""
        return dict(self.request("PUT", "/eventSubscriptions", members))

    def change_event_grid(self, **members: Any) -> None:
        """Deliver copies, out of order, or nothing for now (`copies`, `shuffled`, `held`)."""
        self.request("PUT", "/eventGrid", members)

    # Tokens and what happened

    def token(self, tenant: str, *roles: str, audience: str = names.API_CLIENT_ID, **members: Any) -> str:
        """A bearer token: by default for the API, with the roles named."""
        return str(self.token_answer(tenant, *roles, audience=audience, **members)["accessToken"])

    def token_answer(
        self, tenant: str, *roles: str, audience: str = names.API_CLIENT_ID, **members: Any
    ) -> dict[str, Any]:
        """The same with whose it is (`objectId`) and until when."""
        body = {"tenant": tenant, "roles": list(roles), "audience": audience, **members}
        return dict(self.request("POST", "/tokens", body))

    def topic_events(self) -> list[dict[str, Any]]:
        """What subscribers of the notification topic received, in order."""
        return list(self.request("GET", "/topic/events"))

    def world(self) -> dict[str, Any]:
        """Addresses, and counts of everything."""
        return dict(self.request("GET", "/world"))
