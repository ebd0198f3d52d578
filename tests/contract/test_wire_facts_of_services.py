"""What recorded traffic taught about Key Vault, Microsoft Entra and tables; see `test_wire_facts` for the rest.

Where the local Azure has to know a fact as well, the test asks it.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from shared.adapters.credentials import Credentials
from shared.adapters.tables import creating
from shared.domain.key_refusals import token_reason
from shared.domain.reasons import Reason
from shared.errors import CredentialRefused, Refused, StaleWrite, Throttled
from tests.contract.local import contoso
from tests.contract.recorded import JSON, KEY, TENANT, WHO, refused, tables, vault
from tests.fakes import APPLICATION, make_settings
from tests.replay.answering import Answer, RecordedTransport, Sent
from tests.running_world import RunningWorld

VERSION = "a" * 32
PAGE = "https://contoso.vault.azure.net:443/keys/cmk/versions?api-version=7.6&$skiptoken=abc&maxresults=1"
ATTRIBUTES: dict[str, Any] = {"enabled": True, "created": 10, "updated": 10, "recoveryLevel": "Recoverable"}


def key(**attributes: Any) -> Answer:
    public = {"kid": f"{KEY}/{VERSION}", "kty": "RSA", "n": "AQAB", "e": "AQAB", "key_ops": ["wrapKey", "unwrapKey"]}
    return Answer(200, JSON, {"key": public, "attributes": {**ATTRIBUTES, **attributes}})


def page(*versions: tuple[str, int, bool], link: str | None = None) -> Answer:
    items = [
        {"kid": f"{KEY}/{version}", "attributes": {**ATTRIBUTES, "created": created, "enabled": enabled}}
        for version, created, enabled in versions
    ]
    return Answer(200, JSON, {"value": items, "nextLink": link})


# Key Vault


@pytest.mark.parametrize("host", ["login.windows.net", "login.microsoftonline.com"])
async def test_the_challenge_names_the_vaults_tenant_under_either_authority(host: str) -> None:
    made, transport = vault(host=host)
    found = await made.read_challenge(KEY)
    assert (found.tenant_id, found.region) == (TENANT, "uksouth")
    assert "authorization" not in transport.sent[0].headers


async def test_the_first_request_goes_out_without_token_and_without_body() -> None:
    wrapped = Answer(200, JSON, {"kid": f"{KEY}/{VERSION}", "value": "AAAA"})
    made, transport = vault(wrapped)
    await made.wrap(KEY.with_version(VERSION), b"secret", **WHO)
    first, second = transport.sent
    assert ("authorization" in first.headers, first.content) == (False, b"")
    assert ("authorization" in second.headers, set(second.body)) == (True, {"alg", "value"})


async def test_the_latest_version_has_a_trailing_slash_and_operations_are_lower_case() -> None:
    made, transport = vault(key(), Answer(200, JSON, {"kid": f"{KEY}/{VERSION}", "value": "AAAA"}))
    await made.read_key(KEY, **WHO)
    await made.unwrap(KEY.with_version(VERSION), "AAAA", **WHO)
    paths = [each.url.partition("?")[0].partition(".net")[2] for each in transport.sent]
    assert paths[0] == "/keys/cmk/"
    assert paths[-1] == f"/keys/cmk/{VERSION}/unwrapkey"


@pytest.mark.parametrize("attributes", [{"enabled": False}, {"exp": 946684800}, {"nbf": 32503680000}])
async def test_a_key_that_cannot_be_used_is_read_all_the_same(attributes: dict[str, Any]) -> None:
    made, _ = vault(key(**attributes))
    found = await made.read_key(KEY, **WHO)
    assert found is not None
    assert not found.usable_at(datetime(2026, 11, 22, tzinfo=UTC))


async def test_versions_are_put_in_order_of_age_and_disabled_ones_are_listed() -> None:
    made, _ = vault(page(("a" * 32, 30, True), ("b" * 32, 10, False), ("c" * 32, 20, True)))
    found = await made.list_versions(KEY, **WHO)
    assert [(version[0], enabled) for version, enabled, _ in found] == [("a", True), ("c", True), ("b", False)]


async def test_an_empty_page_with_a_next_link_is_not_the_end() -> None:
    made, transport = vault(page(link=PAGE), page(("a" * 32, 1, True)))
    assert len(await made.list_versions(KEY, **WHO)) == 1
    assert "skiptoken=abc" in transport.sent[-1].url


async def test_the_local_vault_can_begin_with_an_empty_page(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    local_azure.look(lambda world: setattr(world, "vault_pages_begin_empty", True))
    first = customer.vault("GET", "/keys/cmk/versions")
    assert first["value"] == []
    with customer.http(customer.administrator) as client:
        assert len(client.get(first["nextLink"]).json()["value"]) == 1


@pytest.mark.parametrize(
    "code", ["ForbiddenByPolicy", "ForbiddenByRbac", "ForbiddenByFirewall", "AccessDenied", "KeyDisabled"]
)
async def test_the_reason_of_a_403_is_its_inner_code_whatever_the_text_says(code: str) -> None:
    made, _ = vault(Answer(403, JSON, refused("Forbidden", innererror={"code": code})))
    with pytest.raises(Refused) as error:
        await made.read_key(KEY, **WHO)
    assert (error.value.http_status, error.value.azure_code, error.value.inner_code) == (403, "Forbidden", code)


async def test_a_key_that_is_missing_or_deleted_is_none() -> None:
    made, _ = vault(Answer(404, JSON, refused("KeyNotFound")))
    assert await made.read_key(KEY, **WHO) is None


async def test_a_vaults_429_has_no_retry_after() -> None:
    made, _ = vault(Answer(429, JSON, refused("Throttled")))
    with pytest.raises(Throttled) as error:
        await made.read_key(KEY, **WHO)
    assert error.value.retry_after is None


def test_a_rotation_policy_is_answered_with_capitals_and_a_notification(local_azure: RunningWorld) -> None:
    customer = contoso.join(local_azure)
    customer.create_key()
    action = {"action": {"type": "rotate"}, "trigger": {"timeAfterCreate": "P30D"}}
    policy = {"attributes": {"expiryTime": "P90D"}, "lifetimeActions": [action]}
    answered = customer.vault("PUT", "/keys/cmk/rotationpolicy", policy)
    assert [each["action"]["type"] for each in answered["lifetimeActions"]] == ["Rotate", "Notify"]
    assert answered["lifetimeActions"][1]["trigger"] == {"timeBeforeExpiry": "P30D"}


# Microsoft Entra


def entra(answer: Answer) -> tuple[Credentials, RecordedTransport]:
    token = {"access_token": "assertion", "expires_on": "4102444800", "resource": "x", "token_type": "Bearer"}

    def choose(sent: Sent) -> Answer:
        return Answer(200, JSON, token) if "/oauth2/v2.0/" not in sent.url else answer

    transport = RecordedTransport(choose)
    return Credentials(make_settings(), transport), transport


@pytest.fixture(autouse=True)
def no_app_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.delenv(name, raising=False)


async def test_a_token_is_asked_for_with_an_assertion_of_the_recorded_fields() -> None:
    token = {"token_type": "Bearer", "expires_in": 86399, "ext_expires_in": 86399, "access_token": "token"}
    made, transport = entra(Answer(200, JSON, token))
    await made.obtain(tenant_id=TENANT, application=APPLICATION)
    form = dict(each.split("=") for each in transport.sent[-1].content.decode().split("&"))
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    assert form["scope"] == "https%3A%2F%2Fvault.azure.net%2F.default"
    assert form["client_assertion"] == "assertion"
    assert "resource=api://AzureADTokenExchange" in unquote(transport.sent[0].url)


@pytest.mark.parametrize(
    ("status", "word", "number", "reason"),
    [
        (401, "invalid_client", 700027, Reason.PROVIDER_CREDENTIAL_BROKEN),
        (401, "invalid_client", 7002137, Reason.PROVIDER_CREDENTIAL_BROKEN),
        (400, "unauthorized_client", 700016, Reason.CONSENT_MISSING),
        (400, "invalid_request", 70021, Reason.PROVIDER_CREDENTIAL_BROKEN),
        (400, "invalid_resource", 500011, Reason.CONSENT_MISSING),
        (400, "invalid_tenant", 90002, Reason.PROVIDER_CREDENTIAL_BROKEN),
    ],
)
async def test_a_refusal_is_known_by_its_number_whatever_its_status(
    status: int, word: str, number: int, reason: Reason
) -> None:
    document = {"error": word, "error_description": f"AADSTS{number}: x", "error_codes": [number]}
    made, _ = entra(Answer(status, JSON, document))
    with pytest.raises(CredentialRefused) as error:
        await made.obtain(tenant_id=TENANT, application=APPLICATION)
    assert (error.value.aadsts, token_reason(error.value.aadsts)) == (number, reason)


# Tables

ODATA = {"Content-Type": "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"}


def odata(code: str) -> dict[str, Any]:
    return {"odata.error": {"code": code, "message": {"lang": "en-US", "value": "x\nRequestId:1\nTime:2"}}}


async def test_an_entity_that_exists_is_no_error_and_a_stale_etag_a_lost_race() -> None:
    entity = {"PartitionKey": "p", "RowKey": "r"}
    exists, _ = tables(lambda _: Answer(409, ODATA, odata("EntityAlreadyExists")))
    assert await exists.create("state", entity) is None
    stale, _ = tables(lambda _: Answer(412, ODATA, odata("UpdateConditionNotSatisfied")))
    with pytest.raises(StaleWrite):
        await stale.replace("state", entity, etag="old")


async def test_a_table_that_exists_is_what_was_wanted() -> None:
    made, _ = tables(lambda _: Answer(204, {"etag": "new"}), creation=Answer(409, ODATA, odata("TableAlreadyExists")))
    await made.upsert("state", {"PartitionKey": "p", "RowKey": "r"})


# The SDK itself tests an XML element's truth value.
@pytest.mark.filterwarnings("ignore:Testing an element's truth value:DeprecationWarning")
@pytest.mark.parametrize("answer", ["json", "xml"])
async def test_a_refusal_in_json_or_xml_keeps_its_code(answer: str) -> None:
    code = "AuthenticationFailed"
    xml = f"<?xml version='1.0'?><m:error xmlns:m='m'><m:code>{code}</m:code><m:message>x</m:message></m:error>"
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code}
    made, _ = tables(lambda _: Answer(403, ODATA, odata(code)) if answer == "json" else Answer(403, headers, xml))
    with pytest.raises(Refused) as error:
        await made.read("state", "p", "r")
    assert (error.value.http_status, error.value.azure_code) == (403, code)


@pytest.mark.parametrize(("status", "code"), [(409, "EntityAlreadyExists"), (400, "InvalidDuplicateRow")])
async def test_a_transaction_that_failed_is_answered_202_with_the_failure_inside(status: int, code: str) -> None:
    document = (
        '{"odata.error":{"code":"' + code + '","message":{"lang":"en-US","value":"1:The batch request failed."}}}'
    )
    content = (
        "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n"
        "--changesetresponse_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\n\r\n{document}\r\n"
        "--changesetresponse_1--\r\n--batchresponse_1--\r\n"
    )
    headers = {"Content-Type": "multipart/mixed; boundary=batchresponse_1"}
    made, _ = tables(lambda _: Answer(202, headers, content))
    with pytest.raises(StaleWrite if status == 409 else Refused):
        await made.transact("state", [creating({"PartitionKey": "p", "RowKey": "r"})], "testing")


@pytest.mark.parametrize("prefix", ["x-ms-continuation-", "X-Ms-Continuation-", "x-ms-continuation-".upper()])
async def test_paging_is_by_headers_in_any_case_whose_values_are_encoded_again(prefix: str) -> None:
    more = {**ODATA, f"{prefix}NextPartitionKey": "1!4!cA--", f"{prefix}NextRowKey": "1!4!cg=="}

    def answer(sent: Sent) -> Answer:
        row = {"PartitionKey": "p", "RowKey": "2" if "NextPartitionKey" in sent.url else "1"}
        return Answer(200, ODATA if "NextPartitionKey" in sent.url else more, {"value": [row]})

    made, transport = tables(answer)
    found = [each["RowKey"] async for each in made.query("state", "PartitionKey eq @key", key="p")]
    assert found == ["1", "2"]
    assert "NextPartitionKey=1%214%21cA--" in transport.sent[-1].url
    assert "NextRowKey=1%214%21cg%3D%3D" in transport.sent[-1].url
