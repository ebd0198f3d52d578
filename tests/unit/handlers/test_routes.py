"""What routes answer when all is well: shapes, headers, pages of lists, and concurrency by ETag."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from handlers.api.pages import CONTENT_SECURITY_POLICY
from shared.domain.identifiers import StorageAccountId
from shared.domain.remedies import ownership_tag
from shared.services import work
from tests.fakes import APPLICATION, CUSTOMER_TENANT, SUBSCRIPTION, FakeClock, FakeVault, make_world
from tests.unit.handlers.api_client import CUSTOMER, KEY, Api, make_api

ACCOUNT = StorageAccountId(SUBSCRIPTION, "rg", "contosodata")
RESOURCE = {"resourceId": str(ACCOUNT), "key": "primary"}
AT_CUSTOMER = "/customers/contoso"
AT_KEY = f"{AT_CUSTOMER}/keys/primary"
AT_RESOURCE = f"{AT_CUSTOMER}/resources/data"


async def work_off(api: Api) -> None:
    """Perform everything that is on the queue, as the queue trigger would."""
    for _ in range(20):
        for item in api.world.queue.take():
            await work.perform(api.world.bundle, item)
        if api.world.queue.next_visible is None:
            return
        api.world.clock.advance(timedelta(seconds=1))


async def register_key(api: Api, *, healthy: bool = True) -> FakeVault:
    """A customer whose key is verified, or lacks purge protection."""
    await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    stored = await api.world.state.read_customer("contoso")
    assert stored is not None
    api.world.credentials.consent(CUSTOMER_TENANT, APPLICATION)
    vault = api.world.vault.add_vault("contoso", CUSTOMER_TENANT, APPLICATION)
    vault.recovery_level = "CustomizedRecoverable" if healthy else "Recoverable+Purgeable"
    key = api.world.vault.add_version(vault, "cmk")
    api.world.vault.change(key, tags=dict([ownership_tag(stored.value)]))
    await api.call("PUT", AT_KEY, json=KEY)
    return vault


async def test_a_customer_is_created_then_updated(api: Api) -> None:
    created = await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    assert created.status_code == 201
    assert created.json() == {
        "id": "contoso",
        "displayName": "Contoso",
        "tenantId": CUSTOMER_TENANT,
        "application": APPLICATION,
        "phase": "onboarding",
        "consent": {"state": "unknown", "since": None},
        "counts": {"keys": {}, "resources": {}},
        "createdAt": "2026-11-22T09:00:00Z",
        "onboardedAt": None,
        "attention": None,
    }
    updated = await api.call("PUT", AT_CUSTOMER, json=CUSTOMER | {"displayName": "Contoso Ltd"})
    assert (updated.status_code, updated.json()["displayName"]) == (200, "Contoso Ltd")
    read = await api.call("GET", AT_CUSTOMER)
    assert read.json() == updated.json()
    assert read.headers["ETag"] == updated.headers["ETag"] != created.headers["ETag"]


async def test_the_same_put_again_changes_nothing(api: Api) -> None:
    first = await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    again = await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
    assert (again.status_code, again.headers["ETag"]) == (200, first.headers["ETag"])


async def test_a_write_under_an_old_etag_is_refused(api: Api) -> None:
    old = (await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)).headers["ETag"]
    body = CUSTOMER | {"displayName": "Other"}
    assert (await api.call("PUT", AT_CUSTOMER, json=body, headers={"If-Match": old})).status_code == 200
    answer = await api.call("PUT", AT_CUSTOMER, json=CUSTOMER, headers={"If-Match": old})
    assert (answer.status_code, answer.json()["error"]["code"]) == (412, "PreconditionFailed")


async def test_every_answer_carries_the_safety_headers(api: Api) -> None:
    for path in ("/live", "/docs", "/openapi.json", "/nowhere", "/customers"):
        answer = await api.client.get(f"/api{path}", headers={"x-ms-client-request-id": "portal-7"})
        assert len(answer.headers["x-ms-request-id"]) == 32
        assert answer.headers["x-ms-client-request-id"] == "portal-7"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("client_id", ["two\twords", "x" * 129, "<script>", ""])
async def test_a_malformed_client_request_id_is_not_echoed(api: Api, client_id: str) -> None:
    answer = await api.client.get("/api/live", headers={"x-ms-client-request-id": client_id})
    assert "x-ms-client-request-id" not in answer.headers


async def test_customers_are_listed_page_by_page(api: Api) -> None:
    for name in ("ada", "ben", "cleo", "dora", "emil"):
        await api.call("PUT", f"/customers/{name}", json=CUSTOMER)
    await work_off(api)
    seen: list[str] = []
    path = "/customers?top=2&phase=onboarding"
    while path:
        page = (await api.call("GET", path)).json()
        seen.append("+".join(one["id"] for one in page["value"]))
        link = urlsplit(page["nextLink"] or "")
        assert link.hostname in (None, "crosskey.azurewebsites.net")
        path = f"{link.path.removeprefix('/api')}?{link.query}" if page["nextLink"] else ""
    assert seen == ["ada+ben", "cleo+dora", "emil"]
    assert (await api.call("GET", "/customers?phase=active")).json() == {"value": [], "nextLink": None}


async def test_a_key_is_shown_with_every_check_and_the_command_that_mends_it(api: Api) -> None:
    await register_key(api, healthy=False)
    answer = await api.call("POST", f"{AT_KEY}/verify")
    body = answer.json()
    assert (answer.status_code, body["verification"]["state"]) == (200, "failed")
    [failed] = [check for check in body["verification"]["checks"] if check["result"] == "fail"]
    assert failed["reason"] == "PurgeProtectionMissing"
    assert failed["owner"] == "customer"
    assert failed["remedy"].startswith("az keyvault update --name contoso --enable-purge-protection true")
    assert set(failed) == {"check", "result", "reason", "owner", "message", "remedy"}
    assert body["ownership"]["tag"]["name"] == f"crosskey-{APPLICATION}"
    assert answer.headers["ETag"] == (await api.call("GET", AT_KEY)).headers["ETag"]


async def test_a_resource_is_protected_released_and_its_key_removed(api: Api) -> None:
    await register_key(api)
    await work_off(api)
    api.world.accounts.add(ACCOUNT, system_assigned=True, covered_services=("blob", "file", "queue", "table"))
    accepted = await api.call("PUT", AT_RESOURCE, json=RESOURCE)
    assert accepted.status_code == 202
    assert accepted.json()["state"] == "pending"
    assert accepted.headers["Location"] == f"https://crosskey.azurewebsites.net/api{AT_RESOURCE}"
    operation = urlsplit(accepted.headers["Operation-Location"]).path.removeprefix("/api")
    waiting = await api.call("GET", operation)
    assert (waiting.json()["status"], waiting.headers["Retry-After"]) == ("NotStarted", "2")
    await work_off(api)
    done = (await api.call("GET", operation)).json()
    assert (done["status"], done["percentComplete"], done["error"]) == ("Succeeded", 100, None)
    resource = (await api.call("GET", AT_RESOURCE)).json()
    assert (resource["state"], resource["kind"], resource["findings"]) == ("protected", "storageAccount", [])
    assert resource["observed"]["keySource"] == "Microsoft.Keyvault"
    assert resource["observed"]["checkedAt"].endswith("Z")
    assert (await api.call("GET", AT_KEY)).json()["versionsInUse"] == [resource["observed"]["versionInUse"]]
    assert (await api.call("DELETE", AT_KEY)).json()["error"]["code"] == "KeyInUse"

    released = await api.call("DELETE", AT_RESOURCE)
    assert (released.status_code, released.json()["kind"]) == (202, "releaseResource")
    await work_off(api)
    assert (await api.call("GET", AT_RESOURCE)).json()["state"] == "released"
    removed = await api.call("DELETE", AT_KEY)
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await api.call("GET", AT_KEY)).status_code == 404


async def test_what_if_shows_the_request_and_changes_nothing(api: Api) -> None:
    await register_key(api)
    await work_off(api)
    api.world.accounts.add(ACCOUNT)
    api.world.state.calls.clear()
    answer = await api.call("PUT", f"{AT_RESOURCE}?whatIf=true", json=RESOURCE)
    assert answer.status_code == 200
    [step] = answer.json()["steps"]
    assert step["method"] == "PATCH"
    assert api.world.state.writes == api.world.accounts.calls["update"] == 0
    assert (await api.call("GET", AT_RESOURCE)).status_code == 404


async def test_a_reconcile_is_accepted(api: Api) -> None:
    await register_key(api)
    await api.call("PUT", AT_RESOURCE, json=RESOURCE)
    answer = await api.call("POST", f"{AT_RESOURCE}/reconcile")
    assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
    assert answer.headers["Location"].endswith(AT_RESOURCE)
    assert "Operation-Location" not in answer.headers


async def test_a_timeline_is_read_in_pages_and_its_forgery_found(api: Api) -> None:
    await register_key(api)
    await work_off(api)
    first = (await api.call("GET", f"{AT_CUSTOMER}/timeline?top=2")).json()
    assert [one["sequence"] for one in first["value"]] == [1, 2]
    assert first["value"][0]["type"] == "CustomerRegistered"
    query = urlsplit(first["nextLink"]).query
    rest = (await api.call("GET", f"{AT_CUSTOMER}/timeline?{query.replace('top=2', 'top=100')}")).json()
    assert rest["value"][0]["sequence"] == 3
    assert rest["nextLink"] is None
    integrity = (await api.call("GET", f"{AT_CUSTOMER}/timeline/integrity")).json()
    assert integrity == {
        "intact": True,
        "entries": 2 + len(rest["value"]),
        "headHash": rest["value"][-1]["hash"],
        "firstBadSequence": None,
    }


async def test_the_fleet_is_summed_up(api: Api) -> None:
    await register_key(api)
    await api.call("PUT", "/customers/fabrikam", json=CUSTOMER)
    await work_off(api)
    summary = (await api.call("GET", "/fleet/summary", role="Reader")).json()
    assert summary["customers"] == sum(summary["byPhase"].values()) == 2
    assert summary["keysByHealth"] == {"healthy": 1}
    assert summary["asOf"].endswith("Z")


async def test_consent_is_answered_once_with_a_page_that_escapes_what_it_shows() -> None:
    # The state of a link expires by the machine's clock.
    api = make_api(make_world(clock=FakeClock(datetime.now(UTC))))
    async with api.client:
        await api.call("PUT", AT_CUSTOMER, json=CUSTOMER)
        link = (await api.call("POST", f"{AT_CUSTOMER}/consentLink")).json()
        assert link["expiresAt"].endswith("Z")
        state = parse_qs(urlsplit(link["url"]).query)["state"][0]
        answers = [await callback(api, state), await callback(api, state), await callback(api, "forged")]
    assert [answer.status_code for answer in answers] == [200, 400, 400]
    assert "&lt;script&gt;" in answers[0].text
    for answer in answers:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<script" not in answer.text
        assert state not in answer.text


async def callback(api: Api, state: str) -> Any:
    query = {"state": state, "error": "access_denied", "error_description": "<script>", "error_subcode": "cancel"}
    return await api.client.get("/api/consent/callback", params=query)
