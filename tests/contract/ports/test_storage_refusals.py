"""What every port of storage accounts does when something is wrong: a definite no changes nothing, silence may have."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.domain.account_observation import RemoveIdentity, ReturnToMicrosoftManagedKeys, SetKeyVersion
from shared.errors import Refused, Throttled, Unavailable
from tests.contract.ports.stage import Call, Stage

DAY = timedelta(days=1)
REVOCATIONS: dict[str, Callable[[Stage], None]] = {
    "role": lambda stage: stage.revoke_role(),
    "consent": lambda stage: stage.withdraw_consent(),
    "key": lambda stage: stage.delete_key(),
    "firewall": lambda stage: stage.close_firewall(bypass=False),
}
CODES = {
    "role": "KeyVaultAuthenticationFailure",
    "consent": "KeyVaultAccessTokenCannotBeAcquired",
    "key": "KeyVaultEncryptionKeyNotFound",
    "firewall": "KeyVaultAuthenticationFailure",
}
revocations = pytest.mark.parametrize("revocation", list(REVOCATIONS))


async def protect(stage: Stage) -> None:
    stage.put_account()
    await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=await stage.present())


async def attempt(stage: Stage, call: Call) -> None:
    """One call of the port, on the account as it is."""
    match call:
        case "update":
            before = await stage.present()
            await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=before)
        case "read":
            await stage.bundle.accounts.read(stage.account)
        case _:
            _ = [one async for one in stage.bundle.accounts.read_subscription(stage.account.subscription_id)]


@revocations
async def test_a_key_that_storage_cannot_use_is_refused_and_nothing_changes(stage: Stage, revocation: str) -> None:
    stage.add_version()
    stage.put_account()
    before = await stage.present()
    REVOCATIONS[revocation](stage)
    with pytest.raises(Refused) as refused:
        await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=before)
    assert (refused.value.http_status, refused.value.azure_code) == (400, CODES[revocation])
    assert refused.value.detail
    assert await stage.present() == before


async def test_storage_passes_a_firewall_that_lets_azure_through(stage: Stage) -> None:
    stage.add_version()
    stage.close_firewall()
    await protect(stage)
    assert (await stage.present()).key_source == "Microsoft.Keyvault"


@pytest.mark.parametrize("attribute", ["disabled", "expired", "notYetValid"])
async def test_a_version_that_cannot_be_used_now_is_refused(stage: Stage, attribute: str) -> None:
    key = stage.add_version()
    stage.put_account()
    match attribute:
        case "disabled":
            stage.change(key, enabled=False)
        case "expired":
            stage.change(key, expires=stage.now() - DAY)
        case _:
            stage.change(key, not_before=stage.now() + DAY)
    with pytest.raises(Refused) as refused:
        await attempt(stage, "update")
    assert refused.value.azure_code == "KeyVaultAuthenticationFailure"


async def test_the_newest_version_is_taken_though_an_older_one_could_be_used(stage: Stage) -> None:
    stage.add_version()
    stage.advance(timedelta(seconds=5))
    stage.change(stage.add_version(), enabled=False)
    stage.put_account()
    with pytest.raises(Refused):
        await attempt(stage, "update")


@revocations
async def test_a_key_that_is_lost_cannot_be_left(stage: Stage, revocation: str) -> None:
    stage.add_version()
    await protect(stage)
    before = await stage.present()
    REVOCATIONS[revocation](stage)
    with pytest.raises(Refused) as refused:
        await stage.bundle.accounts.update(stage.account, ReturnToMicrosoftManagedKeys(), present=before)
    gone = (404, "HttpResourceNotFound")
    expected = gone if revocation == "key" else (400, CODES[revocation])
    assert (refused.value.http_status, refused.value.azure_code) == expected
    assert await stage.present() == before


async def test_an_expired_key_can_be_left_but_not_taken(stage: Stage) -> None:
    key = stage.add_version()
    await protect(stage)
    stage.change(key, expires=stage.now() - DAY)
    present = await stage.present()
    left = await stage.bundle.accounts.update(stage.account, ReturnToMicrosoftManagedKeys(), present=present)
    assert left.key_source == "Microsoft.Storage"
    with pytest.raises(Refused):
        await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=left)


async def test_the_settings_in_force_can_be_repeated_as_long_as_the_key_can_be_used(stage: Stage) -> None:
    key = stage.add_version()
    await protect(stage)
    before = await stage.present()
    assert await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=before) == before
    stage.change(key, enabled=False)
    with pytest.raises(Refused):
        await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=before)


async def test_a_version_is_not_set_without_the_identity_on_the_account(stage: Stage) -> None:
    version = stage.add_version()
    stage.put_account()
    change = SetKeyVersion(
        key=stage.key, version=version.version, identity=stage.identity, federated_client_id=stage.application
    )
    with pytest.raises(Refused):
        await stage.bundle.accounts.update(stage.account, change, present=await stage.present())


async def test_an_identity_that_encryption_uses_can_be_taken_off(stage: Stage) -> None:
    # Azure lets it happen; whoever asks must know better.
    stage.add_version()
    await protect(stage)
    change = RemoveIdentity(identity=stage.identity)
    after = await stage.bundle.accounts.update(stage.account, change, present=await stage.present())
    assert (after.user_assigned, after.key_source) == ((), "Microsoft.Keyvault")


async def test_an_account_that_is_gone_is_a_definite_no_to_an_update(stage: Stage) -> None:
    stage.put_account()
    before = await stage.present()
    elsewhere = stage.account.__class__(stage.account.subscription_id, stage.account.resource_group, "nobodysdata")
    with pytest.raises(Refused) as refused:
        await stage.bundle.accounts.update(elsewhere, ReturnToMicrosoftManagedKeys(), present=before)
    assert (refused.value.http_status, refused.value.azure_code) == (404, "ResourceNotFound")


async def test_a_lost_answer_is_could_not_tell_though_the_update_took_effect(stage: Stage) -> None:
    stage.add_version()
    stage.put_account()
    stage.lose_answer("update")
    with pytest.raises(Unavailable):
        await attempt(stage, "update")
    assert (await stage.present()).key_source == "Microsoft.Keyvault"
    assert len(stage.sent_updates()) == 1


@pytest.mark.parametrize("call", ["read", "update", "read_subscription"])
async def test_silence_is_could_not_tell(stage: Stage, call: Call) -> None:
    stage.add_version()
    stage.put_account()
    stage.silence(call)
    with pytest.raises(Unavailable) as unavailable:
        await attempt(stage, call)
    assert type(unavailable.value) is Unavailable
    assert (await stage.present()).key_source == "Microsoft.Storage"


@pytest.mark.parametrize("call", ["read", "update", "read_subscription"])
@pytest.mark.parametrize("wait", [timedelta(seconds=303), None])
async def test_throttling_is_passed_on_with_the_delay_if_one_was_named(
    stage: Stage, call: Call, wait: timedelta | None
) -> None:
    stage.add_version()
    stage.put_account()
    stage.throttle(call, wait)
    with pytest.raises(Throttled) as throttled:
        await attempt(stage, call)
    assert throttled.value.retry_after == wait
    assert (await stage.present()).key_source == "Microsoft.Storage"


@pytest.mark.parametrize("call", ["read", "update", "read_subscription"])
async def test_a_definite_no_keeps_its_code(stage: Stage, call: Call) -> None:
    stage.add_version()
    stage.put_account()
    stage.refuse(call, status=403, code="AuthorizationFailed")
    with pytest.raises(Refused) as refused:
        await attempt(stage, call)
    assert (refused.value.http_status, refused.value.azure_code) == (403, "AuthorizationFailed")


async def test_a_404_of_another_kind_is_not_taken_for_a_missing_account(stage: Stage) -> None:
    stage.put_account()
    stage.refuse("read", status=404, code="SubscriptionNotFound")
    with pytest.raises(Refused):
        await attempt(stage, "read")
