"""Older versions: announced as retirable once, a day after the last resource left, never while a scope is on one."""

from datetime import timedelta

from shared.domain.model import HealthState
from shared.domain.old_versions import RETIREMENT_GRACE
from shared.domain.reasons import Reason
from shared.domain.remedies import remedy
from shared.errors import Unavailable
from shared.services.keys import get_key
from tests.unit.shared.services.stage import ACCOUNT, CONTOSO, Stage, account_id, protect, protected_account

A_DAY = RETIREMENT_GRACE + timedelta(minutes=1)


async def rotated() -> Stage:
    """The account left the first version, and that was noticed."""
    stage = await protected_account()
    await stage.rotate()
    await stage.work_off()
    await pass_by(stage)
    return stage


async def pass_by(stage: Stage, by: timedelta = timedelta()) -> None:
    stage.world.clock.advance(by)
    await stage.sweep()
    await stage.work_off()


def retirable(stage: Stage) -> list[str]:
    found = [one for one in stage.world.notifications.distinct if one.type == "CrossKey.KeyVersionRetirable"]
    return [one.data["version"] for one in found]


async def shown(stage: Stage) -> list[str]:
    return (await get_key(stage.bundle, CONTOSO, "primary")).retirable_versions


async def test_a_version_is_announced_once_a_day_after_the_last_resource_left_it() -> None:
    stage = await rotated()
    await pass_by(stage, RETIREMENT_GRACE - timedelta(hours=1))
    assert (retirable(stage), await shown(stage)) == ([], [])
    await pass_by(stage, timedelta(hours=2))
    assert retirable(stage) == [stage.version.version]
    assert await shown(stage) == [stage.version.version]
    told = next(one for one in stage.world.notifications.distinct if one.type == "CrossKey.KeyVersionRetirable")
    assert told.data["message"] == f"No resource known to CrossKey uses version {stage.version.version}."
    for _ in range(3):
        await pass_by(stage, A_DAY)
    assert retirable(stage) == [stage.version.version]
    await stage.assert_told_truly()


async def test_a_version_that_an_encryption_scope_is_on_is_never_announced() -> None:
    stage = await rotated()
    stage.world.accounts.put_scope(ACCOUNT, "own", stage.version)
    for _ in range(4):
        await pass_by(stage, A_DAY)
    assert (retirable(stage), await shown(stage)) == ([], [])
    told = [entry.data["stillUsedBy"] for entry in await stage.entries() if "stillUsedBy" in entry.data]
    assert told == [["data/encryptionScopes/own"]] * 4
    stage.world.accounts.put_scope(ACCOUNT, "own")
    await pass_by(stage, A_DAY)
    assert retirable(stage) == [stage.version.version]


async def test_a_scope_that_does_not_say_its_version_keeps_every_version() -> None:
    stage = await rotated()
    stage.world.accounts.put_scope(ACCOUNT, "own", stage.version)
    scopes = stage.world.accounts._scopes[ACCOUNT.claim]
    scopes["own"] = type(scopes["own"])(name="own", key_source="Microsoft.KeyVault", key=stage.cmk)
    await pass_by(stage, A_DAY)
    assert retirable(stage) == []


async def test_a_version_that_a_resource_is_still_on_is_not_announced() -> None:
    stage = await protected_account()
    other = account_id("contosoother")
    stage.world.accounts.add(other)
    await protect(stage, name="other", account=other)
    await stage.work_off()
    stage.world.accounts.break_before("update", *[Unavailable("no answer")] * 1000)
    await stage.rotate()
    for _ in range(3):
        await pass_by(stage, A_DAY)
    assert retirable(stage) == []


async def test_an_account_that_azure_says_is_on_the_version_keeps_it_whatever_the_row_says() -> None:
    stage = await rotated()
    stage.world.clock.advance(A_DAY)
    stage.world.accounts.change(ACCOUNT, current_key=stage.version, key_version=stage.version.version)
    stage.world.accounts.break_before("read_subscription", *[Unavailable("no answer")] * 2)
    await stage.sweep()
    await stage.work_off()
    assert retirable(stage) == []


async def test_an_outage_at_the_announcement_only_puts_it_off_until_the_next_sweep() -> None:
    stage = await rotated()
    stage.world.accounts.break_before("read_scopes", Unavailable("no answer"))
    await pass_by(stage, A_DAY)
    assert retirable(stage) == []
    await pass_by(stage, timedelta(minutes=5))
    assert retirable(stage) == [stage.version.version]


async def test_the_version_in_use_and_a_newer_one_that_nothing_took_over_are_never_announced() -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(newer, bits=1024)
    for _ in range(3):
        await pass_by(stage, A_DAY)
    assert (retirable(stage), await shown(stage)) == ([], [])


async def test_nothing_is_announced_while_the_key_is_revoked() -> None:
    stage = await rotated()
    stage.vault.deleted_keys.add("cmk")
    for _ in range(3):
        await pass_by(stage, A_DAY)
    assert (await stage.key()).health.state is HealthState.DELETED
    assert retirable(stage) == []


async def test_a_sweep_asks_nothing_more_while_no_version_was_left() -> None:
    stage = await protected_account()
    await pass_by(stage)
    stage.world.accounts.calls.clear()
    await pass_by(stage, A_DAY)
    assert (stage.world.accounts.calls["read"], stage.world.accounts.calls["read_scopes"]) == (0, 0)


async def test_an_old_version_disabled_too_early_is_named_with_who_uses_it_and_the_command_that_enables_it() -> None:
    stage = await protected_account()
    stage.world.accounts.break_before("update", *[Unavailable("no answer")] * 1000)
    await stage.rotate()
    stage.world.vault.change(stage.version, enabled=False)
    checked = await stage.check(thorough=True)
    finding = next(one for one in checked.checks if one.check == "unwrap")
    assert finding.reason is Reason.VERSION_IN_USE_DISABLED
    assert finding.detail == f"Version {stage.version.version} is still used by 1 resource(s)."
    command = remedy(finding.reason, customer=checked.customer, key=checked.key.value, versions=finding.versions)
    assert command == (
        "az keyvault key set-attributes --vault-name contoso-keys --name cmk "
        f"--version {stage.version.version} --enabled true"
    )


async def test_a_new_version_is_not_blamed_for_an_older_one_that_was_disabled_too_early() -> None:
    stage = await protected_account()
    newer = stage.world.vault.add_version(stage.vault, "cmk")
    stage.world.vault.change(stage.version, enabled=False)
    checked = await stage.check(thorough=True)
    reasons = {one.reason for one in checked.checks if one.reason is not None}
    assert Reason.VERSION_IN_USE_DISABLED in reasons
    assert Reason.NEW_VERSION_UNUSABLE not in reasons
    stage.world.vault.change(stage.version, enabled=True)
    await stage.check(thorough=True)
    await stage.work_off()
    assert (await stage.account()).current_key == newer
