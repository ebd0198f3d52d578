"""The control API: seeding, disturbing and looking, and that it refuses what it does not understand."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from local import names
from local.client import ControlRefused
from tests.running_world import RunningWorld

CONTOSO = "20000000-0000-4000-8000-000000000001"
ACCOUNT = f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.Storage/storageAccounts/contosodata"


def test_a_reset_returns_to_the_providers_side_alone(local_azure: RunningWorld) -> None:
    control = local_azure.control
    before = control.world()["counts"]
    control.put_tenant(CONTOSO, "Contoso")
    control.put_vault("contoso", tenantId=CONTOSO)
    control.advance(timedelta(days=3))
    control.add_fault("status", service="nothing")
    control.reset()
    assert control.world()["counts"] == before
    assert control.faults() == []
    assert abs(control.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_clock_moves_forward_and_never_back(local_azure: RunningWorld) -> None:
    before = local_azure.control.now()
    after = local_azure.control.advance(timedelta(days=30))
    assert timedelta(days=30) <= after - before < timedelta(days=30, minutes=1)
    with pytest.raises(ControlRefused, match="422"):
        local_azure.control.advance(timedelta(seconds=-1))


def test_a_vault_keeps_what_a_change_does_not_name(local_azure: RunningWorld) -> None:
    control = local_azure.control
    control.put_tenant(CONTOSO, "Contoso")
    control.put_vault("contoso", tenantId=CONTOSO, softDeleteDays=7, firewall={"defaultAction": "Deny"})
    control.put_vault("contoso", purgeProtection=True)
    vault = local_azure.look(lambda world: world.vaults["contoso"])
    assert (vault.soft_delete_days, vault.purge_protection, vault.firewall.default_action) == (7, True, "Deny")


def test_a_storage_account_starts_with_microsoft_managed_keys(local_azure: RunningWorld) -> None:
    document = local_azure.control.put_storage_account(
        ACCOUNT, tags={"team": "data"}, identity={"type": "SystemAssigned"}
    )
    assert document["properties"]["encryption"]["keySource"] == "Microsoft.Storage"
    assert document["tags"] == {"team": "data"}
    assert document["identity"]["type"] == "SystemAssigned"
    assert document["identity"]["tenantId"] == names.PROVIDER_TENANT_ID


def test_a_role_is_given_once_and_taken_away(local_azure: RunningWorld) -> None:
    control, role, scope = local_azure.control, "Key Vault Crypto Service Encryption User", "/subscriptions/x"
    before = control.world()["counts"]["roleAssignments"]
    control.grant(names.KEYS_IDENTITY_PRINCIPAL_ID, role, scope)
    control.grant(names.KEYS_IDENTITY_PRINCIPAL_ID, role, scope.upper())
    assert control.world()["counts"]["roleAssignments"] == before + 1
    control.revoke(names.KEYS_IDENTITY_PRINCIPAL_ID, role, scope)
    assert control.world()["counts"]["roleAssignments"] == before
    with pytest.raises(ControlRefused, match="404"):
        control.revoke(names.KEYS_IDENTITY_PRINCIPAL_ID, role, scope)


def test_a_users_token_can_bring_its_rights_along(local_azure: RunningWorld) -> None:
    local_azure.control.put_tenant(CONTOSO, "Contoso")
    vault = local_azure.control.put_vault("contoso", tenantId=CONTOSO)
    grant = {"role": "Key Vault Crypto Officer", "scope": vault["resourceId"]}
    answer = local_azure.control.token_answer(
        "contoso", audience=names.VAULT_RESOURCE, user="admin@contoso.example", grants=[grant]
    )
    assert answer["tenantId"] == CONTOSO
    with httpx.Client(proxy=local_azure.proxy_url, verify=local_azure.tls, trust_env=False) as client:
        created = client.post(
            "https://contoso.vault.azure.net/keys/cmk/create",
            params={"api-version": "7.5"},
            json={"kty": "RSA"},
            headers={"Authorization": f"Bearer {answer['accessToken']}"},
        )
    assert created.status_code == 200
    assert local_azure.control.world()["counts"]["keys"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", f"/tenants/{CONTOSO}", {"displayName": "x", "extra": 1}),
        ("PUT", "/tenants/contoso", {"displayName": "x"}),
        ("PUT", "/vaults/new", {}),
        ("PUT", "/vaults/new", {"tenantId": CONTOSO, "softDeleteDays": 3}),
        ("PUT", "/roleAssignments", {"principalId": CONTOSO, "role": "King", "scope": "/"}),
        ("PUT", "/storageAccounts", {"resourceId": "contosodata"}),
        ("PUT", "/eventGrid", {"copies": 0}),
        ("POST", "/faults", {"kind": "explode"}),
        ("POST", "/faults", {"kind": "status", "probability": 0}),
        ("POST", "/clock", {"advanceSeconds": "inf"}),
        ("POST", "/clock", {"advanceSeconds": 1e12}),
        ("POST", "/tokens", {"tenant": "provider", "grants": [{"role": "King", "scope": "/"}]}),
    ],
)
def test_what_is_not_understood_is_refused(
    local_azure: RunningWorld, method: str, path: str, body: dict[str, object]
) -> None:
    local_azure.control.put_tenant(CONTOSO, "Contoso")
    with pytest.raises(ControlRefused, match="422"):
        local_azure.control.request(method, path, body)


def test_an_unknown_tenant_is_not_found(local_azure: RunningWorld) -> None:
    with pytest.raises(ControlRefused, match="404"):
        local_azure.control.token("Nobody")


def test_without_a_functions_host_there_is_none_to_kill(local_azure: RunningWorld) -> None:
    with pytest.raises(ControlRefused, match="409"):
        local_azure.control.kill_host()
    assert local_azure.control.host()["running"] is False


def test_a_world_says_where_everything_is(local_azure: RunningWorld) -> None:
    ready = local_azure.local.ready()
    assert ready["proxy"] == local_azure.proxy_url
    assert ready["caFile"] == local_azure.ca_file
    answer = httpx.request(
        ready["token"]["method"], ready["token"]["url"], json=ready["token"]["body"], trust_env=False
    ).json()
    assert answer[ready["token"]["answer"]].count(".") == 2


def test_a_recorded_call_carries_world_time(local_azure: RunningWorld) -> None:
    moved = local_azure.control.advance(timedelta(days=50))
    with httpx.Client(proxy=local_azure.proxy_url, verify=local_azure.tls, trust_env=False) as client:
        client.get(f"https://{names.ENTRA_HOST}/common/discovery/v2.0/keys")
    (call,) = local_azure.control.calls()
    assert timedelta(0) <= datetime.fromisoformat(call["time"]) - moved < timedelta(minutes=1)


def test_the_api_describes_itself(local_azure: RunningWorld) -> None:
    paths = local_azure.control.request("GET", "/openapi.json")["paths"]
    assert {"/clock", "/faults", "/calls", "/tokens", "/vaults/{name}", "/world"} <= set(paths)
