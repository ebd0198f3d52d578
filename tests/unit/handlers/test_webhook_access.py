"""Who may deliver to a customer's webhook: the customer's secret, rotated with its master, or Event Grid's token."""

import hashlib
import hmac
import logging
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.clouds import PUBLIC
from shared.errors import Unavailable
from shared.services.webhook_secrets import HEADER, make_secret
from tests.fakes import CUSTOMER_TENANT, PROVIDER_TENANT, make_settings
from tests.unit.handlers.api_client import CUSTOMER, Api, claims_of, sign
from tests.unit.handlers.deliveries import (
    OTHER_TENANT,
    api_with,
    deliver,
    grid_event,
    looks,
    masters,
    nothing_happened,
    own_key,
    secret,
    validation_event,
)

ROLE = "AzureEventGridSecureWebhookSubscriber"


async def accepts(api: Api, headers: dict[str, str]) -> bool:
    """Whether a delivery counts; one that does not says nothing and looks nothing up."""
    await own_key(api)
    api.world.claims.calls.clear()
    answer = await deliver(api, [grid_event()], headers)
    assert answer.status_code in (200, 401)
    assert (answer.status_code == 200) == (looks(api) == [("contoso", "primary")])
    if answer.status_code == 401:
        assert not api.world.claims.calls
        assert answer.json()["error"]["message"] == "This needs the customer's webhook key, or a token of Event Grid."
    return answer.status_code == 200


@pytest.mark.parametrize("presented", ["", "wrong", "0" * 64, "{good}x", "{good}, {good}", "{GOOD}", "{fabrikam}"])
async def test_a_wrong_secret_is_refused(api: Api, presented: str) -> None:
    good, fabrikam = secret(api)[HEADER], secret(api, "fabrikam")[HEADER]
    assert not await accepts(api, {HEADER: presented.format(good=good, GOOD=good.upper(), fabrikam=fabrikam)})


async def test_without_a_secret_nothing_is_taken(api: Api) -> None:
    assert not await accepts(api, {})
    assert await accepts(api, secret(api))


async def test_a_secret_that_is_not_ascii_is_refused(api: Api) -> None:
    sent = [(HEADER.encode(), b"\xff\xfe")]
    answer = await api.client.post("/api/webhooks/keyVault/contoso", json=[grid_event()], headers=sent)
    assert answer.status_code == 401
    assert nothing_happened(api)


@pytest.mark.parametrize("customer", ["Contoso", "contoso ", "co", "fabrikam", "con%00toso", "x" * 64, "%F0%9F%94%91"])
async def test_the_secret_counts_for_its_own_customer_alone(api: Api, customer: str) -> None:
    url = f"/api/webhooks/keyVault/{customer}"
    assert (await deliver(api, [grid_event()], secret(api), url=url)).status_code == 401
    assert nothing_happened(api)


async def test_customers_that_exist_and_that_do_not_are_refused_alike(api: Api) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    api.world.state.calls.clear()
    wrong = {HEADER: "wrong"}
    there = await deliver(api, [grid_event()], wrong)
    nowhere = await deliver(api, [grid_event()], wrong, url="/api/webhooks/keyVault/nobody")
    assert (there.status_code, there.json()) == (nowhere.status_code, nowhere.json())
    assert not api.world.state.calls


@pytest.mark.parametrize(
    ("keys", "accepted"),
    [("a", True), ("a, b", True), ("b, a", True), ("c, b, a", True), ("b", False), ("c, b", False)],
)
async def test_a_secret_holds_until_its_master_is_taken_from_the_list(keys: str, *, accepted: bool) -> None:
    before = make_settings(CROSSKEY_WEBHOOK_KEYS=masters("a"))
    api = api_with(masters(*keys.split(", ")))
    async with api.client:
        assert await accepts(api, {HEADER: str(make_secret(before, "contoso"))}) == accepted


async def test_the_first_master_makes_the_secret_that_is_handed_out() -> None:
    api = api_with(masters("b", "a"))
    async with api.client:
        await api.call("PUT", "/customers/contoso", json=CUSTOMER)
        answer = (await api.call("GET", "/customers/contoso/webhook")).json()
        newest = make_settings(CROSSKEY_WEBHOOK_KEYS=masters("b"))
        assert answer["headerValue"] == make_secret(newest, "contoso")
        assert await accepts(api, {answer["headerName"]: answer["headerValue"]})


async def test_without_masters_of_their_own_secrets_come_from_the_signing_key_under_its_own_label(api: Api) -> None:
    signing_key = bytes(api.world.bundle.settings.signing_key)
    master = hmac.digest(signing_key, b"crosskey webhook master", hashlib.sha256)
    expected = hmac.new(master, b"crosskey webhook secret\0contoso", hashlib.sha256).hexdigest()
    assert secret(api)[HEADER] == expected
    assert not await accepts(api, {HEADER: hmac.new(signing_key, b"contoso", hashlib.sha256).hexdigest()})


async def test_the_address_is_told_with_the_header_and_never_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    with caplog.at_level(logging.DEBUG):
        answer = await api.call_as_customer("GET", "/customers/contoso/webhook", tenant=CUSTOMER_TENANT)
        value = answer.json()["headerValue"]
        await deliver(api, [validation_event()], kind="SubscriptionValidation")
        await deliver(api, [grid_event()])
        await deliver(api, [grid_event()], {HEADER: f"{value}x"})
    assert answer.json() == {
        "url": "https://crosskey.azurewebsites.net/api/webhooks/keyVault/contoso",
        "headerName": HEADER,
        "headerValue": value,
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(value) == 64
    assert caplog.records
    assert value not in caplog.text
    assert value not in repr(api.world.bundle.settings)


def token(api: Api, *, tenant: str = PROVIDER_TENANT, role: str = ROLE, **changes: Any) -> dict[str, str]:
    """A bearer token as Event Grid's own application has it; a change to None leaves a claim out."""
    event_grid = {"azp": PUBLIC.event_grid_application, "oid": "principal", "sub": "principal"}
    return {"Authorization": f"Bearer {sign(claims_of(api.world, role, tenant=tenant, **(event_grid | changes)))}"}


@pytest.mark.parametrize("tenant", [PROVIDER_TENANT, CUSTOMER_TENANT])
async def test_a_token_of_event_grid_counts_from_the_providers_and_the_customers_tenant(api: Api, tenant: str) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    assert await accepts(api, token(api, tenant=tenant))


async def test_a_token_that_names_event_grid_in_version_1_counts(api: Api) -> None:
    assert await accepts(api, token(api, azp=None, appid=PUBLIC.event_grid_application))


@pytest.mark.parametrize(
    "changes",
    [
        {"azp": None},
        {"azp": "99999999-0000-4000-8000-000000000001"},
        {"appid": "99999999-0000-4000-8000-000000000001"},
        {"azp": [PUBLIC.event_grid_application]},
        {"role": "CrossKey.Admin"},
        {"role": "AzureEventGridSecureWebhookSubscriber2"},
        {"roles": ROLE},
        {"roles": None},
        {"aud": "https://eventgrid.azure.net"},
        {"aud": "99999999-0000-4000-8000-000000000001"},
        {"exp": 1},
        {"nbf": 4_000_000_000, "exp": 5_000_000_000},
        {"tenant": OTHER_TENANT},
        {"tid": CUSTOMER_TENANT},
        {"iss": f"https://sts.windows.net/{PROVIDER_TENANT}/"},
        {"iss": f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"},
    ],
)
async def test_any_other_token_is_refused(api: Api, changes: dict[str, Any]) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    assert not await accepts(api, token(api, **changes))


async def test_a_token_of_a_customers_tenant_counts_for_that_customer_alone(api: Api) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    await api.call("PUT", "/customers/fabrikam", json={"displayName": "Fabrikam", "tenantId": OTHER_TENANT})
    await own_key(api)
    for customer, status in (("contoso", 401), ("nobody", 401), ("fabrikam", 200)):
        headers, url = token(api, tenant=OTHER_TENANT), f"/api/webhooks/keyVault/{customer}"
        assert (await deliver(api, [grid_event()], headers, url=url)).status_code == status
    assert looks(api) == []


async def test_a_token_of_a_caller_of_the_api_is_none_of_event_grid(api: Api) -> None:
    assert not await accepts(api, api.headers("Admin"))


async def test_the_right_secret_counts_whatever_token_is_beside_it(api: Api) -> None:
    assert await accepts(api, secret(api) | {"Authorization": "Bearer nonsense"})


async def test_when_it_cannot_be_told_whether_a_token_holds_event_grid_delivers_again(api: Api) -> None:
    api.world.signing_keys.break_before(
        "find", Unavailable("Reading Entra's signing keys: no answer.", retry_after=timedelta(seconds=7))
    )
    answer = await deliver(api, [grid_event()], token(api))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    api.world.state.break_before("read_customer", Unavailable("Reading the table: no answer."))
    assert (await deliver(api, [grid_event()], token(api, tenant=CUSTOMER_TENANT))).status_code == 503
    assert not api.world.queue.items
