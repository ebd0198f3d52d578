"""Everything the use cases work with, joined once per worker process by `bootstrap`."""

from dataclasses import dataclass

from shared.ports import (
    Clock,
    KeyVault,
    Notifications,
    Randomness,
    SigningKeys,
    StorageAccounts,
    TenantCredentials,
    WorkQueue,
)
from shared.settings import Settings
from shared.single_flight import SingleFlight
from shared.stores import ClaimStore, FleetStore, StateStore, TimelineStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The ports, the settings, and the one piece of in-process memory: which timelines are being drained here."""

    settings: Settings
    state: StateStore
    claims: ClaimStore
    timeline: TimelineStore
    fleet: FleetStore
    queue: WorkQueue
    vault: KeyVault
    credentials: TenantCredentials
    accounts: StorageAccounts
    notifications: Notifications
    signing_keys: SigningKeys
    clock: Clock
    randomness: Randomness
    drains: SingleFlight
