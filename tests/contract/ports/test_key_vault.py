"""What every vault port does when it is asked and refused: challenge, reading, versions, and each kind of no."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.identifiers import KeyIdentifier
from shared.errors import CredentialRefused, NameUnresolved, Refused, Throttled, Unavailable
from shared.ports import Challenge, KeyVault
from tests.contract.ports.stage import Call, Stage, Who

type Use = Callable[[KeyVault, KeyIdentifier, Who], Awaitable[Any]]

# With a token of the customer's tenant; unwrapping is given bytes that no version wrapped.
USES: dict[Call, Use] = {
    "read_key": lambda vault, key, who: vault.read_key(key, **who),
    "list_versions": lambda vault, key, who: vault.list_versions(key, **who),
    "wrap": lambda vault, key, who: vault.wrap(key, b"secret", **who),
    "unwrap": lambda vault, key, who: vault.unwrap(key, "AAAA", **who),
}
every_use = pytest.mark.parametrize("call", list(USES))
FIVE_SECONDS = timedelta(seconds=5)


async def use(stage: Stage, call: Call, key: KeyIdentifier | None = None) -> Any:
    return await USES[call](stage.bundle.vault, key or stage.add_version(), stage.who)


async def refusal(stage: Stage, call: Call, key: KeyIdentifier | None = None) -> tuple[int, str, str]:
    with pytest.raises(Refused) as refused:
        await use(stage, call, key)
    return refused.value.http_status, refused.value.azure_code, refused.value.inner_code


async def test_an_anonymous_look_tells_whose_vault_it_is(stage: Stage) -> None:
    # Nobody needs consent, a role or a key for it, and the firewall lets it through.
    stage.withdraw_consent()
    stage.revoke_role()
    stage.close_firewall()
    assert await stage.bundle.vault.read_challenge(stage.key) == Challenge(stage.tenant_id, "westeurope")


async def test_a_vault_that_does_not_exist_has_no_name(stage: Stage) -> None:
    nobodys = KeyIdentifier("nobody.vault.azure.net", "cmk", "0" * 32)
    with pytest.raises(NameUnresolved):
        await stage.bundle.vault.read_challenge(nobodys)
    # Also where no token could be had: the name comes first.
    stage.withdraw_consent()
    with pytest.raises(NameUnresolved):
        await stage.bundle.vault.read_key(nobodys, **stage.who)


async def test_a_key_is_read_with_all_that_the_checks_need(stage: Stage) -> None:
    made = stage.add_version(tags={"crosskey-x": "nonce"})
    now = stage.now().replace(microsecond=0)
    stage.change(made, not_before=now - timedelta(days=1), expires=now + timedelta(days=1))
    found = await stage.bundle.vault.read_key(stage.key, **stage.who)
    assert found is not None
    assert (found.version, found.key_type, found.bits, found.enabled) == (made.version, "RSA", stage.key_bits, True)
    assert {"wrapKey", "unwrapKey"} <= found.operations
    assert found.tags == {"crosskey-x": "nonce"}
    assert (found.not_before, found.expires) == (now - timedelta(days=1), now + timedelta(days=1))
    assert abs(found.created - now) < FIVE_SECONDS
    assert "Recoverable" in found.recovery_level
    assert "Purgeable" not in found.recovery_level


async def test_a_key_without_dates_and_tags_has_none(stage: Stage) -> None:
    stage.add_version()
    found = await stage.bundle.vault.read_key(stage.key, **stage.who)
    assert found is not None
    assert (found.not_before, found.expires, found.tags) == (None, None, {})


async def test_without_a_version_the_newest_is_read_and_with_one_that_one(stage: Stage) -> None:
    first = stage.add_version()
    stage.advance(FIVE_SECONDS)
    second = stage.add_version()
    for key, version in ((stage.key, second.version), (first, first.version), (second, second.version)):
        found = await stage.bundle.vault.read_key(key, **stage.who)
        assert found is not None
        assert found.version == version


async def test_a_key_is_found_whatever_the_case_of_its_name(stage: Stage) -> None:
    made = stage.add_version()
    found = await stage.bundle.vault.read_key(replace(made, key_name="CMK"), **stage.who)
    assert found is not None
    assert found.version == made.version


async def test_the_newest_version_is_read_though_it_is_disabled(stage: Stage) -> None:
    stage.add_version()
    stage.advance(FIVE_SECONDS)
    newest = stage.add_version()
    stage.change(newest, enabled=False)
    found = await stage.bundle.vault.read_key(stage.key, **stage.who)
    assert found is not None
    assert (found.version, found.enabled) == (newest.version, False)


async def test_a_key_or_version_that_is_not_there_is_none(stage: Stage) -> None:
    assert await stage.bundle.vault.read_key(stage.key, **stage.who) is None
    stage.add_version()
    assert await stage.bundle.vault.read_key(stage.key.with_version("0" * 32), **stage.who) is None
    stage.delete_key()
    assert await stage.bundle.vault.read_key(stage.key, **stage.who) is None


async def test_versions_are_listed_newest_first_and_disabled_ones_too(stage: Stage) -> None:
    made = []
    for _ in range(3):
        made.append(stage.add_version())
        stage.advance(FIVE_SECONDS)
    stage.change(made[1], enabled=False)
    found = await stage.bundle.vault.list_versions(stage.key, **stage.who)
    expected = [(made[2].version, True), (made[1].version, False), (made[0].version, True)]
    assert [(version, enabled) for version, enabled, _ in found] == expected
    assert found[0][2] > found[1][2] > found[2][2]
    assert list(await stage.bundle.vault.list_versions(made[0], **stage.who)) == list(found)


async def test_a_key_that_is_not_there_has_no_versions(stage: Stage) -> None:
    assert list(await stage.bundle.vault.list_versions(stage.key, **stage.who)) == []
    stage.add_version()
    stage.delete_key()
    assert list(await stage.bundle.vault.list_versions(stage.key, **stage.who)) == []


@every_use
async def test_a_missing_role_is_refused_with_its_inner_code(stage: Stage, call: Call) -> None:
    stage.revoke_role()
    assert await refusal(stage, call) == (403, "Forbidden", "ForbiddenByRbac")


@pytest.mark.parametrize("bypass", [True, False])
async def test_a_firewall_is_told_from_a_missing_role_and_says_who_may_pass(stage: Stage, bypass: bool) -> None:
    stage.add_version()
    stage.revoke_role()
    stage.close_firewall(bypass=bypass)
    with pytest.raises(Refused) as refused:
        await stage.bundle.vault.read_key(stage.key, **stage.who)
    assert (refused.value.http_status, refused.value.inner_code) == (403, "ForbiddenByFirewall")
    assert ("bypass is set to None" in refused.value.detail) is not bypass


@every_use
async def test_a_firewall_stops_every_use(stage: Stage, call: Call) -> None:
    key = stage.add_version()
    stage.close_firewall()
    assert await refusal(stage, call, key) == (403, "Forbidden", "ForbiddenByFirewall")


@every_use
async def test_a_vault_of_another_tenant_is_refused_before_any_token(stage: Stage, call: Call) -> None:
    key = stage.add_foreign_key()
    # Were a token asked for, its refusal would show.
    stage.withdraw_consent()
    assert await refusal(stage, call, key) == (401, "Unauthorized", "VaultInAnotherTenant")


@every_use
async def test_without_consent_the_token_is_refused(stage: Stage, call: Call) -> None:
    key = stage.add_version()
    stage.withdraw_consent()
    with pytest.raises(CredentialRefused):
        await use(stage, call, key)


@every_use
@pytest.mark.parametrize("wait", [timedelta(seconds=240), None])
async def test_throttling_is_passed_on_with_the_delay_if_one_was_named(
    stage: Stage, call: Call, wait: timedelta | None
) -> None:
    key = stage.add_version()
    stage.throttle(call, wait)
    with pytest.raises(Throttled) as throttled:
        await use(stage, call, key)
    assert throttled.value.retry_after == wait


@pytest.mark.parametrize("call", ["read_challenge", *USES])
async def test_silence_is_could_not_tell(stage: Stage, call: Call) -> None:
    key = stage.add_version()
    stage.silence(call)
    with pytest.raises(Unavailable) as unavailable:
        await (stage.bundle.vault.read_challenge(key) if call == "read_challenge" else use(stage, call, key))
    assert type(unavailable.value) is Unavailable


async def test_a_refusal_with_a_code_nobody_knows_keeps_it(stage: Stage) -> None:
    key = stage.add_version()
    await stage.bundle.vault.wrap(key, b"x", **stage.who)
    stage.refuse("wrap", status=409, code="SomethingNew")
    with pytest.raises(Refused) as refused:
        await stage.bundle.vault.wrap(key, b"x", **stage.who)
    assert (refused.value.http_status, refused.value.azure_code) == (409, "SomethingNew")
    assert refused.value.detail
