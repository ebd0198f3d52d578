"""Key Vault events: hints whose payload is never trusted."""

from typing import Any

import pytest

from shared.domain.work import WorkKind
from shared.errors import Unavailable
from shared.services.key_events import note_key_event
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, Stage, registered_key, verified_key

NEW_VERSION = "Microsoft.KeyVault.KeyNewVersionCreated"
GOOD = "https://contoso-keys.vault.azure.net/keys/cmk/" + "a" * 32


async def note(stage: Stage, data: object, event_type: str = NEW_VERSION) -> str:
    return await note_key_event(stage.bundle, event_type, data, event_id="event-1", origin=ORIGIN)


def queued(stage: Stage) -> list[tuple[WorkKind, str, str]]:
    return [(item.kind, item.customer_id, item.name) for item in stage.world.queue.items]


@pytest.mark.parametrize(
    "event_type",
    [
        NEW_VERSION,
        "Microsoft.KeyVault.KeyNearExpiry",
        "Microsoft.KeyVault.KeyExpired",
        "microsoft.keyvault.keynewversioncreated",
    ],
)
async def test_an_event_of_a_registered_key_queues_a_look_at_it(event_type: str) -> None:
    stage = await verified_key()
    assert await note(stage, {"Id": GOOD}, event_type) == "queued"
    assert queued(stage) == [(WorkKind.CHECK_KEY, CONTOSO, "primary")]


@pytest.mark.parametrize("member", ["Id", "id", "ID", " Id "])
async def test_member_names_are_read_without_case_and_trimmed(member: str) -> None:
    stage = await verified_key()
    assert await note(stage, {member: f" {GOOD} "}) == "queued"


async def test_a_key_is_found_whatever_the_case_of_its_name() -> None:
    stage = await verified_key()
    assert await note(stage, {"Id": GOOD.replace("/cmk/", "/CMK/")}) == "queued"


@pytest.mark.parametrize(
    "event_type",
    ["Microsoft.KeyVault.SecretNewVersionCreated", "Microsoft.KeyVault.VaultAccessPolicyChanged", "nonsense"],
)
async def test_an_event_of_an_unknown_type_is_accepted_without_effect(event_type: str) -> None:
    stage = await verified_key()
    assert await note(stage, {"Id": GOOD}, event_type) == "unknownType"
    assert queued(stage) == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        [],
        {},
        {"Id": None},
        {"Id": 7},
        {"Id": "not a url"},
        {"Id": "https://evil.example/keys/cmk"},
        {"Id": "https://contoso-keys.vault.azure.net/secrets/cmk"},
        {"VaultName": "contoso-keys", "ObjectName": "cmk"},
    ],
)
async def test_a_malformed_event_is_accepted_without_effect(data: Any) -> None:
    stage = await verified_key()
    stage.world.claims.calls.clear()
    assert await note(stage, data) == "malformed"
    assert queued(stage) == []
    assert stage.world.claims.calls["find"] == 0


async def test_an_event_of_a_key_that_nobody_proved_is_accepted_without_effect() -> None:
    stage = await registered_key()
    stage.world.queue.take()
    assert await note(stage, {"Id": GOOD}) == "unknownKey"
    assert WorkKind.CHECK_KEY not in {kind for kind, *_ in queued(stage)}


async def test_an_event_costs_one_table_read_and_one_message() -> None:
    stage = await verified_key()
    for port in (stage.world.state, stage.world.claims, stage.world.queue, stage.world.vault):
        port.calls.clear()
    await note(stage, {"Id": GOOD})
    assert dict(stage.world.claims.calls) == {"find": 1}
    assert dict(stage.world.queue.calls) == {"enqueue": 1}
    assert not stage.world.state.calls
    assert not stage.world.vault.calls


@pytest.mark.parametrize("port", ["claims", "queue"])
async def test_an_event_that_could_not_be_noted_is_raised_so_that_it_is_sent_again(port: str) -> None:
    stage = await verified_key()
    getattr(stage.world, port).break_before("find" if port == "claims" else "enqueue", Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await note(stage, {"Id": GOOD})


async def test_a_hundred_copies_of_one_event_make_one_rotation_and_one_notification() -> None:
    stage = await verified_key()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    for identifier in [str(newer), str(stage.version)] * 50:
        await note(stage, {"Id": identifier})
    await stage.work_off()
    assert (await stage.key()).latest_version == newer.version
    assert stage.announced().count("KeyNewVersion") == 1
