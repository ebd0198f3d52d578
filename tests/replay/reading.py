"""Whether the adapters read a recorded answer: an observation that agrees with it, or the right error."""

from collections.abc import Awaitable, Callable
from typing import Final

from shared.errors import CrossKeyError
from tests.replay.places import Service, service_of
from tests.replay.read_arm import read_arm
from tests.replay.read_entra import read_entra, read_identity
from tests.replay.read_events import read_delivery, read_topic
from tests.replay.read_tables import read_tables
from tests.replay.read_vault import read_vault
from tests.replay.recordings import Exchange
from tests.replay.verdicts import Said, Verdict, describe, not_ours

_READERS: Final[dict[Service, Callable[[Exchange], Awaitable[Said]]]] = {
    Service.VAULT: read_vault,
    Service.ARM: read_arm,
    Service.ENTRA: read_entra,
    Service.IDENTITY: read_identity,
    Service.TOPIC: read_topic,
    Service.DELIVERY: read_delivery,
    Service.TABLES: read_tables,
}


async def read_answer(exchange: Exchange) -> Said:
    """Read one recorded answer."""
    reader = _READERS.get(service_of(exchange))
    if reader is None:
        return not_ours(f"the app does not call {service_of(exchange)}")
    if not exchange.status and service_of(exchange) is not Service.DELIVERY:
        return not_ours("the quotation has no status")
    try:
        return await reader(exchange)
    except CrossKeyError as error:
        return Said(Verdict.UNREAD, f"{describe(error)}: {error}")
