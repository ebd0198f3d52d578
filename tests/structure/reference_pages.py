"""Writes the tables of the reference pages whose source is the code: reasons, errors, notifications and entries.

    ./dev docs        (which runs: python -m tests.structure.reference_pages)

A table stands between two marks in its page; the text around it is written by hand. The structure tests compare
page and code, so that no reason or error code goes undocumented.
"""

import ast
from collections.abc import Iterable, Iterator
from inspect import getdoc
from pathlib import Path

from handlers.api import problems
from local.entra import service as entra
from local.event_grid import service as event_grid
from local.key_vault import service as key_vault
from local.key_vault.handlers import ROUTES as KEY_VAULT_ROUTES
from local.resource_manager import routes as resource_manager
from shared import errors
from shared.domain import entries, reasons
from tests.replay import explained as replay
from tests.structure.project import ROOT, production_code

BEGIN = "<!-- written by ./dev docs -->"
END = "<!-- end -->"


def error_classes(base: type[errors.CrossKeyError] = errors.CrossKeyError) -> Iterator[type[errors.CrossKeyError]]:
    """The error tree of `shared.errors` without its root, parents first."""
    for child in base.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from error_classes(child)


def narrower_codes() -> dict[str, tuple[int, str]]:
    """Codes given where an error is raised, as `code="..."`, instead of by its class: their status and message."""
    classes = {one.__name__: one for one in error_classes()}
    found: dict[str, tuple[int, str]] = {}
    for path in production_code():
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in classes:
                for keyword in call.keywords:
                    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                        found.setdefault(str(keyword.value.value), (classes[call.func.id].status, _message(call)))
    return found


def reason_table() -> str:
    """One row for each reason."""
    rows = ((f"`{reason}`", reasons.owner_of(reason), reasons.SENTENCES[reason]) for reason in reasons.Reason)
    return _table(("reason", "owner", "meaning"), rows)


def error_table() -> str:
    """One row for each class of the error tree."""
    rows = (
        (f"`{one.code}`", str(one.status), "yes" if one.retryable else "no", (getdoc(one) or "").split("\n\n")[0])
        for one in error_classes()
    )
    return _table(("code", "status", "waiting can help", "meaning"), rows)


def problem_table() -> str:
    """One row for each thing that can be wrong with a request as such."""
    return _table(("code", "meaning"), ((f"`{one}`", problems.MEANINGS[one]) for one in problems.Problem))


def narrower_table() -> str:
    """One row for each code that is given where the error is raised."""
    rows = sorted(narrower_codes().items())
    return _table(("code", "status", "message"), ((f"`{code}`", str(status), text) for code, (status, text) in rows))


def notification_table() -> str:
    """One row for each notification type."""
    rows = ((f"`CrossKey.{one}`", entries.MEANINGS[one]) for one in entries.Notification)
    return _table(("type", "meaning"), rows)


def record_table() -> str:
    """One row for each entry type that is not announced."""
    rows = ((f"`{one}`", entries.MEANINGS[one]) for one in entries.Record)
    return _table(("type", "meaning"), rows)


def local_operation_table() -> str:
    """One row for each operation that the local Azure imitates."""
    served = [
        *(("Resource Manager", route.operation, ", ".join(route.versions)) for route in resource_manager.ROUTES),
        *(("Key Vault", route.operation, ", ".join(key_vault.API_VERSIONS)) for route in KEY_VAULT_ROUTES),
        *(("Microsoft Entra", operation, "") for _, _, operation in entra.ROUTES),
        ("Event Grid", "PublishEvents", event_grid.API_VERSION),
    ]
    rows = ((service, f"`{operation}`", versions) for service, operation, versions in dict.fromkeys(served))
    return _table(("service", "operation", "api-versions"), rows)


def not_covered_table() -> str:
    """One row for each kind of recording that the local Azure does not answer."""
    return _table(
        ("recorded", "why it is not replayed"), sorted(replay.NOT_COVERED.items(), key=lambda row: row[0].lower())
    )


def explained_table() -> str:
    """One row for each known difference from recorded answers."""
    return _table(
        ("service", "what differs", "why"), ((each.service, each.what, each.reason) for each in replay.EXPLAINED)
    )


PAGES = {
    ROOT / "docs" / "reasons.md": (reason_table,),
    ROOT / "docs" / "errors.md": (error_table, problem_table, narrower_table),
    ROOT / "docs" / "notifications.md": (notification_table, record_table),
    ROOT / "docs" / "local-azure.md": (local_operation_table, explained_table, not_covered_table),
}


def rendered(page: Path) -> str:
    """The page's text as it should be: its own, with the tables between the marks made anew."""
    first, *parts = page.read_text(encoding="utf-8").split(BEGIN)
    whole = first
    for make, part in zip(PAGES[page], parts, strict=True):
        whole += f"{BEGIN}\n\n{make()}\n{END}{part.partition(END)[2]}"
    return whole


def _message(call: ast.Call) -> str:
    """The message of a raised error as it stands in the code, with an ellipsis where a value is put in."""
    parts = [node for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant | ast.FormattedValue)]
    inner = {id(node) for part in parts if isinstance(part, ast.FormattedValue) for node in ast.walk(part.value)}
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts if id(part) not in inner
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(rendered(path), encoding="utf-8")
