"""Whether the local Azure, brought into the state that a recording shows, answers alike."""

from collections.abc import Callable
from typing import Final

from tests.replay.alike_arm import ask_resource_manager
from tests.replay.alike_entra import ask_entra
from tests.replay.alike_events import ask_topic, compare_delivery
from tests.replay.alike_vault import ask_vault
from tests.replay.comparing import compare_answers
from tests.replay.explained import NotCovered, explain
from tests.replay.places import Service, service_of
from tests.replay.recordings import Exchange
from tests.replay.stage import LocalAnswer, Stage
from tests.replay.verdicts import Said, Verdict

_ASK: Final[dict[Service, Callable[[Stage, Exchange], LocalAnswer]]] = {
    Service.VAULT: ask_vault,
    Service.ARM: ask_resource_manager,
    Service.ENTRA: ask_entra,
    Service.TOPIC: ask_topic,
}
_NOT_IMITATED: Final = {
    Service.HSM: "Managed HSM",
    Service.GRAPH: "Microsoft Graph",
    Service.TABLES: "tables",
    Service.STORAGE: "storage data plane",
    Service.IDENTITY: "virtual machine identity",
    Service.OTHER: "another service",
}


def replay_locally(stage: Stage, exchange: Exchange) -> Said:
    """Seed the local Azure for one exchange, repeat it there, and compare."""
    service = service_of(exchange)
    stage.clear()
    try:
        found = _differences(stage, service, exchange)
    except NotCovered as reason:
        return Said(Verdict.NOT_COVERED, f"{reason.name}: {reason}")
    reasons = {each: explain(service, each) for each in found}
    unexplained = [each for each, reason in reasons.items() if reason is None]
    if unexplained:
        return Said(Verdict.DIFFERS, "; ".join(unexplained))
    if reasons:
        return Said(Verdict.EXPLAINED, "; ".join(f"{each} ({reason})" for each, reason in reasons.items()))
    return Said(Verdict.ALIKE, "")


def _differences(stage: Stage, service: Service, exchange: Exchange) -> list[str]:
    if service in _NOT_IMITATED:
        raise NotCovered(_NOT_IMITATED[service])
    if service is Service.DELIVERY:
        return compare_delivery(stage, exchange)
    if not exchange.status:
        raise NotCovered("disks" if "microsoft.compute" in exchange.path.lower() else "unknown status")
    return compare_answers(exchange, _ASK[service](stage, exchange))
