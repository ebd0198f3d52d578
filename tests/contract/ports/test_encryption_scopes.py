"""What every port says of encryption scopes, and what releasing one needs."""

import pytest

from shared.domain.encryption_scopes import ReleaseScope
from shared.errors import Refused, Unavailable
from tests.contract.ports.stage import Stage


async def protected(stage: Stage) -> None:
    stage.put_account()
    await stage.bundle.accounts.update(stage.account, stage.encrypt(), present=await stage.present())


async def test_an_account_without_scopes_and_one_that_is_not_there_have_none(stage: Stage) -> None:
    assert list(await stage.bundle.accounts.read_scopes(stage.account)) == []
    stage.put_account()
    assert list(await stage.bundle.accounts.read_scopes(stage.account)) == []


async def test_every_scope_says_which_version_it_is_on(stage: Stage) -> None:
    version = stage.add_version()
    await protected(stage)
    await stage.put_scope("own", version)
    await stage.put_scope("following", stage.key)
    await stage.put_scope("plain")
    scopes = {one.name: one for one in await stage.bundle.accounts.read_scopes(stage.account)}
    assert {name: one.key for name, one in scopes.items()} == {"own": version, "following": version, "plain": None}
    assert [scopes[name].uses_vault for name in ("own", "following", "plain")] == [True, True, False]


async def test_a_scope_stays_on_its_version_when_the_account_moves_on(stage: Stage) -> None:
    first = stage.add_version()
    await protected(stage)
    await stage.put_scope("own", first)
    second = stage.add_version()
    assert second.version is not None
    await stage.bundle.accounts.update(stage.account, stage.encrypt(second.version), present=await stage.present())
    assert [one.key for one in await stage.bundle.accounts.read_scopes(stage.account)] == [first]


async def test_a_released_scope_is_on_microsoft_managed_keys(stage: Stage) -> None:
    version = stage.add_version()
    await protected(stage)
    await stage.put_scope("own", version)
    answer = await stage.bundle.accounts.release_scope(stage.account, ReleaseScope(name="own"))
    assert (answer.name, answer.key_source, answer.key) == ("own", "Microsoft.Storage", None)
    assert list(await stage.bundle.accounts.read_scopes(stage.account)) == [answer]


async def test_a_scope_cannot_leave_a_version_that_does_not_unwrap(stage: Stage) -> None:
    version = stage.add_version()
    await protected(stage)
    await stage.put_scope("own", version)
    stage.change(version, enabled=False)
    with pytest.raises(Refused):
        await stage.bundle.accounts.release_scope(stage.account, ReleaseScope(name="own"))
    assert [one.key for one in await stage.bundle.accounts.read_scopes(stage.account)] == [version]


async def test_a_release_whose_answer_is_lost_may_have_taken_effect(stage: Stage) -> None:
    version = stage.add_version()
    await protected(stage)
    await stage.put_scope("own", version)
    stage.lose_answer("release_scope")
    with pytest.raises(Unavailable):
        await stage.bundle.accounts.release_scope(stage.account, ReleaseScope(name="own"))
    assert [one.uses_vault for one in await stage.bundle.accounts.read_scopes(stage.account)] == [False]


@pytest.mark.parametrize("call", ["read_scopes", "release_scope"])
async def test_no_answer_about_scopes_is_an_outage(stage: Stage, call: str) -> None:
    stage.put_account()
    await stage.put_scope("plain")
    if call == "read_scopes":
        stage.silence("read_scopes")
        with pytest.raises(Unavailable):
            await stage.bundle.accounts.read_scopes(stage.account)
    else:
        stage.silence("release_scope")
        with pytest.raises(Unavailable):
            await stage.bundle.accounts.release_scope(stage.account, ReleaseScope(name="plain"))
