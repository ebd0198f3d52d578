"""A running world with the app in it, and customers: each fresh, with a tenant, a vault and a key of its own."""

import itertools
import time
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import httpx

from local import names
from local.actors import Administrator, NotReached, Portal, announced_about, event_endpoint, last_call, wait_until
from tests.running_world import RunningWorld
from tests.scenario.log import AppLog
from tests.scenario.storage import Storage

KEY_ROLE = "Key Vault Crypto Service Encryption User"
SWEEP = timedelta(minutes=5)
_numbers = itertools.count(1)


@dataclass(kw_only=True)
class Customer:
    """A customer, his administrator, and where he is in the API."""

    scene: "Scene"
    id: str
    number: int
    tenant_id: str
    administrator: Administrator
    versions: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/customers/{self.id}"

    @property
    def key_identifier(self) -> str:
        return f"{self.administrator.vault_uri}/keys/cmk"

    def account_id(self, number: int = 1) -> str:
        """ARM id of one of the accounts that may hold his data."""
        return f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.Storage/storageAccounts/data{self.number}x{number}"

    def register_key(self, identifier: str | None = None, **members: Any) -> httpx.Response:
        body = {
            "keyIdentifier": identifier or self.key_identifier,
            "vaultResourceId": self.administrator.vault_id,
            **members,
        }
        return self.scene.portal.http.put(f"{self.path}/keys/primary", json=body)

    def key(self) -> dict[str, Any]:
        return dict(self.scene.portal.call("GET", f"{self.path}/keys/primary"))

    def verify(self) -> dict[str, Any]:
        return dict(self.scene.portal.call("POST", f"{self.path}/keys/primary/verify"))

    def prove(self) -> None:
        """Tag the key as the API says, which proves that the customer controls it."""
        tag = self.key()["ownership"]["tag"]
        self.administrator.update_key("cmk", tags={tag["name"]: tag["value"]})

    def create_account(self, number: int = 1) -> str:
        """Make an account on Microsoft-managed keys; answers its id."""
        account = self.account_id(number)
        self.scene.control.put_storage_account(account)
        return account

    def begin_protecting(self, name: str = "data", number: int = 1) -> str:
        """Ask that an account be protected; answers the operation."""
        body = {"resourceId": self.account_id(number), "key": "primary"}
        return self.scene.portal.begin("PUT", f"{self.path}/resources/{name}", body)

    def protect(self, name: str = "data", number: int = 1) -> None:
        self.create_account(number)
        operation = self.scene.portal.finish(self.begin_protecting(name, number))
        assert operation["status"] == "Succeeded", operation

    def resource(self, name: str = "data") -> dict[str, Any]:
        return dict(self.scene.portal.call("GET", f"{self.path}/resources/{name}"))

    def rotate(self) -> str:
        self.versions.append(self.administrator.rotate_key("cmk"))
        return self.versions[-1]

    def announced(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Notifications about this customer, as subscribers received them; of one type if named."""
        events = announced_about(self.scene.control, self.id)
        return [event for event in events if kind is None or event["type"] == f"CrossKey.{kind}"]

    def timeline(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        link: str | None = f"/api{self.path}/timeline?top=100"
        while link is not None:
            page = self.scene.portal.call("GET", httpx.URL(link).raw_path.decode().removeprefix("/api"))
            entries += page["value"]
            link = page["nextLink"]
        return entries

    def timeline_is_whole(self) -> None:
        """The chain holds, and no number is missing or there twice."""
        self.scene.settle()
        integrity = self.scene.portal.call("GET", f"{self.path}/timeline/integrity")
        assert integrity["intact"], integrity
        assert [entry["sequence"] for entry in self.timeline()] == list(range(1, integrity["entries"] + 1))

    def wait_for_version(self, version: str, name: str = "data", *, within_seconds: float = 30.0) -> dict[str, Any]:
        """Wait until CrossKey confirmed a version in use; answers the resource."""

        def moved() -> dict[str, Any] | None:
            found = self.resource(name)
            observed = found["observed"]
            return found if observed is not None and observed["versionInUse"] == version else None

        return wait_until(moved, f"{self.id} to be on version {version}", within_seconds=within_seconds)


class Scene:
    """The world as tests use it. A context manager that closes what it opened; the world itself stays."""

    def __init__(self, azure: RunningWorld) -> None:
        self.azure = azure
        self.control = azure.control
        assert azure.local.azurite is not None
        assert azure.local.functions_host is not None
        self.app_url = azure.local.functions_host.url
        self.portal = self.portal_of("provider", "CrossKey.Operator")
        self.storage = Storage(azure.local.azurite.connection_string)
        self.log = AppLog(azure.local.folder / "functions-host.log")
        self._administrators: list[Administrator] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.storage.close()
        self.portal.http.close()
        for administrator in self._administrators:
            administrator.http.close()

    def portal_of(self, tenant: str, *roles: str, **members: Any) -> Portal:
        """A caller of the API with these roles in a tenant; close it, or use it as a context manager."""
        return Portal(f"{self.app_url}/api", lambda: self.control.token(tenant, *roles, **members))

    @property
    def event_endpoint(self) -> str:
        """Where Event Grid delivers vaults' events."""
        return event_endpoint(self.azure.local.folder)

    def customer(self, *, registered: bool = True, tenant: str | None = None) -> Customer:
        """A fresh customer who consented and whose vault is fit; his key exists and is not registered.

        `tenant` is one that exists, such as the provider's own; without it he has a tenant of his own.
        """
        number = next(_numbers)
        customer_id, tenant_id = f"customer-{number}", tenant or f"30000000-0000-4000-8000-{number:012x}"
        administrator = Administrator(
            self.control,
            tenant_id=tenant_id,
            subscription_id=f"31000000-0000-4000-8000-{number:012x}",
            vault=f"vault-{number}",
            proxy=self.azure.proxy_url,
            ca_file=self.azure.ca_file,
        )
        self._administrators.append(administrator)
        customer = Customer(scene=self, id=customer_id, number=number, tenant_id=tenant_id, administrator=administrator)
        if tenant is None:
            self.control.put_tenant(tenant_id, f"Customer {number}")
        principal = self.control.put_service_principal(tenant_id)["objectId"]
        self.control.put_vault(
            administrator.vault, tenantId=tenant_id, resourceId=administrator.vault_id, purgeProtection=True
        )
        self.control.grant(principal, KEY_ROLE, administrator.vault_id)
        customer.versions.append(administrator.create_key("cmk"))
        if registered:
            body = {"displayName": f"Customer {number}", "tenantId": tenant_id}
            self.portal.call("PUT", customer.path, body)
        return customer

    def ready_customer(self, *, tenant: str | None = None) -> Customer:
        """A customer who is active: consent granted, key verified and his."""
        customer = self.customer(tenant=tenant)
        assert customer.register_key().status_code == 201
        customer.prove()
        key = customer.verify()
        assert key["verification"]["state"] == "verified", key
        self.wait_for_phase(customer, "active")
        return customer

    def protected_customer(self) -> Customer:
        """A ready customer with one protected account `data`; his vault's events come to CrossKey."""
        customer = self.ready_customer()
        customer.protect()
        customer.administrator.subscribe(self.event_endpoint)
        return customer

    def wait_for_phase(self, customer: Customer, phase: str) -> None:
        wait_until(lambda: self.portal.call("GET", customer.path)["phase"] == phase, f"{customer.id} to be {phase}")

    def last_call(self) -> int:
        return last_call(self.control)

    def updates(self, account_id: str, *, after: int = 0) -> list[dict[str, Any]]:
        """The updates of an account that Resource Manager was asked for."""
        calls = self.control.calls(after=after, service="arm")
        return [call for call in calls if call["method"] == "PATCH" and call["path"].lower() == account_id.lower()]

    def sweep(self) -> None:
        """Let the timer's next sweep come, and wait until it and all it began ended.

        The one after it is almost five minutes away, so that none falls into what a test does next.
        """
        before = self.log.position()
        now = self.control.now().timestamp()
        self.control.advance(timedelta(seconds=SWEEP.total_seconds() - now % SWEEP.total_seconds() + 1))
        wait_until(
            lambda: self.log.count("WorkDone", after=before, kind="sweepRange") > 0, "a sweep", within_seconds=30
        )
        self.settle()

    def rest(self) -> None:
        """Let everything that was put off for some minutes be done, and the next sweep be far away."""
        self.control.advance(timedelta(minutes=10))
        self.settle()
        self.sweep()

    def settle(self, *, within_seconds: float = 60.0) -> None:
        """Wait until nothing is being performed and nothing could be taken from the queue; delayed work may remain."""
        quiet_since: float | None = None
        deadline = time.monotonic() + within_seconds
        while quiet_since is None or time.monotonic() - quiet_since < 0.3:
            if self.log.running() or self.storage.visible_messages():
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            if time.monotonic() > deadline:
                raise NotReached(f"The app does not come to rest; it performs {self.log.running()}.")
            time.sleep(0.05)

    def kill_host(self) -> None:
        """End the Functions host as a crash would."""
        self.control.kill_host()
        self.log.host_was_killed()

    def deliver(self, *events: Any, as_one: bool = False) -> httpx.Response:
        """Post events to the trigger's webhook, as Event Grid would."""
        url = self.event_endpoint.replace(names.PUBLIC_URL, self.app_url)
        body = events[0] if as_one else list(events)
        return httpx.post(url, json=body, headers={"aeg-event-type": "Notification"}, timeout=60, trust_env=False)
