"""The main scenario from consent to the customer's leaving, and every call of it against its contract."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.actors import Administrator
from local.demo.script import STEPS
from local.demo.stage import CONTOSO_TENANT, TAGS, VAULT, Facts, Stage
from local.demo.steps import EXPECTED_NOTIFICATIONS
from tests.scenario import contracts
from tests.scenario.scene import Scene

type Played = dict[str, Facts]

# What Azure's published contracts do not cover, or not under these versions.
WITHOUT_CONTRACT = {"RoleAssignments.Create", "EventSubscriptions.CreateOrUpdate"}
# Recorded answers of Azure have members that the contract of that version does not know.
AHEAD_OF_CONTRACT = ("networkAcls.ipv6Rules: not in the contract",)


@pytest.fixture(scope="module")
def first_call(stage_of_world: Scene) -> int:
    return stage_of_world.last_call()


@pytest.fixture(scope="module")
def played(stage_of_world: Scene, first_call: int) -> Iterator[Played]:
    """The facts that each step observed; a step that observed something else fails here."""
    del first_call
    scene = stage_of_world
    environment = scene.azure.local.app_environment()
    with Administrator(
        scene.control,
        tenant_id=CONTOSO_TENANT,
        vault=VAULT,
        proxy=scene.azure.proxy_url,
        ca_file=scene.azure.ca_file,
    ) as administrator:
        stage = Stage(
            control=scene.control,
            portal=scene.portal,
            administrator=administrator,
            folder=scene.azure.local.folder,
            identity_endpoint=environment["IDENTITY_ENDPOINT"],
            identity_header=environment["IDENTITY_HEADER"],
        )
        yield {step.play.__name__: step.play(stage) for step in STEPS}


def test_before_consent_there_is_no_token_of_the_customers_tenant(played: Played) -> None:
    assert played["provider_side"]["tokenInProviderTenant"] == 200
    assert played["provider_side"]["tokenInContosoBeforeConsent"] == "AADSTS700016"


def test_consent_counts_once_a_token_was_obtained_and_its_link_works_once(played: Played) -> None:
    assert played["consent"] == {"consentBefore": "unknown", "consentAfter": "granted", "sameLinkAgain": 400}


def test_an_unfit_key_is_found_out_with_a_remedy_for_everything(played: Played) -> None:
    assert set(played["unfit_key"]["findings"]) == {"RoleMissing", "PurgeProtectionMissing", "OwnershipUnproven"}
    assert "purge-protection" in played["unfit_key"]["findings"]["PurgeProtectionMissing"]
    assert "role assignment" in played["unfit_key"]["findings"]["RoleMissing"]


def test_a_mended_key_is_verified_by_letting_the_vault_wrap_and_unwrap(played: Played) -> None:
    facts = played["mended_key"]
    assert (facts["verification"], facts["phase"]) == ("verified", "active")
    assert {"WrapKey", "UnwrapKey"} <= set(facts["byTheVault"])


def test_an_account_is_protected_and_keeps_its_identity_and_tags(played: Played) -> None:
    facts = played["protect_account"]
    assert facts["identityType"] == "SystemAssigned,UserAssigned"
    assert facts["tags"] == TAGS
    assert facts["keyInUse"].startswith(f"https://{VAULT}.vault.azure.net/keys/cmk/")


def test_a_rotation_is_confirmed_within_five_seconds(played: Played) -> None:
    facts = played["follow_rotation"]
    assert facts["secondsUntilConfirmed"] <= 5.0
    assert facts["keyversionSetting"] == ""


def test_a_released_account_is_as_it_was_before(played: Played) -> None:
    facts = played["release_account"]
    assert (facts["keySource"], facts["identityType"]) == ("Microsoft.Storage", "SystemAssigned")
    assert (facts["keyVaultProperties"], facts["tags"]) == (None, TAGS)


def test_a_disabled_key_is_announced_when_it_is_seen_again_and_restored_at_once(played: Played) -> None:
    facts = played["lose_key"]
    assert (facts["atFirst"], facts["announced"], facts["enabledAgain"]) == ("healthy", "disabled", "healthy")
    assert facts["concerned"] == ["contosoarchive"]
    assert facts["failingOperations"] > 10


def test_encryption_changed_by_hand_is_repaired_by_the_next_sweep(played: Played) -> None:
    facts = played["repair_drift"]
    assert (facts["changedByHandTo"], facts["keySource"]) == ("Microsoft.Storage", "Microsoft.Keyvault")
    assert facts["keyInUse"].endswith(played["follow_rotation"]["versionInUse"])


def test_an_old_version_is_said_to_be_retirable_when_nothing_was_on_it_for_a_day(played: Played) -> None:
    facts = played["old_version"]
    assert played["protect_account"]["keyInUse"].endswith(facts["retirable"])
    assert facts["inUse"] == [played["follow_rotation"]["versionInUse"]]


def test_each_step_towards_the_end_of_a_version_is_announced_once(played: Played) -> None:
    facts = played["near_expiry"]
    assert (facts["daysLeftWhenAnnounced"], facts["health"]) == ([80, 25], "expiring")


def test_a_pinned_key_moves_when_its_new_version_is_accepted_and_not_before(played: Played) -> None:
    facts = played["pinned_version"]
    assert facts["afterRotation"] == played["follow_rotation"]["versionInUse"]
    assert facts["versionInUse"] == facts["accepted"] != facts["afterRotation"]


def test_a_customer_leaves_with_a_statement_of_what_protected_what(played: Played) -> None:
    facts = played["leave"]
    first, second = played["old_version"]["retirable"], played["follow_rotation"]["versionInUse"]
    assert (facts["percentComplete"], facts["customer"], facts["keySource"]) == (100, 404, "Microsoft.Storage")
    # The archive was put back on the same version when it had been changed by hand.
    third = played["pinned_version"]["accepted"]
    assert facts["protectedBy"] == {"contosodata": [first, second], "contosoarchive": [second, second, third]}
    assert len(facts["headHash"]) == 64


def test_the_timeline_outlives_the_customer_intact_and_the_notifications_came_in_order(played: Played) -> None:
    facts = played["prove_it"]
    assert facts["intact"]
    assert facts["entries"] == len(facts["timeline"])
    assert [f"CrossKey.{name}" for name in facts["notifications"]] == EXPECTED_NOTIFICATIONS


@pytest.fixture(scope="module")
def recorded(played: Played, stage_of_world: Scene, first_call: int) -> list[dict[str, Any]]:
    """The calls of the scenario that Azure's services answered."""
    assert played
    if not contracts.SPECS.is_dir():
        pytest.skip("Azure's published contracts are not beside the project")
    calls = stage_of_world.control.calls(after=first_call)
    return [call for call in calls if call["service"] in contracts.DOCUMENTS and call["status"]]


@pytest.mark.wire
def test_every_request_and_answer_of_the_scenario_agrees_with_azures_contracts(recorded: list[dict[str, Any]]) -> None:
    wrong = [each for call in recorded for each in contracts.disagreements(call) or []]
    assert sorted({each for each in wrong if not each.endswith(AHEAD_OF_CONTRACT)}) == []


@pytest.mark.wire
def test_only_what_has_no_contract_was_not_held_against_one(recorded: list[dict[str, Any]]) -> None:
    left_out = {call["operation"] for call in recorded if contracts.disagreements(call) is None}
    assert left_out <= WITHOUT_CONTRACT
    held = {call["operation"] for call in recorded} - left_out
    assert {"GetKey", "WrapKey", "UnwrapKey", "StorageAccounts.Update", "PublishEvents"} <= held


@pytest.mark.wire
def test_a_call_that_breaks_its_contract_is_found_out(recorded: list[dict[str, Any]]) -> None:
    update = next(call for call in recorded if call["operation"] == "StorageAccounts.Update")
    body = {"properties": {"encryption": {"keySource": "Somewhere.Else", "keyName": "cmk"}}, "tags": {"a": 1}}
    found = contracts.disagreements({**update, "requestBody": body, "status": 299, "query": "api-version=1&colour=red"})
    assert found is not None
    text = "\n".join(found)
    for expected in ("keyName: not in the contract", "1 is not of type 'string'", "status 299", "colour"):
        assert expected in text
