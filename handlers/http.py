"""The HTTP trigger: hands every request under /api to the ASGI application, which is built on the first one.

Access is decided by bearer tokens inside the application, so the trigger itself is anonymous.
"""

from functools import cache
from urllib.parse import quote, unquote_to_bytes

import azure.functions as func

blueprint = func.Blueprint()


@blueprint.function_name("http")
@blueprint.route(route="{*path}", methods=list(func.HttpMethod), auth_level=func.AuthLevel.ANONYMOUS)
async def http(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answer one request."""
    answer: func.HttpResponse = await _middleware().handle_async(_decodable(req), context)
    return answer


@cache
def _middleware() -> func.AsgiMiddleware:
    from handlers.api.app import create_app  # noqa: PLC0415 - the other triggers never load the web framework
    from shared.bootstrap import get_bundle  # noqa: PLC0415 - belongs to the application built here

    return func.AsgiMiddleware(create_app(get_bundle))


def _decodable(req: func.HttpRequest) -> func.HttpRequest:
    """Make a path whose bytes are not UTF-8 decodable, so that it is refused like every other wrong path.

    `AsgiMiddleware` decodes the path strictly, and an error there would be the host's empty 500.
    """
    head, mark, query = req.url.partition("?")
    readable = unquote_to_bytes(head).decode(errors="replace")
    if "\N{REPLACEMENT CHARACTER}" not in readable:
        return req
    return func.HttpRequest(
        req.method, quote(readable, safe=":/") + mark + query, headers=dict(req.headers), body=req.get_body()
    )
