"""Composes the local Azure: one `LocalWorld` holds the services, the edge, the control API and the child processes.

Used by the command line, the demo and the tests, always as an async context manager. What a client needs to live
in this world is in `client_environment`; what the app needs is in `app_environment`.
"""

import asyncio
import json
import secrets
import tempfile
from base64 import b64encode
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from local import names
from local.app import ROOT, AppService, FunctionsHost
from local.azurite import Azurite
from local.clock import Clock
from local.edge.ca import CertificateAuthority
from local.edge.proxy import Proxy
from local.edge.server import Edge
from local.edge.service import Service
from local.entra.service import EntraService
from local.event_grid.service import EventGridService
from local.key_vault.service import KeyVaultService
from local.managed_identity import ManagedIdentityEndpoint, ManagedIdentityService
from local.resource_manager.service import ResourceManagerService
from local.seed import new_world, reset_world

# Azurite reads the clock file at most 10 ms late.
_AZURITE_LAG_SECONDS: Final = 0.015


class _Part(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class LocalWorld:
    """A running local Azure. `app_folder` None leaves the Functions host out, `with_azurite` False the storage."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        app_folder: Path | None = ROOT,
        with_azurite: bool = True,
        azurite_data: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._stack = AsyncExitStack()
        if folder is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="crosskey-local-")))
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.clock = Clock(self.folder / "clock")
        self.clock.reset()
        self.world = new_world(self.clock)
        self.event_grid = EventGridService(self.world)
        self.services: list[Service] = [
            EntraService(self.world),
            KeyVaultService(self.world),
            ResourceManagerService(self.world),
            self.event_grid,
        ]
        self.edge = Edge(self.clock, self.services)
        self.authority = CertificateAuthority(self.folder / "certificates")
        self.proxy = Proxy(self.edge, self.authority)
        self.identity_service = ManagedIdentityService(self.world)
        self.identity_endpoint = ManagedIdentityEndpoint(self.edge, self.identity_service)
        # The control API's handlers are typed with this class, so their module can only be imported here.
        from local.control.server import ControlServer  # noqa: PLC0415  see above

        self.control = ControlServer(self)
        self.azurite: Azurite | None = None
        self._with_azurite = with_azurite
        self._azurite_data = azurite_data
        self.functions_host: FunctionsHost | None = None
        self._app_folder = app_folder
        self._settings = dict(settings or {})
        self._signing_key = b64encode(secrets.token_bytes(32)).decode("ascii")

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    async def _start(self) -> None:
        """Start everything; what was started is stopped in the opposite order."""
        # Azurite takes longest, so it comes up beside everything else.
        azurite = asyncio.create_task(self.start_azurite()) if self._with_azurite else None
        try:
            parts: tuple[_Part, ...] = (self.edge, self.proxy, self.identity_endpoint)
            for part in parts:
                self._stack.push_async_callback(part.stop)
                await part.start()
            self.world.proxy_url = self.proxy.url
            self.world.ca_file = self.authority.file
        finally:
            if azurite is not None:
                await azurite
        if self._app_folder is not None:
            self.functions_host = FunctionsHost(
                self.clock, self.folder, app_folder=self._app_folder, settings=self.app_environment()
            )
        app_service = AppService(self.functions_host)
        self.services.append(app_service)
        self.edge.services.append(app_service)
        for service in (*self.services, self.control):
            # Only services with tasks in the background have these.
            start, stop = getattr(service, "start", None), getattr(service, "stop", None)
            if stop is not None:
                self._stack.push_async_callback(stop)
            if start is not None:
                await start()
        if self.functions_host is not None:
            self._stack.push_async_callback(self.functions_host.stop)
            await self.functions_host.start()

    async def start_azurite(self) -> Azurite:
        """Start the storage if it does not run; tests that need it late call this themselves."""
        if self.azurite is None:
            self.azurite = Azurite(self.clock, self.folder, data_folder=self._azurite_data)
            self._stack.push_async_callback(self.azurite.stop)
            await self.azurite.start()
        return self.azurite

    def client_environment(self) -> dict[str, str]:
        """The environment of any client (SDK, Azure CLI, curl) that shall live in this world."""
        authority = str(self.authority.file)
        return {
            "HTTPS_PROXY": self.proxy.url,
            "https_proxy": self.proxy.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "SSL_CERT_FILE": authority,
            "REQUESTS_CA_BUNDLE": authority,
        }

    def app_environment(self) -> dict[str, str]:
        """The app's settings, as its Functions host gets them."""
        applications: list[dict[str, Any]] = [
            {
                "name": names.POOL_NAME,
                "clientId": names.POOL_CLIENT_ID,
                "identityClientId": names.KEYS_IDENTITY_CLIENT_ID,
                "identityResourceId": names.KEYS_IDENTITY_RESOURCE_ID,
            }
        ]
        return {
            **self.client_environment(),
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AzureWebJobsStorage": self.azurite.connection_string if self.azurite is not None else "",
            "IDENTITY_ENDPOINT": self.identity_endpoint.url,
            "IDENTITY_HEADER": self.identity_service.header,
            "CROSSKEY_PROVIDER_TENANT_ID": names.PROVIDER_TENANT_ID,
            "CROSSKEY_API_CLIENT_ID": names.API_CLIENT_ID,
            "CROSSKEY_APPLICATIONS": json.dumps(applications),
            "CROSSKEY_IDENTITY_CLIENT_ID": names.APP_IDENTITY_CLIENT_ID,
            "CROSSKEY_TOPIC_ENDPOINT": names.TOPIC_ENDPOINT,
            "CROSSKEY_PUBLIC_URL": names.PUBLIC_URL,
            "CROSSKEY_SIGNING_KEY": self._signing_key,
            "CROSSKEY_SUBSCRIPTIONS": names.PROVIDER_SUBSCRIPTION_ID,
            "CROSSKEY_SWEEP_SCHEDULE": names.SWEEP_SCHEDULE,
            **self._settings,
        }

    def ready(self) -> dict[str, Any]:
        """What a newcomer or a script needs to know of a running world."""
        return {
            "api": f"{self.functions_host.url}/api" if self.functions_host is not None else None,
            "publicUrl": names.PUBLIC_URL,
            "control": self.control.url,
            "controlDocs": f"{self.control.url}/docs",
            "proxy": self.proxy.url,
            "topic": names.TOPIC_ENDPOINT,
            "caFile": str(self.authority.file),
            "storage": self.azurite.connection_string if self.azurite is not None else None,
            "environment": self.client_environment(),
            "token": {
                "method": "POST",
                "url": f"{self.control.url}/tokens",
                "body": {"tenant": "provider", "roles": ["CrossKey.Operator"]},
                "answer": "accessToken",
            },
        }

    async def advance(self, by: timedelta) -> None:
        """Move world time forward; returns when Azurite and the Functions host follow."""
        self.clock.advance(by)
        await self._follow_clock()

    async def reset(self) -> None:
        """Return to the first state: real time, the provider's side, no faults, no record. Azurite keeps its data."""
        reset_world(self.world)
        self.edge.faults.clear()
        self.edge.record.clear()
        for service in self.services:
            forget = getattr(service, "reset", None)
            if forget is not None:
                forget()
        await self._follow_clock()

    async def _follow_clock(self) -> None:
        if self.azurite is not None:
            await asyncio.sleep(_AZURITE_LAG_SECONDS)
        if self.functions_host is not None:
            await self.functions_host.follow_clock()
