"""New storage accounts and system-assigned identities over HTTP: what a request may ask, and what an answer shows."""

from typing import Any

import pytest

from tests.fakes import PROVIDER_TENANT
from tests.unit.handlers.api_client import CUSTOMER, KEY, Api
from tests.unit.shared.services.stage import ACCOUNT

CREATE: dict[str, Any] = {"location": "westeurope", "sku": "Standard_LRS", "kind": "StorageV2"}
RESOURCE = {"resourceId": str(ACCOUNT), "key": "primary"}
AT_CUSTOMER = "/customers/contoso"
AT_KEY = f"{AT_CUSTOMER}/keys/primary"
AT_RESOURCE = f"{AT_CUSTOMER}/resources/data"


def wrong(**members: Any) -> dict[str, Any]:
    return RESOURCE | {"create": CREATE | members}


@pytest.mark.parametrize(
    ("body", "code", "target"),
    [
        (RESOURCE | {"create": {}}, "MissingField", "create.location"),
        (RESOURCE | {"create": "yes"}, "WrongType", "create"),
        (wrong(location="West Europe"), "InvalidValue", "create.location"),
        (wrong(location=7), "WrongType", "create.location"),
        (wrong(sku="Standard"), "InvalidValue", "create.sku"),
        (wrong(kind="Storage"), "InvalidValue", "create.kind"),
        (wrong(kind="FileStorage"), "InvalidValue", "create"),
        (wrong(kind="FileStorage", sku="Premium_LRS", coverage=["queue"]), "InvalidValue", "create"),
        (wrong(coverage=["queue", "queue"]), "InvalidValue", "create.coverage"),
        (wrong(coverage=["blob"]), "InvalidValue", "create.coverage.0"),
        (wrong(minimumTlsVersion="TLS1_0"), "InvalidValue", "create.minimumTlsVersion"),
        (wrong(tags={"a<b": "x"}), "InvalidValue", "create.tags"),
        (wrong(tags={"owner": "x" * 257}), "InvalidValue", "create.tags"),
        (wrong(tags={"Owner": "x", "owner": "y"}), "InvalidValue", "create.tags"),
        (wrong(tags={str(number): "x" for number in range(51)}), "InvalidValue", "create.tags"),
        (wrong(access="Hot"), "UnknownField", "create.access"),
        (RESOURCE | {"identity": "own"}, "InvalidValue", "identity"),
        (RESOURCE | {"identity": "systemAssigned"}, "SystemIdentityAcrossTenants", "identity"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_stored(
    api: Api, body: dict[str, Any], code: str, target: str
) -> None:
    await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    await api.call("PUT", AT_KEY, json=KEY)
    api.world.state.calls.clear()
    answer = await api.call("PUT", AT_RESOURCE, json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["target"]) == (code, target)
    assert api.world.state.writes == 0


async def test_a_new_account_of_the_same_tenant_cannot_use_its_own_identity(api: Api) -> None:
    await api.call("PUT", AT_CUSTOMER, json=CUSTOMER | {"tenantId": PROVIDER_TENANT})
    await api.call("PUT", AT_KEY, json=KEY)
    answer = await api.call("PUT", AT_RESOURCE, json=RESOURCE | {"identity": "systemAssigned", "create": CREATE})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "SystemIdentityForNewAccount")
    accepted = await api.call("PUT", AT_RESOURCE, json=RESOURCE | {"identity": "systemAssigned"})
    assert (accepted.status_code, accepted.json()["identity"]) == (202, "systemAssigned")


async def test_what_is_to_be_made_is_shown_with_its_defaults(api: Api) -> None:
    await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    await api.call("PUT", AT_KEY, json=KEY)
    wanted = CREATE | {"coverage": ["table", "queue"], "tags": {"owner": "vendor"}}
    answer = await api.call("PUT", AT_RESOURCE, json=RESOURCE | {"create": wanted})
    assert answer.status_code == 202
    shown = CREATE | {"coverage": ["queue", "table"], "minimumTlsVersion": "TLS1_2", "tags": {"owner": "vendor"}}
    assert answer.json()["create"] == shown
    assert answer.json()["identity"] == "userAssigned"
    again = await api.call("PUT", AT_RESOURCE, json=RESOURCE | {"create": shown})
    assert again.headers["Operation-Location"] == answer.headers["Operation-Location"]


async def test_an_existing_account_has_nothing_to_be_made(api: Api) -> None:
    await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    await api.call("PUT", AT_KEY, json=KEY)
    assert (await api.call("PUT", AT_RESOURCE, json=RESOURCE)).json()["create"] is None


async def test_openapi_documents_what_a_new_account_may_be(api: Api) -> None:
    schemas = (await api.client.get("/api/openapi.json")).json()["components"]["schemas"]
    body = schemas["CreateBody"]
    assert set(body["required"]) == {"location", "sku", "kind"}
    assert body["additionalProperties"] is False
    assert body["description"]
