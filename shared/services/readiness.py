"""Readiness: asks each dependency once, so that a deployment that cannot work says so before it is needed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from shared.bundle import Bundle
from shared.errors import CrossKeyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One dependency's answer."""

    name: str
    ok: bool
    detail: str


async def check_readiness(bundle: Bundle) -> list[Dependency]:
    """Ask the tables, the queue, Microsoft Entra's signing keys and the managed identity."""
    first = bundle.settings.applications[0]

    async def credential() -> None:
        await bundle.credentials.obtain_assertion(application=first.client_id)

    async def tables() -> None:
        await bundle.fleet.read_sweeps()

    questions: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("tables", tables),
        ("queue", bundle.queue.ping),
        ("signingKeys", lambda: bundle.signing_keys.find("")),
        ("managedIdentity", credential),
    ]
    return [await _ask(name, question) for name, question in questions]


async def _ask(name: str, question: Callable[[], Awaitable[object]]) -> Dependency:
    try:
        await question()
    except CrossKeyError as error:
        return Dependency(name=name, ok=False, detail=f"{error.code}: {error.message}")
    return Dependency(name=name, ok=True, detail="")
