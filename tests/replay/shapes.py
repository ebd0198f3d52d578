"""The structure of JSON values and of answers, and where two of them differ. Values themselves do not count."""

from typing import Any, Final

_NAMED_BY_USERS: Final = frozenset({"tags", "userAssignedIdentities"})
"""Objects whose member names are somebody's data; their values are compared as those of a list."""


def differences(recorded: Any, ours: Any, path: str = "$") -> list[str]:
    """Where our value differs in members, their casing, or types; each as `path: what`."""
    theirs_is, ours_is = kind(recorded), kind(ours)
    if theirs_is != ours_is:
        return [f"{path}: Azure has {theirs_is}, ours {ours_is}"]
    if isinstance(recorded, list):
        return differences(_merged(recorded), _merged(ours), f"{path}[]") if recorded and ours else []
    if not isinstance(recorded, dict):
        return []
    if path.rpartition(".")[2] in _NAMED_BY_USERS:
        return differences([*recorded.values()], [*ours.values()], path)
    found: list[str] = []
    for name in sorted({*recorded, *ours}):
        if name not in ours:
            found.append(f"{path}.{name}: Azure alone")
        elif name not in recorded:
            found.append(f"{path}.{name}: ours alone")
        else:
            found += differences(recorded[name], ours[name], f"{path}.{name}")
    return found


def kind(value: Any) -> str:
    """The JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def member_paths(value: Any, path: str = "$") -> set[str]:
    """Every member's path."""
    if isinstance(value, list):
        return {found for each in value for found in member_paths(each, f"{path}[]")}
    if not isinstance(value, dict):
        return set()
    if path.rpartition(".")[2] in _NAMED_BY_USERS:
        return set()
    return {f"{path}.{name}" for name in value} | {
        found for name, each in value.items() for found in member_paths(each, f"{path}.{name}")
    }


def _merged(values: list[Any]) -> Any:
    """One value with the members of all; the first one where they are no objects."""
    if not all(isinstance(each, dict) for each in values):
        return values[0]
    made: dict[str, Any] = {}
    for each in values:
        made = {**each, **made}
    return made
