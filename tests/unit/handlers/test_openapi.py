"""The OpenAPI document and the page that lists it."""

import re
from html import unescape

import pytest

from handlers.api import problems
from handlers.api.problems import Problem
from tests.unit.handlers.api_client import Api

PAGES = {"/api/consent/callback"}
ANONYMOUS = {"/api/live", "/api/ready", *PAGES}
WEBHOOK = "/api/webhooks/keyVault/{customerId}"


async def test_every_operation_has_a_clean_id_and_documents_its_errors(api: Api) -> None:
    document = (await api.client.get("/api/openapi.json")).json()
    operations = [
        (path, one) for path, methods in document["paths"].items() for one in methods.values() if path != WEBHOOK
    ]
    ids = [one["operationId"] for _, one in operations]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][A-Za-z]+", one) for one in ids)
    for path, one in operations:
        assert one["summary"]
        assert one["description"]
        assert "422" not in one["responses"]
        error = one["responses"]["default"]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/ErrorAnswer"}
        assert ("security" in one) == (path not in ANONYMOUS)
        assert {"400", "401", "403", "404", "503"} <= set(one["responses"]) or path in ANONYMOUS
    assert document["components"]["securitySchemes"]["entra"]["scheme"] == "bearer"


async def test_the_webhook_has_credentials_of_its_own(api: Api) -> None:
    document = (await api.client.get("/api/openapi.json")).json()
    webhook, schemes = document["paths"][WEBHOOK], document["components"]["securitySchemes"]
    assert [set(one) for one in webhook["post"]["security"]] == [{"webhookKey"}, {"eventGrid"}]
    assert "security" not in webhook["options"]
    assert (schemes["webhookKey"]["in"], schemes["webhookKey"]["name"]) == ("header", "x-crosskey-webhook-key")
    assert {"200", "401", "413", "503", "default"} == set(webhook["post"]["responses"])
    assert "entra" in document["paths"]["/api/customers/{customerId}/webhook"]["get"]["security"][0]


async def test_every_member_is_camel_case(api: Api) -> None:
    schemas = (await api.client.get("/api/openapi.json")).json()["components"]["schemas"]
    members = {name for schema in schemas.values() for name in schema.get("properties", {})}
    assert [name for name in members if not re.fullmatch(r"[a-z][A-Za-z0-9]*", name)] == []


async def test_the_documentation_lists_every_route_and_loads_nothing(api: Api) -> None:
    page = await api.client.get("/api/docs")
    assert page.status_code == 200
    document = (await api.client.get("/api/openapi.json")).json()
    for path in document["paths"]:
        assert path in unescape(page.text)
    assert re.findall(r"https?://|<script|<link|<img", page.text) == []


@pytest.mark.parametrize("problem", Problem)
def test_every_code_has_its_sentence(problem: Problem) -> None:
    assert problems.MEANINGS[problem].endswith(".")
