"""Dispatch: finds the service of a request by its host, records the call, injects faults, lets the service answer.

One `Edge` serves every imitated service. TLS is terminated by `proxy`, which hands each tunnel to `Edge.protocol`;
the managed identity endpoint, which is plain HTTP on its own port, goes through `Edge.dispatch` as well.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from aiohttp import web

from local.clock import Clock
from local.edge.faults import Fault, Faults, When
from local.edge.record import Call, Record
from local.edge.service import Service

_LOG: Final = logging.getLogger("local.edge")
_MAXIMUM_BODY: Final = 8 * 1024 * 1024


class _ConnectionCut(Exception):
    """The connection ends here without an answer."""


class Edge:
    """Every service behind one dispatcher, with the faults in force and the record of calls."""

    def __init__(self, clock: Clock, services: Sequence[Service]) -> None:
        self.services = list(services)
        self.faults = Faults()
        self.record = Record(clock)
        application = web.Application(client_max_size=_MAXIMUM_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        # Handlers run to their end even when the client has gone, as Azure's do.
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=False, shutdown_timeout=0.5)

    async def start(self) -> None:
        await self._runner.setup()

    async def stop(self) -> None:
        """Let hanging calls go and close every connection."""
        self.faults.clear()
        await self._runner.cleanup()

    def protocol(self) -> asyncio.Protocol:
        """Make the HTTP protocol for one connection."""
        assert self._runner.server is not None, "the edge was not started"
        return self._runner.server()

    def service_for(self, host: str) -> Service | None:
        """Find the service that a host name belongs to."""
        return next((service for service in self.services if service.serves(host)), None)

    def knows_domain(self, host: str) -> bool:
        """Whether the host lies in a service's own domain without existing there, such as a vault nobody made."""
        asked = (getattr(service, "knows_host", None) for service in self.services)
        return any(knows(host) for knows in asked if knows is not None)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0].lower()
        service = self.service_for(host)
        if service is None:
            # A tunnel to a known host may still carry a request for another one.
            return web.json_response({"error": {"code": "MisdirectedRequest", "message": host}}, status=421)
        return await self.dispatch(service, request)

    async def dispatch(self, service: Service, request: web.Request) -> web.StreamResponse:
        """Record, strike, answer."""
        started = perf_counter()
        host = request.host.partition(":")[0].lower()
        operation = service.operation(request)
        call = self.record.begin(
            service=service.name,
            operation=operation,
            method=request.method,
            host=host,
            path=request.path,
            query=request.rel_url.raw_query_string,
            headers=request.headers,
            body=await request.read(),
        )
        response: web.Response | None = None
        try:
            response = await self._strike("before", call, request, None)
            if response is None:
                response = await self._answer(service, request)
                response = await self._strike("after", call, request, response) or response
        except _ConnectionCut:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=499)
        finally:
            call.duration = perf_counter() - started
            if response is not None:
                call.status = response.status
                call.response_headers = response.headers
                call.response_body = response.body if isinstance(response.body, bytes) else b""
        return response

    async def _answer(self, service: Service, request: web.Request) -> web.Response:
        try:
            return await service.handle(request)
        except Exception:  # noqa: BLE001  a process boundary, which logs
            # The boundary of the local Azure: a defect of an imitated service must not look like Azure's own 500.
            _LOG.exception("%s answering %s %s", service.name, request.method, request.path)
            error = {"code": "DefectInLocalAzure", "message": f"{service.name}: {request.method} {request.path}"}
            body = json.dumps({"error": error}).encode()
            return web.Response(status=500, body=body, content_type="application/json")

    async def _strike(
        self, when: When, call: Call, request: web.Request, response: web.Response | None
    ) -> web.Response | None:
        """Apply the faults of this moment; answers what replaces the true answer, if anything does."""
        for fault in self.faults.strike(when, call.service, call.operation, call.host):
            call.fault = fault.identifier
            if fault.kind == "latency":
                await asyncio.sleep(fault.latency_seconds)
            elif fault.kind == "status":
                return fault.answer()
            elif fault.kind == "malformed":
                return fault.garble(response)
            elif fault.kind == "hang":
                await self._hang(fault, request)
                raise _ConnectionCut
            else:
                raise _ConnectionCut
        return None

    async def _hang(self, fault: Fault, request: web.Request) -> None:
        """Say nothing until the client gives up or the fault is removed."""
        # aiohttp has no event for a client that went away, hence the polling.
        while self.faults.holds(fault) and not _is_gone(request):  # noqa: ASYNC110  see above
            await asyncio.sleep(0.02)


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
