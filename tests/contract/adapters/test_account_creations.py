"""Making an account as Azure was recorded to do it, and answers that lead astray."""

from typing import Any

import pytest

from shared.adapters.account_documents import creation_body
from shared.domain.account_observation import CreateAccount, CreationAccepted, ObservedAccount
from shared.domain.resource_details import NewAccount
from shared.errors import Refused, Unavailable, UnexpectedAnswer
from tests.contract.local import wire
from tests.contract.local.wire import disagreements
from tests.contract.recorded import ACCOUNT, JSON, UPDATE, account, refused, storage
from tests.replay.answering import Answer

NEW = NewAccount(
    location="westeurope",
    sku="Standard_LRS",
    kind="StorageV2",
    coverage=("queue", "table"),
    tags=(("owner", "vendor"),),
)
CREATION = CreateAccount(account=NEW, encryption=UPDATE)
POLL = "https://management.azure.com/subscriptions/s/providers/Microsoft.Storage/operations/1?t=1"
RECORDED = ["storage/07_create_with_uai_cmk_202.json", "storage/15_create_202_location_poll.json"]
TEXT = {"Content-Type": "text/plain; charset=utf-8"}


async def create(answer: Answer) -> ObservedAccount | CreationAccepted:
    accounts, _ = storage(answer)
    return await accounts.create(ACCOUNT, CREATION)


async def follow(answer: Answer, poll_url: str = POLL) -> ObservedAccount | CreationAccepted:
    accounts, _ = storage(answer)
    return await accounts.follow_creation(ACCOUNT, poll_url)


def recorded(exchange: dict[str, Any]) -> Answer:
    response = exchange["response"]
    return Answer(response["status"], response["headers"], response["body"])


@pytest.mark.wire
@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_creation_is_followed_to_its_account(name: str) -> None:
    first, *polls = wire.recording(name)["exchanges"]
    begun = await create(recorded(first))
    assert isinstance(begun, CreationAccepted)
    assert begun.poll_url == polls[0]["request"]["url"]
    asked = [await follow(recorded(one), begun.poll_url) for one in polls if "asyncoperations" in one["request"]["url"]]
    made = asked.pop()
    assert isinstance(made, ObservedAccount)
    assert not made.is_being_made
    # Azure names a new address each time, and the recorded client went on with the first one.
    assert all(isinstance(one, CreationAccepted) and one.poll_url == begun.poll_url for one in asked)


@pytest.mark.wire
async def test_a_recorded_account_that_was_made_with_a_key_is_on_it() -> None:
    _, poll = wire.recording("storage/07_create_with_uai_cmk_202.json")["exchanges"]
    made = await follow(recorded(poll))
    assert isinstance(made, ObservedAccount)
    assert made.current_version == "efc9583b0e0f4546924fea4ae58ba913"
    assert made.follows_latest
    assert made.encryption_identity in made.user_assigned


@pytest.mark.wire
async def test_a_recorded_refusal_of_settings_keeps_its_code() -> None:
    with pytest.raises(Refused) as error:
        await create(recorded(wire.recording("storage/22_err_400_invalid_values.json")))
    assert error.value.azure_code == "InvalidValuesForRequestParameters"


@pytest.mark.wire
def test_the_request_agrees_with_the_official_contract() -> None:
    body = creation_body(CREATION)
    assert disagreements(body, "storage-2023-05-01.json", "StorageAccountCreateParameters") == []


def test_the_request_is_spelled_as_azure_wants_it() -> None:
    body = creation_body(CREATION)
    assert body["identity"] == {"type": "UserAssigned", "userAssignedIdentities": {UPDATE.identity: {}}}
    assert (body["location"], body["sku"], body["kind"]) == ("westeurope", {"name": "Standard_LRS"}, "StorageV2")
    assert body["tags"] == {"owner": "vendor"}
    assert body["properties"] == {
        "minimumTlsVersion": "TLS1_2",
        "encryption": {
            "keySource": "Microsoft.Keyvault",
            "services": {
                "blob": {"enabled": True},
                "file": {"enabled": True},
                "queue": {"enabled": True, "keyType": "Account"},
                "table": {"enabled": True, "keyType": "Account"},
            },
            "keyvaultproperties": {
                "keyvaulturi": "https://contoso.vault.azure.net",
                "keyname": "cmk",
                "keyversion": "",
            },
            "identity": {
                "userAssignedIdentity": UPDATE.identity,
                "federatedIdentityClientId": UPDATE.federated_client_id,
            },
        },
    }


@pytest.mark.parametrize(
    "location", ["", "https://management.azure.com.evil.example/x", "http://management.azure.com/x", "/relative"]
)
async def test_an_address_outside_resource_manager_is_not_kept(location: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        await create(Answer(202, {**TEXT, "Location": location}, None))


async def test_no_token_goes_to_an_address_outside_resource_manager() -> None:
    accounts, transport = storage(Answer(200, JSON, account()))
    with pytest.raises(UnexpectedAnswer):
        await accounts.follow_creation(ACCOUNT, "https://example.com/operations/1")
    assert transport.sent == []


@pytest.mark.parametrize("status", ["Failed", "Canceled"])
async def test_a_poll_that_answers_200_can_say_that_it_ended_in_vain(status: str) -> None:
    document = {"status": status, **refused("StorageAccountAlreadyTaken")}
    with pytest.raises(Refused) as error:
        await follow(Answer(200, JSON, document))
    assert error.value.azure_code == "StorageAccountAlreadyTaken"
    with pytest.raises(Refused) as nameless:
        await follow(Answer(200, JSON, {"status": status}))
    assert nameless.value.azure_code == status


async def test_a_poll_that_answers_200_can_say_that_it_goes_on() -> None:
    assert await follow(Answer(200, JSON, {"status": "InProgress"})) == CreationAccepted(poll_url=POLL)


async def test_a_token_that_expires_while_polling_says_nothing_about_the_creation() -> None:
    with pytest.raises(Unavailable):
        await follow(Answer(401, JSON, refused("ExpiredAuthenticationToken")))


async def test_an_account_that_is_being_made_is_told_from_one_that_is_there() -> None:
    document = account()
    document["properties"]["provisioningState"] = "ResolvingDNS"
    accounts, _ = storage(Answer(200, JSON, document))
    found = await accounts.read(ACCOUNT)
    assert found is not None
    assert found.is_being_made


async def test_a_creation_that_somebody_else_began_is_waited_for() -> None:
    with pytest.raises(Unavailable):
        await create(Answer(409, JSON, refused("StorageAccountOperationInProgress")))
