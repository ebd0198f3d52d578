"""Pages of lists: opaque continuation tokens and the links that hold them."""

import base64
import binascii
from urllib.parse import urlencode

from handlers.api.problems import Problem
from shared.errors import BadInput


def write_token(last: str) -> str:
    """Make a token of the id after which the next page begins."""
    return base64.urlsafe_b64encode(last.encode()).rstrip(b"=").decode()


def read_token(token: str) -> str:
    """Read a token. Raises `BadInput`."""
    try:
        last = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise malformed_token() from error
    if write_token(last) != token:
        raise malformed_token()
    return last


def malformed_token() -> BadInput:
    """The error for a token that no answer held."""
    return BadInput(
        "The continuation token must be the one that nextLink held.",
        target="continuationToken",
        code=Problem.CONTINUATION_TOKEN_MALFORMED,
    )


def next_link(public_url: str, path: str, last: str, **parameters: str | int | None) -> str:
    """The URL of the next page, with the same filters."""
    query = {name: value for name, value in parameters.items() if value is not None}
    return f"{public_url}/api{path}?{urlencode({**query, 'continuationToken': write_token(last)})}"
