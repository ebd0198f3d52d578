"""The HTTP routes of an app: ASP.NET Core route templates as the functions' bindings use them.

`{p}`, `{p?}`, `{p=default}`, `{p:int}` and `{*rest}`, whole segments only; letters compare without case; the most
literal template wins. No match and a wrong method are both 404 in the Functions host, never 405.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from local.functions_host.constraints import Constraint, parse_constraint
from local.functions_host.errors import AppRefused
from local.functions_host.functions import Function

_PARAMETER = re.compile(
    r"\{(?P<all>\*{0,2})(?P<name>\w+)(?P<constraints>(?::(?:[^={}]|\{\{|\}\})+)*)(?P<rest>\?|=[^{}]*)?\}"
)


@dataclass(frozen=True)
class Segment:
    """One segment of a template: literal text, or a parameter."""

    literal: str = ""
    parameter: str = ""
    catch_all: bool = False
    optional: bool = False
    default: str | None = None
    constraints: tuple[Constraint, ...] = ()

    @property
    def precedence(self) -> int:
        """Order among the segments at one place, the most specific first."""
        if not self.parameter:
            return 1
        return (4 if self.catch_all else 2) + (0 if self.constraints else 1)


@dataclass(frozen=True)
class Route:
    """A function's template with the route prefix in front."""

    function: Function
    methods: frozenset[str]
    segments: tuple[Segment, ...]

    @property
    def precedence(self) -> tuple[int, ...]:
        """Sort key: the most specific template first."""
        return tuple(segment.precedence for segment in self.segments)

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """Match a path's decoded segments; gives the parameters that have a value, or None."""
        values: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            if segment.catch_all:
                given = "/".join(parts[index:])
            elif index < len(parts):
                given = parts[index]
            else:
                given = ""
            if not segment.parameter:
                if given.lower() != segment.literal:
                    return None
                continue
            value = given or segment.default or ""
            if not value and not (segment.optional or segment.catch_all):
                return None
            if value:
                if not all(constraint(value) for constraint in segment.constraints):
                    return None
                values[segment.parameter] = value
        if len(parts) > len(self.segments) and not (self.segments and self.segments[-1].catch_all):
            # A trailing slash is an empty last part and does not count.
            return values if len(parts) == len(self.segments) + 1 and not parts[-1] else None
        return values


class RouteTable:
    """All routes of an app."""

    def __init__(self, functions: Iterable[Function], prefix: str) -> None:
        self._routes = sorted((_route(function, prefix) for function in functions), key=lambda route: route.precedence)

    def find(self, method: str, raw_path: str) -> tuple[Function, dict[str, str]] | None:
        """Find the function for a request's still encoded path, with its route parameters."""
        # An encoded slash stays encoded inside its segment, as Kestrel leaves it.
        parts = [unquote(re.sub("%2f", "%252F", part, flags=re.IGNORECASE)) for part in raw_path[1:].split("/")]
        if parts == [""]:
            parts = []
        for route in self._routes:
            if route.methods and method not in route.methods:
                continue
            values = route.match(parts)
            if values is not None:
                return route.function, values
        return None


def _route(function: Function, prefix: str) -> Route:
    settings = function.trigger.settings
    own = settings.get("route")
    template = "/".join(part for part in (prefix, (function.name if own is None else own).strip("/")) if part)
    if template.split("/")[0].lower() in {"admin", "runtime"}:
        raise AppRefused(f"function {function.name}: the host keeps routes under {template.split('/')[0]} for itself")
    segments = tuple(_segment(text, function.name) for text in _split(template))
    if any(segment.catch_all or segment.optional for segment in segments[:-1]):
        raise AppRefused(f"function {function.name}: only a route's last segment may be optional or take the rest")
    return Route(function, frozenset(method.upper() for method in settings.get("methods") or ()), segments)


def _split(template: str) -> list[str]:
    # A slash inside braces belongs to a constraint's pattern; a lone brace stays in its segment, to be refused there.
    return re.findall(r"(?:\{(?:[^{}]|\{\{|\}\})*\}|[^/])+", template)


def _segment(text: str, function: str) -> Segment:
    match = _PARAMETER.fullmatch(text)
    if match is None:
        if "{" in text or "}" in text:
            raise AppRefused(f"function {function}: the route segment {text!r} is not imitated: use whole parameters")
        return Segment(literal=text.lower())
    rest = match["rest"] or ""
    texts = [part for part in re.split(r":(?![^(]*\))", match["constraints"]) if part]
    return Segment(
        parameter=match["name"],
        catch_all=bool(match["all"]),
        optional=rest == "?",
        default=rest[1:] if rest.startswith("=") else None,
        constraints=tuple(parse_constraint(part, function) for part in texts),
    )
