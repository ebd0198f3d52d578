"""What every vault port does with bytes: one version wraps and unwraps, as far as its attributes allow."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.identifiers import KeyIdentifier
from shared.errors import Refused
from tests.contract.ports.stage import Stage

SECRET = bytes(range(32))
FIVE_SECONDS, DAY = timedelta(seconds=5), timedelta(days=1)


async def wrap(stage: Stage, key: KeyIdentifier) -> str:
    return await stage.bundle.vault.wrap(key, SECRET, **stage.who)


async def unwrap(stage: Stage, key: KeyIdentifier, wrapped: str) -> bytes:
    return await stage.bundle.vault.unwrap(key, wrapped, **stage.who)


def code(refused: pytest.ExceptionInfo[Refused]) -> tuple[int, str]:
    return refused.value.http_status, refused.value.inner_code or refused.value.azure_code


async def test_what_a_version_wrapped_it_unwraps(stage: Stage) -> None:
    key = stage.add_version()
    wrapped = await wrap(stage, key)
    assert set(wrapped) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert await unwrap(stage, key, wrapped) == SECRET


async def test_the_case_of_a_keys_name_makes_no_difference(stage: Stage) -> None:
    key = stage.add_version()
    wrapped = await wrap(stage, replace(key, key_name="CMK"))
    assert await unwrap(stage, key, wrapped) == SECRET


async def test_wrapping_twice_gives_two_texts(stage: Stage) -> None:
    key = stage.add_version()
    assert await wrap(stage, key) != await wrap(stage, key)


async def test_an_older_version_still_unwraps_what_it_wrapped_and_no_other_does(stage: Stage) -> None:
    older = stage.add_version()
    wrapped = await wrap(stage, older)
    stage.advance(FIVE_SECONDS)
    newer = stage.add_version()
    assert await unwrap(stage, older, wrapped) == SECRET
    with pytest.raises(Refused) as refused:
        await unwrap(stage, newer, wrapped)
    assert code(refused) == (400, "BadParameter")


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!"])
async def test_bytes_that_nothing_wrapped_are_refused(stage: Stage, text: str) -> None:
    with pytest.raises(Refused) as refused:
        await unwrap(stage, stage.add_version(), text)
    assert code(refused) == (400, "BadParameter")


async def test_a_disabled_version_does_not_unwrap_but_may_wrap(stage: Stage) -> None:
    key = stage.add_version()
    wrapped = await wrap(stage, key)
    stage.change(key, enabled=False)
    with pytest.raises(Refused) as refused:
        await unwrap(stage, key, wrapped)
    assert code(refused) == (403, "KeyDisabled")
    again = await wrap(stage, key)
    stage.change(key, enabled=True)
    assert await unwrap(stage, key, again) == SECRET


async def test_an_expired_version_does_not_wrap_but_unwraps(stage: Stage) -> None:
    key = stage.add_version()
    wrapped = await wrap(stage, key)
    stage.change(key, expires=stage.now() - FIVE_SECONDS)
    with pytest.raises(Refused) as refused:
        await wrap(stage, key)
    assert code(refused) == (403, "KeyExpired")
    assert await unwrap(stage, key, wrapped) == SECRET


async def test_a_version_that_is_not_yet_valid_does_not_wrap_but_unwraps(stage: Stage) -> None:
    key = stage.add_version()
    wrapped = await wrap(stage, key)
    stage.change(key, not_before=stage.now() + DAY)
    with pytest.raises(Refused) as refused:
        await wrap(stage, key)
    assert code(refused) == (403, "KeyNotYetValid")
    assert await unwrap(stage, key, wrapped) == SECRET


async def test_each_version_has_its_own_attributes(stage: Stage) -> None:
    older = stage.add_version()
    wrapped = await wrap(stage, older)
    stage.advance(FIVE_SECONDS)
    stage.change(stage.add_version(), enabled=False)
    assert await unwrap(stage, older, wrapped) == SECRET


async def test_an_operation_that_the_key_does_not_permit_is_refused(stage: Stage) -> None:
    key = stage.add_version()
    stage.change(key, operations=frozenset({"wrapKey"}))
    wrapped = await wrap(stage, key)
    with pytest.raises(Refused) as refused:
        await unwrap(stage, key, wrapped)
    assert code(refused) == (403, "KeyOperationForbidden")


async def test_a_version_that_is_gone_is_refused(stage: Stage) -> None:
    key = stage.add_version()
    wrapped = await wrap(stage, key)
    with pytest.raises(Refused) as refused:
        await wrap(stage, key.with_version("0" * 32))
    assert code(refused) == (404, "KeyNotFound")
    stage.delete_key()
    with pytest.raises(Refused) as refused:
        await unwrap(stage, key, wrapped)
    assert code(refused) == (404, "KeyNotFound")


async def test_only_one_version_can_wrap_and_unwrap(stage: Stage) -> None:
    stage.add_version()
    with pytest.raises(ValueError, match="version"):
        await wrap(stage, stage.key)
    with pytest.raises(ValueError, match="version"):
        await unwrap(stage, stage.key, "AAAA")
