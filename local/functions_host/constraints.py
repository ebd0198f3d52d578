"""The constraints of route parameters, such as `{id:int}` or `{name:length(1,8)}`, by ASP.NET Core's names."""

import re
import uuid
from collections.abc import Callable
from datetime import datetime

from local.functions_host.errors import AppRefused

type Constraint = Callable[[str], bool]


def _parses(parse: Callable[[str], object]) -> Constraint:
    def check(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return check


def _integer(bits: int) -> Constraint:
    bound = 1 << (bits - 1)
    return lambda value: re.fullmatch(r"[+-]?\d+", value, re.ASCII) is not None and -bound <= int(value) < bound


_number = _parses(float)
_SIMPLE: dict[str, Constraint] = {
    "int": _integer(32),
    "long": _integer(64),
    "bool": lambda value: value.lower() in {"true", "false"},
    "guid": _parses(uuid.UUID),
    "alpha": lambda value: re.fullmatch("[a-zA-Z]*", value) is not None,
    "datetime": _parses(datetime.fromisoformat),
    "decimal": _number,
    "double": _number,
    "float": _number,
    "required": bool,
}
_long = _integer(64)
_WITH_ARGUMENTS: dict[str, Callable[..., Constraint]] = {
    "minlength": lambda low: lambda value: len(value) >= int(low),
    "maxlength": lambda high: lambda value: len(value) <= int(high),
    "length": lambda low, high=None: lambda value: int(low) <= len(value) <= int(high or low),
    "min": lambda low: lambda value: _long(value) and int(value) >= int(low),
    "max": lambda high: lambda value: _long(value) and int(value) <= int(high),
    "range": lambda low, high: lambda value: _long(value) and int(low) <= int(value) <= int(high),
}


def parse_constraint(text: str, function: str) -> Constraint:
    """Parse one constraint; raises AppRefused for one this host does not know."""
    name, _, arguments = text.partition("(")
    if name in _SIMPLE and not arguments:
        return _SIMPLE[name]
    if name == "regex" and arguments.endswith(")"):
        pattern = re.compile(arguments[:-1].replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
        return lambda value: pattern.search(value) is not None
    if name in _WITH_ARGUMENTS and re.fullmatch(r"-?\d+(,\s*-?\d+)?\)", arguments):
        return _WITH_ARGUMENTS[name](*arguments[:-1].split(","))
    raise AppRefused(f"function {function}: the route constraint {text!r} is not imitated")
