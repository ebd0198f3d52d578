"""What recorded Azure traffic taught about Azure, each fact as a test over the real adapters.

Facts shown elsewhere: the list of `WHERE_ELSE`, which a test here holds against the tests that exist. Everything
below builds the recorded answer by hand, so that it also runs where no recordings are.
"""

import ast
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.account_documents import body, observe, read_timestamp
from shared.domain.account_observation import RemoveIdentity
from shared.domain.clouds import PUBLIC
from shared.domain.refusals import finding_of
from shared.errors import Refused, Throttled, Unavailable
from tests.contract.recorded import ACCOUNT, IDENTITY, JSON, UPDATE, account, observed, refused, storage, tables
from tests.replay.answering import Answer
from tests.structure.project import ROOT

WHERE_ELSE = {
    "test_a_new_account_is_created_in_the_background": "a creation is 202, with a new Location for each poll",
    "test_an_empty_key_version_is_echoed": 'keyversion "" is echoed',
    "test_a_patch_adds_and_removes_identities_and_keeps_the_others": "identities are swapped by null and {}",
    "test_identities_sent_back_as_they_were_answered_are_refused": "identity values sent back are refused",
    "test_an_unknown_identity_is_refused_with_json_inside_the_message": "FailedIdentityOperation holds JSON",
    "test_without_purge_protection_a_key_is_refused": "no purge protection is KeyVaultPolicyError",
    "test_a_disabled_key_is_read_and_wraps_but_does_not_unwrap": "a wrap proves nothing about a disabled key",
    "test_the_list_of_versions_is_paged_in_order_of_version_ids": "lists are in order of version ids",
    "test_a_link_to_the_next_page_names_the_port_and_the_last_page_has_null": "nextLink has :443, the last is null",
    "test_a_deleted_key_is_not_found_until_it_is_recovered": "a soft-deleted key is the same 404",
    "test_the_name_of_a_deleted_key_cannot_be_used_again": "its name is a 409",
    "test_the_firewall_refuses_and_tells_whether_trusted_services_may_pass": "a firewall is ForbiddenByFirewall",
    "test_a_token_of_another_tenant_is_refused": "a token of another tenant is AKV10032",
    "test_the_assignment_that_allowed_a_call_is_in_its_headers": "the assignment is in the headers",
    "test_expiry_is_announced_thirty_days_ahead_and_when_it_comes": "near expiry comes 30 days before",
    "test_an_error_has_entras_shape": "Entra's errors have their members",
    "test_a_bad_token_request_is_refused_with_its_own_code": "an AADSTS number has its status and word",
    "test_a_federated_credential_must_match_in_every_member_and_case": "federated credentials match by case",
    "test_an_answer_consists_of_strings": "an identity endpoint answers strings",
    "test_an_event_of_a_key_of_the_customer_queues_one_look": "events are read whatever their spelling",
    "test_a_new_version_is_delivered_in_the_event_grid_schema": "deliveries have aeg headers",
    "test_an_endpoint_that_refuses_the_handshake_gets_no_subscription": "a handshake takes 200 alone",
    "test_a_malformed_publication_is_refused_as_a_whole": "a publication is an array",
    "test_a_failed_long_running_operation_is_refused_though_its_status_is_200": "a failed poll is HTTP 200",
    "test_a_table_that_is_gone_is_not_an_empty_one": "a table that is gone is no missing row",
    "test_a_key_version_that_was_left_out_stays_out_and_an_empty_one_stays_empty": "absent stays absent",
    "test_identities_can_be_taken_off_although_the_key_needs_one": "identity None is accepted under a key",
    "test_an_empty_encryption_identity_means_the_systems_identity": "an empty identity falls back to the system's",
    "test_an_update_is_never_repeated_by_the_pipeline": "an update is never repeated",
}


def test_what_is_shown_elsewhere_is_shown() -> None:
    existing = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert set(WHERE_ELSE) - existing == set()


# Storage accounts


def test_names_of_key_vault_properties_are_all_lower_case_and_the_source_has_a_small_v() -> None:
    block = body(UPDATE, observed())["properties"]["encryption"]
    assert set(block["keyvaultproperties"]) == {"keyvaulturi", "keyname", "keyversion"}
    assert set(block["identity"]) == {"userAssignedIdentity", "federatedIdentityClientId"}
    assert block["keySource"] == "Microsoft.Keyvault"


@pytest.mark.parametrize("properties", [{}, {"keyversion": ""}])
def test_a_key_version_that_is_absent_or_empty_is_automatic_rotation(properties: dict[str, str]) -> None:
    assert observed(keyvaultproperties={"keyname": "cmk", **properties}).follows_latest


def test_an_expiry_of_1970_is_none_and_times_have_seven_digits() -> None:
    assert read_timestamp("1970-01-01T00:00:00.0000000Z") is None
    assert read_timestamp("2024-06-20T04:47:12.8177092Z") == datetime(2024, 6, 20, 4, 47, 12, 817709, UTC)


@pytest.mark.parametrize("kind", ["SystemAssigned,UserAssigned", "SystemAssigned, UserAssigned", "SystemAssigned"])
def test_an_identity_type_is_read_with_and_without_a_blank_and_sent_without(kind: str) -> None:
    before = observe({**account(), "identity": {"type": kind}}, PUBLIC)
    assert before.system_assigned
    assert body(UPDATE, before)["identity"]["type"] == "SystemAssigned,UserAssigned"


def test_an_empty_encryption_identity_is_none() -> None:
    assert observed(identity={"userAssignedIdentity": ""}).encryption_identity is None


def test_resource_groups_in_lower_case_are_the_same_identity() -> None:
    known = IDENTITY.replace("resourceGroups", "resourcegroups")
    document = {**account(), "identity": {"type": "UserAssigned", "userAssignedIdentities": {known: {}}}}
    before = observe(document, PUBLIC)
    assert list(body(UPDATE, before)["identity"]["userAssignedIdentities"]) == [known]
    removed = body(RemoveIdentity(identity=IDENTITY), before)["identity"]
    assert removed == {"type": "None"}


def test_values_of_assigned_identities_are_empty_or_null_whatever_was_read() -> None:
    held = {IDENTITY: {"principalId": "p", "clientId": "c"}, f"{IDENTITY}-2": {"principalId": "q"}}
    before = observe({**account(), "identity": {"type": "UserAssigned", "userAssignedIdentities": held}}, PUBLIC)
    for update in (UPDATE, RemoveIdentity(identity=IDENTITY)):
        values = body(update, before)["identity"]["userAssignedIdentities"].values()
        assert all(value in ({}, None) for value in values)


@pytest.mark.parametrize(("status", "code"), [(500, "GatewayAuthenticationFailed"), (503, "ServerTimeout")])
async def test_a_gateways_error_on_a_patch_is_could_not_tell_and_the_patch_is_sent_once(status: int, code: str) -> None:
    accounts, transport = storage(Answer(status, {**JSON, "x-ms-failure-cause": "gateway"}, refused(code)))
    with pytest.raises(Unavailable):
        await accounts.update(ACCOUNT, UPDATE, present=observed())
    assert [each.method for each in transport.sent] == ["PATCH"]


async def test_a_429_without_retry_after_names_its_delay_in_the_text() -> None:
    told = {"error": {"code": "SubscriptionRequestsThrottled", "message": "Please try again after '17' seconds."}}
    accounts, _ = storage(Answer(429, JSON, told))
    with pytest.raises(Throttled) as throttled:
        await accounts.read(ACCOUNT)
    assert throttled.value.retry_after == timedelta(seconds=17)


async def test_a_429_for_another_operation_has_its_delay_in_the_details() -> None:
    detail = {"code": "RetryableErrorDueToAnotherOperation", "message": "The call can be retried in 12 seconds."}
    accounts, _ = storage(Answer(429, JSON, refused("RetryableError", details=[detail])))
    with pytest.raises(Throttled) as throttled:
        await accounts.read(ACCOUNT)
    assert throttled.value.retry_after == timedelta(seconds=12)


@pytest.mark.parametrize("code", ["ResourceNotFound", "ResourceGroupNotFound"])
async def test_an_account_or_group_that_is_missing_is_none(code: str) -> None:
    accounts, _ = storage(Answer(404, JSON, refused(code)))
    assert await accounts.read(ACCOUNT) is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [("FailedIdentityOperation", "ProviderRoleMissing"), ("KeyVaultPolicyError", "PurgeProtectionMissing")],
)
async def test_a_permanent_refusal_has_its_finding(code: str, reason: str) -> None:
    accounts, _ = storage(Answer(400, JSON, refused(code)))
    with pytest.raises(Refused) as error:
        await accounts.update(ACCOUNT, UPDATE, present=observed())
    assert finding_of(400, error.value.azure_code, error.value.inner_code).reason == reason


@pytest.mark.parametrize("code", ["KeyVaultEncryptionKeyNotFound", "KeyVaultVaultNotFound"])
async def test_storage_that_lost_its_key_refuses_and_is_not_empty(code: str) -> None:
    made, _ = tables(lambda _: Answer(403, {**JSON, "x-ms-error-code": code}, None))
    with pytest.raises(Refused) as error:
        await made.read("state", "partition", "row")
    assert (error.value.http_status, error.value.azure_code) == (403, code)


async def test_a_token_can_expire_between_two_calls() -> None:
    accounts, _ = storage(Answer(401, JSON, refused("ExpiredAuthenticationToken")))
    with pytest.raises(Refused) as error:
        await accounts.read(ACCOUNT)
    assert error.value.http_status == 401
