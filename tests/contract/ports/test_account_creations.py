"""What every port of storage accounts does to make one: accepted, followed by its address, there with the key."""

from contextlib import suppress
from datetime import timedelta

import pytest

from shared.domain.account_observation import CreateAccount, CreationAccepted, ObservedAccount
from shared.domain.resource_details import NewAccount
from shared.errors import Refused, Throttled, Unavailable
from tests.contract.ports.stage import Call, Stage

A_MINUTE = timedelta(minutes=1)
NEW = NewAccount(
    location="westeurope", sku="Standard_LRS", kind="StorageV2", coverage=("queue",), tags=(("owner", "vendor"),)
)


def creation(stage: Stage, *, new: NewAccount = NEW, version: str | None = None) -> CreateAccount:
    return CreateAccount(account=new, encryption=stage.encrypt(version))


async def accept(stage: Stage) -> str:
    """Ask for the account; answers the address to follow."""
    answer = await stage.bundle.accounts.create(stage.account, creation(stage))
    assert isinstance(answer, CreationAccepted)
    return answer.poll_url


async def follow(stage: Stage, poll_url: str) -> ObservedAccount | CreationAccepted:
    return await stage.bundle.accounts.follow_creation(stage.account, poll_url)


async def test_an_account_is_made_in_the_background_and_is_on_the_key_from_the_start(stage: Stage) -> None:
    version = stage.add_version()
    answer = await stage.bundle.accounts.create(stage.account, creation(stage))
    assert isinstance(answer, CreationAccepted)
    assert answer.poll_url.startswith("https://management.azure.com/")
    assert answer.retry_after == timedelta(seconds=17)
    before = await stage.bundle.accounts.read(stage.account)
    assert before is None or before.is_being_made
    stage.advance(A_MINUTE)
    made = await follow(stage, answer.poll_url)
    assert isinstance(made, ObservedAccount)
    assert made == await stage.present()
    assert not made.is_being_made
    assert (made.current_key, made.follows_latest) == (version, True)
    assert [one.lower() for one in made.user_assigned] == [stage.identity.lower()]
    assert made.federated_client_id == stage.application
    assert made.covered_services == ("blob", "file", "queue")
    assert (made.location, made.system_assigned) == ("westeurope", False)


async def test_the_first_address_goes_on_answering_while_the_account_is_being_made(stage: Stage) -> None:
    stage.add_version()
    poll_url = await accept(stage)
    for _ in range(2):
        answer = await follow(stage, poll_url)
        assert answer == CreationAccepted(poll_url=poll_url, retry_after=timedelta(seconds=17))


async def test_an_account_can_be_made_on_a_pinned_version(stage: Stage) -> None:
    older = stage.add_version()
    stage.advance(timedelta(seconds=5))
    stage.add_version()
    answer = await stage.bundle.accounts.create(stage.account, creation(stage, version=older.version))
    assert isinstance(answer, CreationAccepted)
    stage.advance(A_MINUTE)
    made = await follow(stage, answer.poll_url)
    assert isinstance(made, ObservedAccount)
    assert (made.current_key, made.key_version) == (older, older.version)


async def test_asking_again_while_it_is_being_made_makes_no_second_account(stage: Stage) -> None:
    stage.add_version()
    poll_url = await accept(stage)
    with suppress(Unavailable):
        await stage.bundle.accounts.create(stage.account, creation(stage))
    stage.advance(A_MINUTE)
    assert isinstance(await follow(stage, poll_url), ObservedAccount)


async def test_asking_for_an_account_that_is_there_answers_it(stage: Stage) -> None:
    version = stage.add_version()
    stage.put_account(stage.identity, system_assigned=False)
    new = NewAccount(location="westeurope", sku="Standard_LRS", kind="StorageV2")
    answer = await stage.bundle.accounts.create(stage.account, creation(stage, new=new))
    assert isinstance(answer, ObservedAccount)
    assert answer.current_key == version


async def test_what_is_described_is_what_is_sent(stage: Stage) -> None:
    stage.add_version()
    plan = stage.bundle.accounts.describe_creation(stage.account, creation(stage))
    assert stage.sent_updates() == []
    await accept(stage)
    assert stage.sent_updates() == [plan]
    assert plan["method"] == "PUT"
    assert plan["url"] == f"https://management.azure.com{stage.account}?api-version=2023-05-01"


async def test_a_name_that_is_taken_is_refused(stage: Stage) -> None:
    stage.add_version()
    stage.take_name()
    with pytest.raises(Refused) as refused:
        await stage.bundle.accounts.create(stage.account, creation(stage))
    assert (refused.value.http_status, refused.value.azure_code) == (409, "StorageAccountAlreadyTaken")
    assert await stage.bundle.accounts.read(stage.account) is None


async def test_without_the_role_no_account_is_made(stage: Stage) -> None:
    stage.add_version()
    stage.revoke_role()
    with pytest.raises(Refused) as refused:
        await stage.bundle.accounts.create(stage.account, creation(stage))
    assert refused.value.azure_code == "KeyVaultAuthenticationFailure"
    assert await stage.bundle.accounts.read(stage.account) is None


async def test_the_address_of_an_account_that_was_deleted_is_not_known(stage: Stage) -> None:
    stage.add_version()
    poll_url = await accept(stage)
    stage.advance(A_MINUTE)
    await stage.present()
    stage.remove_account()
    with pytest.raises(Refused) as refused:
        await follow(stage, poll_url)
    assert refused.value.http_status == 404


@pytest.mark.parametrize("call", ["create", "follow_creation"])
async def test_what_cannot_be_told_is_never_a_refusal(stage: Stage, call: Call) -> None:
    stage.add_version()
    poll_url = await accept(stage)
    stage.silence(call)
    with pytest.raises(Unavailable):
        await _call(stage, call, poll_url)
    stage.throttle(call, A_MINUTE)
    with pytest.raises(Throttled) as throttled:
        await _call(stage, call, poll_url)
    assert throttled.value.retry_after == A_MINUTE


async def test_a_creation_whose_answer_is_lost_has_begun_all_the_same(stage: Stage) -> None:
    version = stage.add_version()
    stage.lose_answer("create")
    with pytest.raises(Unavailable):
        await accept(stage)
    stage.advance(A_MINUTE)
    assert (await stage.present()).current_key == version


async def _call(stage: Stage, call: Call, poll_url: str) -> None:
    if call == "create":
        await accept(stage)
    else:
        await follow(stage, poll_url)
