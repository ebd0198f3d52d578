"""Offboarding over HTTP: the operation to follow, the confirmation of giving up, the statement."""

from tests.unit.handlers.api_client import Api

CUSTOMER = {"displayName": "Contoso", "tenantId": "20000000-0000-4000-8000-000000000001"}


async def test_offboarding_is_accepted_and_names_the_operation_to_follow(api: Api) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    answer = await api.call("DELETE", "/customers/contoso")
    assert answer.status_code == 202
    operation = answer.json()
    assert (operation["kind"], operation["status"]) == ("offboardCustomer", "Running")
    assert answer.headers["Operation-Location"].endswith(f"/customers/contoso/operations/{operation['id']}")
    assert (await api.call("GET", "/customers/contoso")).json()["phase"] == "offboarding"


async def test_giving_up_needs_the_customers_id_in_the_body(api: Api) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    answer = await api.call("DELETE", "/customers/contoso?abandon=true", role="Admin", json={"confirm": "fabrikam"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["target"]) == (400, "NotConfirmed", "confirm")


async def test_there_is_no_statement_before_a_customer_has_left(api: Api) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    answer = await api.call("GET", "/customers/contoso/statement")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "StatementNotFound")


async def test_giving_up_without_a_body_is_refused(api: Api) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    answer = await api.call("DELETE", "/customers/contoso?abandon=true", role="Admin")
    assert (answer.status_code, answer.json()["error"]["target"]) == (400, "confirm")


async def test_a_confirmation_alone_gives_nothing_up(api: Api) -> None:
    await api.call("PUT", "/customers/contoso", json=CUSTOMER)
    await api.call("DELETE", "/customers/contoso", json={"confirm": "contoso"})
    stored = await api.world.state.read_customer("contoso")
    assert stored is not None
    assert (stored.value.leaving_since is None, stored.value.abandoned_at) == (False, None)
