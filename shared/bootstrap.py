"""Joins settings, adapters and ports into one bundle, once per worker process and not before it is needed.

The only place that reads the process environment. Importing this module needs neither settings nor network, and
loads no SDK.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.bundle import Bundle
from shared.settings import Settings
from shared.single_flight import SingleFlight
from shared.telemetry import quieten_libraries

if TYPE_CHECKING:
    from shared.adapters.transport import SharedTransport
    from shared.ports import Clock, Randomness

_bundle: Bundle | None = None
_transport: "SharedTransport | None" = None


def get_bundle() -> Bundle:
    """The process's bundle. Raises `SettingsInvalid` until the settings hold."""
    global _bundle, _transport  # noqa: PLW0603  one bundle per worker process, as its connections are
    if _bundle is None:
        from shared.adapters.transport import SharedTransport  # noqa: PLC0415  loads an SDK

        quieten_libraries()
        settings = Settings.from_mapping(os.environ)
        _transport = SharedTransport()
        _bundle = build_bundle(settings, _transport)
    return _bundle


async def close_bundle() -> None:
    """Close the process's connections and forget the bundle; the next `get_bundle` makes a new one."""
    global _bundle, _transport
    closing, _transport, _bundle = _transport, None, None
    if closing is not None:
        await closing.shut_down()


def build_bundle(
    settings: Settings | Mapping[str, str],
    transport: "SharedTransport",
    *,
    clock: "Clock | None" = None,
    randomness: "Randomness | None" = None,
) -> Bundle:
    """Build a bundle on a transport, which the caller shuts down. No request is made here."""
    # SDKs are imported here and not above, so that a process that is only indexed does not pay for them.
    from shared.adapters.claims_table import ClaimsTable  # noqa: PLC0415
    from shared.adapters.credentials import Credentials  # noqa: PLC0415
    from shared.adapters.fleet_table import FleetTable  # noqa: PLC0415
    from shared.adapters.key_vault import AzureKeyVault  # noqa: PLC0415
    from shared.adapters.notifications import EventGridTopic  # noqa: PLC0415
    from shared.adapters.process import SystemClock, SystemRandomness  # noqa: PLC0415
    from shared.adapters.signing_keys import EntraSigningKeys  # noqa: PLC0415
    from shared.adapters.state_table import StateTable  # noqa: PLC0415
    from shared.adapters.storage_accounts import ResourceManagerStorage  # noqa: PLC0415
    from shared.adapters.tables import Tables  # noqa: PLC0415
    from shared.adapters.timeline_table import TimelineTable  # noqa: PLC0415
    from shared.adapters.work_queue import StorageWorkQueue  # noqa: PLC0415

    if not isinstance(settings, Settings):
        settings = Settings.from_mapping(settings)
    clock = clock or SystemClock()
    randomness = randomness or SystemRandomness()
    credentials = Credentials(settings, transport)
    own = credentials.identity(settings.identity_client_id)
    storage_identity = credentials.identity(settings.storage.client_id or settings.identity_client_id)
    tables = Tables(settings.storage, transport, storage_identity)
    return Bundle(
        settings=settings,
        state=StateTable(tables, randomness),
        claims=ClaimsTable(tables),
        timeline=TimelineTable(tables),
        fleet=FleetTable(tables),
        queue=StorageWorkQueue(settings.storage, transport, storage_identity),
        vault=AzureKeyVault(credentials, transport, settings.cloud),
        credentials=credentials,
        accounts=ResourceManagerStorage(own, transport, settings.cloud),
        notifications=EventGridTopic(settings.topic_endpoint, own, transport),
        signing_keys=EntraSigningKeys(transport, settings.cloud, clock),
        clock=clock,
        randomness=randomness,
        drains=SingleFlight(),
    )
