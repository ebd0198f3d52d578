"""The route class of everything that needs a token: who calls, then what is sent, then FastAPI's own work.

In this order nobody without a token learns anything, and a body is parsed once strictly before pydantic sees it.
"""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from handlers.api.authentication import authenticate
from handlers.api.problems import Problem
from handlers.api.strict_json import parse_object
from shared.errors import BadInput, CrossKeyError


class UnsupportedMediaType(CrossKeyError):
    """The body is not declared as JSON."""

    code = Problem.UNSUPPORTED_MEDIA_TYPE
    status = 415


class StrictRoute(APIRoute):
    """A route for authenticated callers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()
        query = frozenset(_query_parameters(self.dependant))
        takes_body = self.body_field is not None
        needs_body = self.body_field is not None and self.body_field.field_info.is_required()

        async def strict(request: Request) -> Response:
            request.state.caller = await authenticate(
                request.headers.get("authorization"), request.app.state.get_bundle()
            )
            _check_query(request, query)
            await _check_body(request, takes_body=takes_body, needs_body=needs_body)
            return await handle(request)

        return strict


def _query_parameters(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for dependency in dependant.dependencies:
        yield from _query_parameters(dependency)


def _check_query(request: Request, known: frozenset[str]) -> None:
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            expected = ", ".join(sorted(known)) or "none"
            raise BadInput(
                f"This route does not know the query parameter '{name}'; it knows: {expected}.",
                target=name,
                code=Problem.UNKNOWN_QUERY_PARAMETER,
            )
        if names.count(name) > 1:
            raise BadInput(f"Give '{name}' once.", target=name, code=Problem.DUPLICATE_QUERY_PARAMETER)


async def _check_body(request: Request, *, takes_body: bool, needs_body: bool) -> None:
    body = await request.body()
    if not body:
        if needs_body:
            raise BadInput("This route needs a JSON body; see /api/docs.", code=Problem.MISSING_BODY)
        return
    if not _is_json(request.headers.get("content-type", "")):
        raise UnsupportedMediaType("Send the body as Content-Type: application/json.", target="Content-Type")
    members = parse_object(body)
    if members and not takes_body:
        name = next(iter(members))
        raise BadInput(f"This route takes no body, so no '{name}'.", target=name, code=Problem.UNKNOWN_FIELD)


def _is_json(content_type: str) -> bool:
    kind, _, parameters = content_type.partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    return kind.strip().lower() == "application/json" and charset in ("", "charset=utf-8")
