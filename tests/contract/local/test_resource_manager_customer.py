"""What a customer's administrator does in Resource Manager: vault settings, grants, event subscriptions."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from local import names
from tests.contract.local import contoso, hook
from tests.contract.local.contoso import Contoso
from tests.running_world import RunningWorld

ROLE = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
DEFINITION = f"/subscriptions/{contoso.SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{ROLE}"
ASSIGNMENT = f"{contoso.VAULT_ID}/providers/Microsoft.Authorization/roleAssignments/{'a' * 8}-1111-4111-8111-{'b' * 12}"
SUBSCRIPTION = f"{contoso.VAULT_ID}/providers/Microsoft.EventGrid/eventSubscriptions/crosskey"


@pytest.fixture
def customer(local_azure: RunningWorld) -> Contoso:
    return contoso.join(local_azure, purgeProtection=False)


def send(
    customer: Contoso, method: str, path: str, version: str, body: Any = None, *, role: str = "Owner"
) -> httpx.Response:
    grant = {"role": role, "scope": contoso.VAULT_ID}
    token = customer.azure.control.token(contoso.TENANT, audience=names.MANAGEMENT_RESOURCE, user=role, grants=[grant])
    with customer.http(token) as client:
        return client.request(method, f"https://management.azure.com{path}", params={"api-version": version}, json=body)


def test_purge_protection_is_turned_on_and_stays_on(customer: Contoso) -> None:
    def patch(*, on: bool) -> httpx.Response:
        body = {"properties": {"enablePurgeProtection": on}}
        return send(customer, "PATCH", contoso.VAULT_ID, "2023-07-01", body)

    before = send(customer, "GET", contoso.VAULT_ID, "2023-07-01").json()
    assert "enablePurgeProtection" not in before["properties"]
    assert patch(on=True).json()["properties"]["enablePurgeProtection"] is True
    assert patch(on=False).status_code == 400
    assert customer.create_key()["attributes"]["recoveryLevel"] == "Recoverable"


def test_a_vaults_network_rules_and_permission_model_can_be_changed(customer: Contoso) -> None:
    rules = {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "198.51.100.0/24"}]}
    body = {"properties": {"networkAcls": rules, "enableRbacAuthorization": False}}
    answer = send(customer, "PATCH", contoso.VAULT_ID, "2023-07-01", body)
    assert answer.json()["properties"]["networkAcls"]["ipRules"] == [{"value": "198.51.100.0/24"}]
    customer.vault("GET", "/keys/cmk", status=403)


def test_an_administrator_grants_and_takes_away_the_use_of_a_key(customer: Contoso) -> None:
    customer.create_key()
    token = customer.crosskey_token()
    body = {"properties": {"roleDefinitionId": DEFINITION, "principalId": customer.principal_id}}
    assert send(customer, "PUT", ASSIGNMENT, "2022-04-01", body).status_code == 201
    assert send(customer, "PUT", ASSIGNMENT, "2022-04-01", body).status_code == 200
    customer.vault("GET", "/keys/cmk", token=token)
    other = send(customer, "PUT", ASSIGNMENT.replace("a" * 8, "c" * 8), "2022-04-01", body)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "RoleAssignmentExists")
    assert send(customer, "DELETE", ASSIGNMENT, "2022-04-01").status_code == 200
    assert send(customer, "DELETE", ASSIGNMENT, "2022-04-01").status_code == 204
    customer.vault("GET", "/keys/cmk", token=token, status=403)


def test_a_grant_takes_as_long_as_the_world_says(customer: Contoso) -> None:
    customer.create_key()
    customer.azure.look(lambda world: setattr(world, "role_propagation_seconds", 300))
    body = {"properties": {"roleDefinitionId": DEFINITION, "principalId": customer.principal_id}}
    assert send(customer, "PUT", ASSIGNMENT, "2022-04-01", body).status_code == 201
    customer.vault("GET", "/keys/cmk", token=customer.crosskey_token(), status=403)
    customer.azure.control.advance(timedelta(minutes=5))
    customer.vault("GET", "/keys/cmk", token=customer.crosskey_token())


def test_a_principal_that_the_tenant_does_not_have_gets_no_role(customer: Contoso) -> None:
    properties = {"roleDefinitionId": DEFINITION, "principalId": "99999999-0000-4000-8000-000000000001"}
    answer = send(customer, "PUT", ASSIGNMENT, "2022-04-01", {"properties": properties})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "PrincipalNotFound")


def test_only_who_may_write_assignments_grants(customer: Contoso) -> None:
    body = {"properties": {"roleDefinitionId": DEFINITION, "principalId": customer.principal_id}}
    answer = send(customer, "PUT", ASSIGNMENT, "2022-04-01", body, role="Contributor")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")


def subscription_body(url: str = hook.URL) -> dict[str, Any]:
    mapping = {"name": "x-secret", "type": "Static", "properties": {"value": "open", "isSecret": True}}
    web_hook = {"endpointUrl": url, "deliveryAttributeMappings": [mapping]}
    return {"properties": {"destination": {"endpointType": "WebHook", "properties": web_hook}}}


def test_the_encryption_role_at_the_vault_suffices_to_subscribe_to_its_events(customer: Contoso) -> None:
    with hook.listening(customer.azure) as endpoint:
        answer = send(customer, "PUT", SUBSCRIPTION, "2025-02-15", subscription_body(), role=contoso.KEY_USER)
        assert answer.status_code == 201, answer.text
        properties = answer.json()["properties"]
        assert properties["provisioningState"] == "Creating"
        assert properties["destination"]["properties"]["endpointUrl"] is None
        assert properties["destination"]["properties"]["endpointBaseUrl"] == "https://hook.example/events"
        assert "open" not in answer.text
        operation = answer.headers["Azure-AsyncOperation"].removeprefix("https://management.azure.com:443")
        status = send(customer, "GET", operation.partition("?")[0], "2025-02-15")
        assert status.json()["status"] == "Succeeded"
        assert endpoint.handshakes[0]["x-secret"] == "open"
    read = send(customer, "GET", SUBSCRIPTION, "2025-02-15").json()
    assert read["properties"]["provisioningState"] == "Succeeded"
    assert send(customer, "DELETE", SUBSCRIPTION, "2025-02-15").status_code == 200
    assert send(customer, "GET", SUBSCRIPTION, "2025-02-15").status_code == 404


@pytest.mark.parametrize(
    ("mapping", "status"),
    [
        ({"name": "x-secret", "type": "Static", "properties": {"value": None}}, 400),
        ({"name": "x secret", "type": "Static", "properties": {"value": "open"}}, 400),
        ({"name": "x-secret", "type": "Static", "properties": {"value": "x" * 4097}}, 400),
        ({"name": "x-secret", "type": "Static"}, 400),
        ({"name": "x-secret", "type": "Dynamic", "properties": {"sourceField": "data.Id"}}, 501),
    ],
)
def test_a_delivery_header_that_cannot_be_sent_is_refused(
    customer: Contoso, mapping: dict[str, Any], status: int
) -> None:
    body = subscription_body()
    body["properties"]["destination"]["properties"]["deliveryAttributeMappings"] = [mapping]
    with hook.listening(customer.azure) as endpoint:
        assert send(customer, "PUT", SUBSCRIPTION, "2025-02-15", body).status_code == status
        assert endpoint.handshakes == []


def test_a_secret_delivery_header_shows_in_no_recorded_call(customer: Contoso) -> None:
    with hook.listening(customer.azure):
        assert send(customer, "PUT", SUBSCRIPTION, "2025-02-15", subscription_body()).status_code == 201
    [call] = customer.azure.control.calls(operation="EventSubscriptions.CreateOrUpdate")
    [mapping] = call["requestBody"]["properties"]["destination"]["properties"]["deliveryAttributeMappings"]
    assert mapping["properties"] == {"value": "REDACTED", "isSecret": True}


def test_a_refused_handshake_shows_in_the_operation(customer: Contoso) -> None:
    with hook.listening(customer.azure) as endpoint:
        endpoint.accepts_handshakes = False
        answer = send(customer, "PUT", SUBSCRIPTION, "2025-02-15", subscription_body())
    assert answer.status_code == 201
    operation = answer.headers["Azure-AsyncOperation"].removeprefix("https://management.azure.com:443")
    status = send(customer, "GET", operation.partition("?")[0], "2025-02-15")
    assert (status.status_code, status.json()["status"]) == (200, "Failed")
    assert send(customer, "GET", SUBSCRIPTION, "2025-02-15").status_code == 404


def test_an_endpoint_outside_the_world_is_not_reached(customer: Contoso) -> None:
    answer = send(customer, "PUT", SUBSCRIPTION, "2025-02-15", subscription_body("https://example.com/hook"))
    operation = answer.headers["Azure-AsyncOperation"].removeprefix("https://management.azure.com:443")
    assert send(customer, "GET", operation.partition("?")[0], "2025-02-15").json()["status"] == "Failed"
    assert customer.azure.control.calls(service="proxy")[0]["host"] == "example.com"


def test_a_managed_identity_is_read_by_its_id(local_azure: RunningWorld) -> None:
    token = contoso.app_token(local_azure)
    with httpx.Client(proxy=local_azure.proxy_url, verify=local_azure.tls) as client:
        answer = client.get(
            f"https://management.azure.com{names.KEYS_IDENTITY_RESOURCE_ID}?api-version=2023-01-31",
            headers={"Authorization": f"Bearer {token}"},
        )
    assert answer.json()["properties"]["clientId"] == names.KEYS_IDENTITY_CLIENT_ID
