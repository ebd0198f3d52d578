"""Reads a request body as strictly as JSON allows: one object, UTF-8, no member twice, no NaN, no NUL, no deep nesting.

What Python's reader would let through here would otherwise be guessed at (which of two members counts?) or fail
much later, when a table or an answer cannot hold the text.
"""

import json
from typing import Any

from handlers.api.problems import Problem
from shared.errors import BadInput

MAX_DEPTH = 8


class _DuplicateMember(ValueError):
    """A member is there twice."""


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse one JSON object. Raises `BadInput`."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_members, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _nested_too_deeply() from error
    except _DuplicateMember as error:
        raise BadInput(
            f"Reading the body: the member '{error}' is there twice; send it once.",
            target=str(error),
            code=Problem.DUPLICATE_MEMBER,
        ) from error
    except ValueError as error:
        # UnicodeDecodeError, JSONDecodeError and over-long integers are all kinds of it.
        raise _malformed() from error
    if not isinstance(value, dict):
        raise _malformed()
    _check(value, depth=1)
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _DuplicateMember(name if _is_readable(name) else "")
        members[name] = value
    return members


def _refuse_constant(constant: str) -> Any:
    raise ValueError(constant)


def _check(value: Any, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _nested_too_deeply()
    if isinstance(value, str) and not _is_readable(value):
        raise BadInput(
            "Reading the body: a text holds a NUL or half of a surrogate pair.", code=Problem.UNREADABLE_TEXT
        )
    if isinstance(value, dict):
        for name, member in value.items():
            _check(name, depth=depth)
            _check(member, depth=depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth=depth + 1)


def _is_readable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _malformed() -> BadInput:
    return BadInput("Reading the body: it must be one JSON object in UTF-8.", code=Problem.MALFORMED_JSON)


def _nested_too_deeply() -> BadInput:
    return BadInput(f"Reading the body: it is nested more than {MAX_DEPTH} deep.", code=Problem.NESTED_TOO_DEEPLY)
