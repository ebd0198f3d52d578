"""Attesting ownership over HTTP: what is answered, what is kept, and what is refused."""

from typing import Any

import pytest

from shared.stores import Claim
from tests.fakes import APPLICATION, CUSTOMER_TENANT
from tests.unit.handlers.api_client import CALLER, CUSTOMER, KEY, Api

AT_KEY = "/customers/contoso/keys/primary"
ATTEST = f"{AT_KEY}/attestOwnership"
REASON = "Confirmed by telephone with Contoso's security officer."


async def register(api: Api) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    api.world.vault.add_version(api.world.vault.add_vault("contoso", CUSTOMER_TENANT, APPLICATION), "cmk")
    await api.call("PUT", AT_KEY, json=KEY)


async def test_an_attested_key_says_so_and_the_timeline_says_who_and_why(api: Api) -> None:
    await register(api)
    answer = await api.call("POST", ATTEST, json={"reason": REASON})
    assert answer.status_code == 200
    assert (answer.json()["ownership"]["state"], answer.json()["consequences"]) == ("attested", None)
    assert answer.headers["ETag"] == (await api.call("GET", AT_KEY)).headers["ETag"]
    (entry,) = [
        row.entry
        for row in await api.world.state.read_outbox("contoso", limit=100)
        if row.entry.type.value == "KeyOwnershipAttested"
    ]
    assert entry.data == {"key": "primary", "keyIdentifier": KEY["keyIdentifier"], "reason": REASON}
    assert CALLER in entry.origin.actor


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": None},
        {"reason": 1234567890},
        {"reason": "too short"},
        {"reason": " " * 20},
        {"reason": "x" * 501},
        {"reason": "a line\nand another"},
        {"reason": REASON, "state": "proven"},
    ],
)
async def test_a_reason_must_be_given_in_words(api: Api, body: dict[str, Any]) -> None:
    await register(api)
    answer = await api.call("POST", ATTEST, json=body)
    assert answer.status_code == 400
    assert (await api.call("GET", AT_KEY)).json()["ownership"]["state"] == "unproven"


async def test_a_padded_reason_is_as_short_as_its_words(api: Api) -> None:
    await register(api)
    answer = await api.call("POST", ATTEST, json={"reason": "short" + " " * 20})
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "reason")


async def test_a_key_of_another_registration_is_refused_without_a_word_of_it(api: Api) -> None:
    await register(api)
    identifier = (await api.world.state.read_key("contoso", "primary")).value.identifier.claim  # type: ignore[union-attr]  # it was registered
    now = api.world.clock.now()
    await api.world.claims.claim(
        Claim(kind="key", identifier=identifier, customer_id="fabrikam", row="key:main", claimed_at=now)
    )
    answer = await api.call("POST", ATTEST, json={"reason": REASON})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "KeyClaimed")
    assert "fabrikam" not in answer.text


async def test_a_customers_own_administrator_cannot_answer_for_himself(api: Api) -> None:
    await register(api)
    answer = await api.call_as_customer("POST", ATTEST, tenant=CUSTOMER_TENANT, json={"reason": REASON})
    assert answer.status_code == 403
    assert (await api.call("GET", AT_KEY)).json()["ownership"]["state"] == "unproven"
