"""Contoso as values: rows, observations and wishes for the tests of the rules; every one can be varied."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.domain.account_observation import STORAGE_MANAGED, VAULT_MANAGED, ObservedAccount
from shared.domain.desired import Protect
from shared.domain.findings import CheckResult, Result
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.key_checks import run_checks
from shared.domain.key_health import decide_key
from shared.domain.key_observation import KeyObservation, ObservedKey, Probe, ProbeOutcome
from shared.domain.look import Look
from shared.domain.model import Canary, Customer, Key, Resource
from shared.domain.remedies import ownership_tag

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TENANT = "20000000-0000-4000-8000-000000000002"
OTHER_TENANT = "20000000-0000-4000-8000-00000000000f"
APPLICATION = "40000000-0000-4000-8000-000000000004"
SUBSCRIPTION = "50000000-0000-4000-8000-000000000005"
IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-crosskey"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/crosskey-keys"
)
THEIR_IDENTITY = IDENTITY.replace("crosskey-keys", "theirs")
V1, V2, V3 = "1" * 32, "2" * 32, "3" * 32
CMK = KeyIdentifier("contoso-keys.vault.azure.net", "cmk")
FOREIGN = KeyIdentifier("fabrikam-keys.vault.azure.net", "their-key", V1)
ACCOUNT = StorageAccountId(SUBSCRIPTION, "rg-data", "contosodata")

CUSTOMER = Customer(
    customer_id="contoso",
    display_name="Contoso",
    tenant_id=TENANT,
    application=APPLICATION,
    ownership_nonce="nonce-of-contoso",
    created_at=NOW - timedelta(days=30),
)
KEY = Key(customer_id="contoso", name="primary", identifier=CMK, registered_at=NOW - timedelta(days=1))
RESOURCE = Resource(
    customer_id="contoso",
    name="data",
    resource_id=ACCOUNT,
    key="primary",
    registered_at=NOW - timedelta(days=1),
)


def canary(version: str) -> Canary:
    return Canary(version=version, wrapped="wrapped", digest="digest")


def observed_key(**changes: Any) -> ObservedKey:
    """A key that passes every check, without expiry."""
    return replace(
        ObservedKey(
            version=V1,
            key_type="RSA",
            bits=3072,
            operations=frozenset({"wrapKey", "unwrapKey"}),
            enabled=True,
            not_before=None,
            expires=None,
            created=NOW - timedelta(days=2),
            recovery_level="Recoverable",
            tags=dict([ownership_tag(CUSTOMER)]),
        ),
        **changes,
    )


def probe(**changes: Any) -> Probe:
    """A vault that wraps and unwraps."""
    version = changes.get("version", V1)
    good = Probe(version=version, wrap=ProbeOutcome.OK, unwrap=ProbeOutcome.OK, new_canary=canary(version))
    return replace(good, **changes)


NO_PROBE = replace(probe(), wrap=ProbeOutcome.NOT_TRIED, unwrap=ProbeOutcome.NOT_TRIED, new_canary=None)


def seen(**changes: Any) -> KeyObservation:
    """A look at a key that is as it should be."""
    good = KeyObservation(
        at=NOW,
        challenge_tenant=TENANT,
        vault_region="westeurope",
        token_obtained=True,
        key=observed_key(),
        probe=probe(),
    )
    return replace(good, **changes)


def unseen(**changes: Any) -> KeyObservation:
    """A look that got a token but not the key."""
    return seen(key=None, probe=None, **changes)


def look(observation: KeyObservation | None = None, **changes: Any) -> Look:
    """A look at Contoso's key."""
    return replace(Look(customer=CUSTOMER, key=KEY, seen=observation or seen(), now=NOW), **changes)


def verified_key(**changes: Any) -> Key:
    """Contoso's key after one good look."""
    first = look()
    return replace(decide_key(first, run_checks(first)).steps[-1].key, **changes)


def result_of(observation: KeyObservation | Look, check: str) -> CheckResult:
    """One line of the report."""
    given = observation if isinstance(observation, Look) else look(observation)
    return next(line for line in run_checks(given) if line.check == check)


def failures(observation: KeyObservation | Look) -> set[str]:
    """The reasons of everything that is wrong."""
    given = observation if isinstance(observation, Look) else look(observation)
    return {line.reason.value for line in run_checks(given) if line.reason is not None and line.result is Result.FAIL}


def wish(**changes: Any) -> Protect:
    """Be on the latest version of Contoso's key, which is ready."""
    return replace(
        Protect(
            key=CMK,
            version=V1,
            follows_latest=True,
            identity=IDENTITY,
            federated_client_id=APPLICATION,
            ready=True,
            proven=frozenset({V1, V2}),
        ),
        **changes,
    )


def plain_account(**changes: Any) -> ObservedAccount:
    """An account on Microsoft-managed keys with an identity that is none of ours."""
    return replace(
        ObservedAccount(
            resource_id=str(ACCOUNT),
            location="westeurope",
            system_assigned=True,
            user_assigned=(THEIR_IDENTITY,),
            key_source=STORAGE_MANAGED,
            covered_services=("blob", "file", "queue", "table"),
        ),
        **changes,
    )


def account_on(
    key: KeyIdentifier, *, pinned: bool = False, identity: str = IDENTITY, **changes: Any
) -> ObservedAccount:
    """An account encrypted with one version of a key."""
    return plain_account(
        **{
            "user_assigned": (THEIR_IDENTITY, identity),
            "key_source": VAULT_MANAGED,
            "vault_uri": key.vault_uri + "/",
            "key_name": key.key_name,
            "key_version": key.version if pinned else "",
            "current_key": key,
            "rotated_at": NOW,
            "encryption_identity": identity,
            "federated_client_id": APPLICATION,
            **changes,
        }
    )


def on_version(version: str, **changes: Any) -> ObservedAccount:
    """An account on one version of Contoso's key."""
    return account_on(CMK.with_version(version), **changes)
