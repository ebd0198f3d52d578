"""Consent: the link, Entra's answer, and the token that alone counts."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from shared.domain.model import ConsentState
from shared.domain.work import WorkKind
from shared.errors import BadInput, NotFound, Unavailable
from shared.services.consent import (
    CALLBACK_PATH,
    LINK_LIFETIME,
    STATE_AUDIENCE,
    ConsentAnswer,
    answer_consent,
    confirm_consent,
    create_consent_link,
)
from shared.services.customers import put_customer
from tests.fakes import APPLICATION, CUSTOMER_TENANT, PROVIDER_TENANT, FakeWorld, make_world
from tests.unit.shared.services.stage import CONTOSO, ORIGIN, verified_key


async def world_of(*customers: str) -> FakeWorld:
    world = make_world()
    for customer_id in customers or (CONTOSO,):
        await put_customer(
            world.bundle, customer_id, display_name="C", tenant_id=CUSTOMER_TENANT, if_match=None, origin=ORIGIN
        )
    return world


async def link(world: FakeWorld, customer_id: str = CONTOSO) -> dict[str, str]:
    url = (await create_consent_link(world.bundle, customer_id, origin=ORIGIN)).url
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def answer(world: FakeWorld, state: str, **changes: Any) -> ConsentAnswer:
    given: dict[str, Any] = {
        "tenant": CUSTOMER_TENANT,
        "admin_consent": "True",
        "error": None,
        "error_description": None,
        **changes,
    }
    return await answer_consent(world.bundle, state=state, origin=ORIGIN, **given)


async def state_of(world: FakeWorld) -> ConsentState:
    stored = await world.state.read_customer(CONTOSO)
    assert stored is not None
    return stored.value.consent.state


def forge(world: FakeWorld, *, key: bytes | None = None, **changes: Any) -> str:
    claims = {
        "sub": CONTOSO,
        "jti": "guessed",
        "exp": world.clock.now() + LINK_LIFETIME,
        "aud": STATE_AUDIENCE,
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key or bytes(world.bundle.settings.signing_key), algorithm="HS256")


async def refused_code(world: FakeWorld, state: str, **changes: Any) -> str:
    writes = world.state.writes
    with pytest.raises(BadInput) as raised:
        await answer(world, state, **changes)
    assert world.state.writes == writes
    assert await state_of(world) is ConsentState.UNKNOWN
    assert world.credentials.calls["obtain"] == 0
    return raised.value.code


async def test_the_link_leads_to_the_registered_tenant_and_back_to_us() -> None:
    world = await world_of()
    made = await create_consent_link(world.bundle, CONTOSO, origin=ORIGIN)
    url = urlsplit(made.url)
    query = parse_qs(url.query)
    assert (url.hostname, url.path) == ("login.microsoftonline.com", f"/{CUSTOMER_TENANT}/v2.0/adminconsent")
    assert query["client_id"] == [APPLICATION]
    assert query["scope"] == ["https://vault.azure.net/.default"]
    assert query["redirect_uri"] == [world.bundle.settings.public_url + CALLBACK_PATH]
    assert made.expires_at == world.clock.now() + LINK_LIFETIME


async def test_consent_counts_at_once_when_a_token_comes() -> None:
    world = await world_of()
    state = (await link(world))["state"]
    world.credentials.consent(CUSTOMER_TENANT, APPLICATION)
    answered = await answer(world, state)
    assert (answered.customer_id, answered.outcome) == (CONTOSO, "confirmed")
    assert await state_of(world) is ConsentState.GRANTED


async def test_consent_without_a_token_is_pending_and_confirmed_by_the_work_that_follows() -> None:
    world = await world_of()
    state = (await link(world))["state"]
    assert (await answer(world, state)).outcome == "pending"
    assert await state_of(world) is not ConsentState.GRANTED
    assert WorkKind.CHECK_CUSTOMER in {item.kind for item in world.queue.items}
    world.credentials.consent(CUSTOMER_TENANT, APPLICATION)
    assert await confirm_consent(world.bundle, CONTOSO, origin=ORIGIN) is ConsentState.GRANTED


async def test_a_declined_consent_says_why_and_grants_nothing() -> None:
    world = await world_of()
    state = (await link(world))["state"]
    answered = await answer(
        world, state, tenant=None, admin_consent=None, error="access_denied", error_description="AADSTS65004: declined"
    )
    assert (answered.outcome, answered.message) == ("declined", "AADSTS65004: declined")
    assert await state_of(world) is ConsentState.UNKNOWN
    assert world.credentials.calls["obtain"] == 0


@pytest.mark.parametrize("admin_consent", [None, "False", ""])
async def test_an_answer_that_does_not_say_yes_is_a_no(admin_consent: str | None) -> None:
    world = await world_of()
    state = (await link(world))["state"]
    assert (await answer(world, state, admin_consent=admin_consent)).outcome == "declined"


async def test_a_link_is_good_for_one_answer() -> None:
    world = await world_of()
    state = (await link(world))["state"]
    await answer(world, state, error="access_denied", admin_consent=None)
    assert await refused_code(world, state) == "ConsentLinkUsed"


async def test_a_newer_link_replaces_the_one_before() -> None:
    world = await world_of()
    first = (await link(world))["state"]
    second = (await link(world))["state"]
    assert await refused_code(world, first) == "ConsentLinkUsed"
    assert (await answer(world, second)).outcome == "pending"


async def test_a_link_expires_after_an_hour() -> None:
    world = await world_of()
    state = (await link(world))["state"]
    world.clock.advance(LINK_LIFETIME)
    assert await refused_code(world, state) == "ConsentStateInvalid"


async def test_a_link_holds_until_its_hour_is_over() -> None:
    world = await world_of()
    state = (await link(world))["state"]
    world.clock.advance(LINK_LIFETIME - timedelta(seconds=2))
    assert (await answer(world, state)).outcome == "pending"


@pytest.mark.parametrize("tenant", [PROVIDER_TENANT, "", None])
async def test_consent_in_another_tenant_is_refused_and_the_link_stays_good(tenant: str | None) -> None:
    world = await world_of()
    state = (await link(world))["state"]
    assert await refused_code(world, state, tenant=tenant) == "ConsentInAnotherTenant"
    assert (await answer(world, state, tenant=CUSTOMER_TENANT.upper())).outcome == "pending"


@pytest.mark.parametrize(
    "changes",
    [
        {"key": b"another key of thirty-two bytes!!"},
        {"aud": "crosskey-session"},
        {"aud": None},
        {"exp": None},
        {"jti": None},
        {"sub": None},
    ],
)
async def test_a_forged_or_incomplete_state_is_refused(changes: dict[str, Any]) -> None:
    world = await world_of()
    await link(world)
    assert await refused_code(world, forge(world, **changes)) == "ConsentStateInvalid"


@pytest.mark.parametrize("state", ["", "x", "a.b.c", "ä"])
async def test_what_is_no_state_at_all_is_refused(state: str) -> None:
    world = await world_of()
    assert await refused_code(world, state) == "ConsentStateInvalid"


async def test_an_unsigned_state_is_refused() -> None:
    world = await world_of()
    claims = {"sub": CONTOSO, "jti": "x", "exp": world.clock.now() + LINK_LIFETIME, "aud": STATE_AUDIENCE}
    assert await refused_code(world, jwt.encode(claims, "", algorithm="none")) == "ConsentStateInvalid"


async def test_a_guessed_link_id_is_refused() -> None:
    world = await world_of()
    await link(world)
    assert await refused_code(world, forge(world)) == "ConsentLinkUsed"


async def test_a_link_of_one_customer_does_not_answer_for_another() -> None:
    world = await world_of(CONTOSO, "fabrikam")
    await link(world)
    state = (await link(world, "fabrikam"))["state"]
    claims = jwt.decode(state, options={"verify_signature": False})
    assert await refused_code(world, forge(world, jti=claims["jti"])) == "ConsentLinkUsed"


async def test_a_link_for_nobody_is_not_made() -> None:
    world = await world_of()
    with pytest.raises(NotFound):
        await create_consent_link(world.bundle, "fabrikam", origin=ORIGIN)


async def test_an_outage_of_entra_takes_no_consent_away() -> None:
    stage = await verified_key()
    stage.world.credentials.break_before("obtain", Unavailable("no answer"))
    writes = stage.world.state.writes
    assert await confirm_consent(stage.bundle, CONTOSO, origin=ORIGIN) is ConsentState.GRANTED
    assert stage.world.state.writes == writes


async def test_our_own_broken_credential_takes_no_consent_away() -> None:
    stage = await verified_key()
    stage.world.credentials.withdraw(CUSTOMER_TENANT, APPLICATION, aadsts=700213)
    assert await confirm_consent(stage.bundle, CONTOSO, origin=ORIGIN) is ConsentState.GRANTED


async def test_withdrawn_consent_is_seen_past_the_cached_token() -> None:
    stage = await verified_key()
    stage.world.credentials.withdraw(CUSTOMER_TENANT, APPLICATION)
    assert await confirm_consent(stage.bundle, CONTOSO, origin=ORIGIN) is ConsentState.MISSING


async def test_consent_confirmed_again_writes_nothing() -> None:
    stage = await verified_key()
    writes = stage.world.state.writes
    await confirm_consent(stage.bundle, CONTOSO, origin=ORIGIN)
    assert stage.world.state.writes == writes


async def test_a_customer_is_welcomed_once() -> None:
    stage = await verified_key()
    for _ in range(3):
        await confirm_consent(stage.bundle, CONTOSO, origin=ORIGIN)
    await stage.work_off()
    assert stage.announced().count("CustomerOnboarded") == 1
