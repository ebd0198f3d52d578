"""Fakes of every port, for unit tests and for the contract suites that hold them to what the adapters do.

`make_world()` gives them typed and joined; `make_bundle()` is for tests that need no more than a bundle.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

from shared.bundle import Bundle
from shared.settings import Settings
from shared.single_flight import SingleFlight
from tests.fakes.accounts import FakeStorageAccounts
from tests.fakes.process import START, FakeClock, FakeCredentials, FakeNotifications, FakeRandomness, FakeSigningKeys
from tests.fakes.state import FakeClaimStore, FakeStateStore
from tests.fakes.timeline import FakeFleetStore, FakeTimelineStore, FakeWorkQueue
from tests.fakes.vault import FakeKeyVault, FakeVault

__all__ = [
    "API_CLIENT_ID",
    "APPLICATION",
    "CUSTOMER_TENANT",
    "IDENTITY",
    "PROVIDER_TENANT",
    "START",
    "SUBSCRIPTION",
    "FakeClaimStore",
    "FakeClock",
    "FakeCredentials",
    "FakeFleetStore",
    "FakeKeyVault",
    "FakeNotifications",
    "FakeRandomness",
    "FakeSigningKeys",
    "FakeStateStore",
    "FakeStorageAccounts",
    "FakeTimelineStore",
    "FakeVault",
    "FakeWorkQueue",
    "FakeWorld",
    "make_bundle",
    "make_settings",
    "make_world",
]

PROVIDER_TENANT = "10000000-0000-4000-8000-000000000001"
CUSTOMER_TENANT = "20000000-0000-4000-8000-000000000002"
API_CLIENT_ID = "30000000-0000-4000-8000-000000000003"
APPLICATION = "40000000-0000-4000-8000-000000000004"
SUBSCRIPTION = "50000000-0000-4000-8000-000000000005"
IDENTITY_CLIENT_ID = "60000000-0000-4000-8000-000000000006"
IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-crosskey"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/crosskey-keys"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeWorld:
    """A bundle of fakes, each under its own type."""

    bundle: Bundle
    state: FakeStateStore
    claims: FakeClaimStore
    timeline: FakeTimelineStore
    fleet: FakeFleetStore
    queue: FakeWorkQueue
    vault: FakeKeyVault
    credentials: FakeCredentials
    accounts: FakeStorageAccounts
    notifications: FakeNotifications
    signing_keys: FakeSigningKeys
    clock: FakeClock
    randomness: FakeRandomness


def make_settings(**changes: str) -> Settings:
    """Valid settings; `changes` replaces values by their names in the environment."""
    pool = {
        "name": "pool-a",
        "clientId": APPLICATION,
        "identityClientId": IDENTITY_CLIENT_ID,
        "identityResourceId": IDENTITY,
    }
    return Settings.from_mapping(
        {
            "AzureWebJobsStorage": "UseDevelopmentStorage=true",
            "CROSSKEY_PROVIDER_TENANT_ID": PROVIDER_TENANT,
            "CROSSKEY_API_CLIENT_ID": API_CLIENT_ID,
            "CROSSKEY_APPLICATIONS": json.dumps([pool]),
            "CROSSKEY_IDENTITY_CLIENT_ID": IDENTITY_CLIENT_ID,
            "CROSSKEY_TOPIC_ENDPOINT": "https://crosskey-notifications.westeurope-1.eventgrid.azure.net/api/events",
            "CROSSKEY_PUBLIC_URL": "https://crosskey.azurewebsites.net",
            "CROSSKEY_SIGNING_KEY": base64.b64encode(bytes(range(32))).decode(),
            "CROSSKEY_SUBSCRIPTIONS": SUBSCRIPTION,
            "CROSSKEY_SWEEP_SCHEDULE": "0 */5 * * * *",
            **changes,
        }
    )


def make_world(settings: Settings | None = None, *, clock: FakeClock | None = None) -> FakeWorld:
    """Fresh fakes, joined: the vaults know the credentials, the storage accounts know the vaults."""
    settings = settings or make_settings()
    clock = clock or FakeClock()
    credentials = FakeCredentials(clock, is_ours=lambda application: settings.application(application) is not None)
    vault = FakeKeyVault(clock, credentials, home_tenant=settings.provider_tenant_id)
    fakes: dict[str, Any] = {
        "state": FakeStateStore(),
        "claims": FakeClaimStore(),
        "timeline": FakeTimelineStore(),
        "fleet": FakeFleetStore(),
        "queue": FakeWorkQueue(clock),
        "vault": vault,
        "credentials": credentials,
        "accounts": FakeStorageAccounts(clock, vault),
        "notifications": FakeNotifications(),
        "signing_keys": FakeSigningKeys(),
        "clock": clock,
        "randomness": FakeRandomness(),
    }
    bundle = Bundle(settings=settings, drains=SingleFlight(), **fakes)
    return FakeWorld(bundle=bundle, **fakes)


def make_bundle(**overrides: Any) -> Bundle:
    """A bundle of fresh fakes; `overrides` replaces ports, or `settings`, by name."""
    world = make_world(overrides.pop("settings", None), clock=overrides.pop("clock", None))
    ports = {name: getattr(world.bundle, name) for name in Bundle.__dataclass_fields__}
    return Bundle(**{**ports, **overrides})
