"""The shape of one imitated Azure service, as the edge sees it.

The edge terminates TLS, finds the service by host name, records the call and injects faults around
`handle`; a service only answers as Azure would. Implemented by Entra, Key Vault, Resource Manager,
Event Grid and the forwarder to the Functions host.
"""

from typing import Protocol

from aiohttp import web


class Service(Protocol):
    """One Azure service behind the local edge."""

    name: str

    def serves(self, host: str) -> bool:
        """Whether requests for this host name (lower case, no port) belong to the service."""
        ...

    def operation(self, request: web.Request) -> str:
        """Name the operation for faults and records, such as `GetKey` or `StorageAccounts.Update`."""
        ...

    async def handle(self, request: web.Request) -> web.Response:
        """Answer as the service would; what is not imitated is answered 501 by name."""
        ...
