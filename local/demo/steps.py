"""What the demo does, step by step, and what must be observed in each.

A step answers the facts it observed; `must` ends the demo when one is not what it has to be. Nothing here is
believed because CrossKey says so when Azure's own record can be asked.
"""

import time
from datetime import timedelta
from typing import Any

import httpx

from local import names
from local.actors import (
    ENCRYPTION_ROLE_ID,
    READER_ROLE_ID,
    announced_about,
    event_endpoint,
    last_call,
    members,
    wait_until,
)
from local.demo.stage import ACCOUNT_ID, CONTOSO_TENANT, TAGS, VAULT, Facts, Stage, account_record, must


def provider_side(stage: Stage) -> Facts:
    """The multitenant application, the managed identity and the federated credential form a working chain."""
    answer = httpx.get(
        stage.identity_endpoint,
        params={
            "api-version": "2019-08-01",
            "resource": names.TOKEN_EXCHANGE_AUDIENCE,
            "client_id": names.KEYS_IDENTITY_CLIENT_ID,
        },
        headers={"x-identity-header": stage.identity_header},
        trust_env=False,
    )
    must(answer.status_code == 200, f"The managed identity gave no assertion: {answer.text}")
    exchanged = _exchange(stage, names.PROVIDER_TENANT_ID, answer.json()["access_token"])
    stage.control.put_tenant(CONTOSO_TENANT, "Contoso")
    refused = _exchange(stage, CONTOSO_TENANT, answer.json()["access_token"])
    must(exchanged.status_code == 200, f"The federated credential does not work: {exchanged.text}")
    must(refused.status_code != 200, "The application got a token of a tenant that never consented.")
    return {
        "application": names.POOL_CLIENT_ID,
        "identity": names.KEYS_IDENTITY_NAME,
        "tokenInProviderTenant": exchanged.status_code,
        "tokenInContosoBeforeConsent": refused.json()["error_description"].partition(":")[0],
    }


def _exchange(stage: Stage, tenant: str, assertion: str) -> httpx.Response:
    return stage.administrator.http.post(
        f"https://{names.ENTRA_HOST}/{tenant}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": names.POOL_CLIENT_ID,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "scope": f"{names.VAULT_RESOURCE}/.default",
        },
    )


def consent(stage: Stage) -> Facts:
    """Contoso is registered; its administrator consents; consent counts once a token was obtained."""
    body = {"displayName": "Contoso", "tenantId": CONTOSO_TENANT}
    created = stage.portal.call("PUT", "/customers/contoso", body)
    must(created["phase"] == "onboarding", f"The phase is {created['phase']}.")
    before = created["consent"]["state"]
    link = stage.portal.call("POST", "/customers/contoso/consentLink")
    page = stage.administrator.consent(link["url"])
    must(page.status_code == 200, f"The callback answered {page.status_code}: {page.text}")

    def granted() -> Any:
        state = stage.portal.call("GET", "/customers/contoso")["consent"]["state"]
        return state if state == "granted" else None

    after = wait_until(granted, "consent to be confirmed by a token")
    replayed = stage.administrator.http.get(str(page.url))
    must(replayed.status_code == 400, f"The used consent link was answered {replayed.status_code} again.")
    return {"consentBefore": before, "consentAfter": after, "sameLinkAgain": replayed.status_code}


def unfit_key(stage: Stage) -> Facts:
    """A key whose vault has no purge protection and where our role is missing: both found, with remedies."""
    admin = stage.administrator
    stage.control.put_vault(
        VAULT, tenantId=CONTOSO_TENANT, resourceId=admin.vault_id, location=names.LOCATION, purgeProtection=False
    )
    stage.first_version = admin.create_key("cmk")
    principal = stage.control.service_principal(CONTOSO_TENANT)["objectId"]
    # A mistake often made: a role that reads keys but cannot wrap.
    admin.assign_role(READER_ROLE_ID, principal)
    stage.portal.call("PUT", "/customers/contoso/keys/primary", _key_body(stage))
    at_first = _reasons(stage.portal.call("POST", "/customers/contoso/keys/primary/verify"))
    must("RolePropagating" in at_first, f"Right after the registration the findings are {sorted(at_first)}.")
    stage.control.advance(timedelta(minutes=11))
    findings = _reasons(stage.portal.call("POST", "/customers/contoso/keys/primary/verify"))
    must({"RoleMissing", "PurgeProtectionMissing"} <= set(findings), f"The findings are {sorted(findings)}.")
    must(all(findings.values()), "A finding has no remedy.")
    return {"atFirst": sorted(at_first), "findings": findings}


def _key_body(stage: Stage) -> dict[str, str]:
    return {
        "keyIdentifier": f"{stage.administrator.vault_uri}/keys/cmk",
        "versionPolicy": "latest",
        "vaultResourceId": stage.administrator.vault_id,
    }


def _reasons(key: dict[str, Any]) -> dict[str, str]:
    checks = key["verification"]["checks"]
    return {check["reason"]: check["remedy"] for check in checks if check["result"] == "fail"}


def mended_key(stage: Stage) -> Facts:
    """Contoso mends the vault, grants the role and tags the key; every check passes."""
    admin = stage.administrator
    admin.protect_from_purge()
    admin.assign_role(ENCRYPTION_ROLE_ID, stage.control.service_principal(CONTOSO_TENANT)["objectId"])
    tag = stage.portal.call("GET", "/customers/contoso/keys/primary")["ownership"]["tag"]
    admin.update_key("cmk", tags={tag["name"]: tag["value"]})
    before = last_call(stage.control)
    key = stage.portal.call("POST", "/customers/contoso/keys/primary/verify")
    state = key["verification"]["state"]
    must(state == "verified", f"The key is {state}: {_reasons(key)}")
    must(key["ownership"]["state"] == "proven", "The tag did not prove ownership.")
    vault_calls = {call["operation"] for call in stage.control.calls(after=before, service="keyvault")}
    must({"WrapKey", "UnwrapKey"} <= vault_calls, f"The vault was only asked {sorted(vault_calls)}.")

    def active() -> Any:
        phase = stage.portal.call("GET", "/customers/contoso")["phase"]
        return phase if phase == "active" else None

    phase = wait_until(active, "the customer to become active")
    passed = sum(check["result"] == "pass" for check in key["verification"]["checks"])
    return {"verification": state, "checksPassed": passed, "byTheVault": sorted(vault_calls), "phase": phase}


def protect_account(stage: Stage) -> Facts:
    """An existing account with an identity and tags of its own is protected; ARM's own record shows it."""
    stage.control.put_storage_account(ACCOUNT_ID, tags=TAGS, identity={"type": "SystemAssigned"})
    body = {"resourceId": ACCOUNT_ID, "key": "primary"}
    path = "/customers/contoso/resources/contosodata"
    operation = stage.portal.finish(stage.portal.begin("PUT", path, body))
    must(operation["status"] == "Succeeded", f"The operation ended {operation}.")
    account = account_record(stage)
    encryption = account["properties"]["encryption"]
    used = encryption["keyvaultproperties"]["currentVersionedKeyIdentifier"]
    identity = account["identity"]
    must(encryption["keySource"] == "Microsoft.Keyvault", "ARM does not show the customer's key.")
    must(used.endswith(stage.first_version), f"ARM shows {used}.")
    must(encryption["identity"]["federatedIdentityClientId"] == names.POOL_CLIENT_ID, "Another federated client.")
    must(identity["type"] == "SystemAssigned,UserAssigned", f"The identity type is {identity['type']}.")
    must(account["tags"] == TAGS, f"The tags are {account['tags']}.")
    return {
        "keyInUse": used,
        "federatedClientId": encryption["identity"]["federatedIdentityClientId"],
        "identityType": identity["type"],
        "userAssigned": [each.rpartition("/")[2] for each in identity["userAssignedIdentities"]],
        "tags": account["tags"],
    }


def follow_rotation(stage: Stage) -> Facts:
    """Contoso rotates its key; the account follows within seconds and stays on Azure's automatic setting."""
    stage.administrator.subscribe(event_endpoint(stage.folder))
    began = time.monotonic()
    stage.second_version = stage.administrator.rotate_key("cmk")

    def moved() -> Any:
        properties = account_record(stage)["properties"]["encryption"]["keyvaultproperties"]
        current = properties["currentVersionedKeyIdentifier"].rpartition("/")[2]
        return properties if current == stage.second_version and not properties.get("keyversion") else None

    properties = wait_until(moved, "the account to be on the new version and on the automatic setting")
    seconds = time.monotonic() - began

    def confirmed() -> Any:
        observed = stage.portal.call("GET", "/customers/contoso/resources/contosodata")["observed"]
        return observed if observed["versionInUse"] == stage.second_version else None

    observed = wait_until(confirmed, "CrossKey to have confirmed the new version")
    confirmed_seconds = time.monotonic() - began
    must(confirmed_seconds <= 5.0, f"Following the rotation took {confirmed_seconds:.1f} s.")
    return {
        "versionInUse": observed["versionInUse"],
        "keyversionSetting": properties.get("keyversion", ""),
        "secondsUntilOnTheAccount": round(seconds, 2),
        "secondsUntilConfirmed": round(confirmed_seconds, 2),
        "azureByItself": "up to 24 hours",
    }


def release_account(stage: Stage) -> Facts:
    """The account goes back to Microsoft-managed keys; what was there before is still there."""
    operation = stage.portal.finish(stage.portal.begin("DELETE", "/customers/contoso/resources/contosodata"))
    must(operation["status"] == "Succeeded", f"The operation ended {operation}.")
    account = account_record(stage)
    encryption = account["properties"]["encryption"]
    must(encryption["keySource"] == "Microsoft.Storage", f"The key source is {encryption['keySource']}.")
    must(account["identity"]["type"] == "SystemAssigned", f"The identity is {account['identity']}.")
    must(account["tags"] == TAGS, f"The tags are {account['tags']}.")
    return {
        "keySource": encryption["keySource"],
        "identityType": account["identity"]["type"],
        "keyVaultProperties": members(encryption, "keyvaultproperties"),
        "tags": account["tags"],
    }


EXPECTED_NOTIFICATIONS = [
    "CrossKey.KeyVerified",
    "CrossKey.CustomerOnboarded",
    "CrossKey.ResourceProtected",
    "CrossKey.KeyNewVersion",
    "CrossKey.ResourceRotated",
    "CrossKey.ResourceReleased",
    # The second act.
    "CrossKey.ResourceProtected",
    "CrossKey.KeyAccessLost",
    "CrossKey.KeyAccessRestored",
    "CrossKey.ResourceDrifted",
    "CrossKey.ResourceProtected",
    "CrossKey.KeyVersionRetirable",
    "CrossKey.KeyExpiring",
    "CrossKey.KeyExpiring",
    "CrossKey.ResourceRotated",
    "CrossKey.ResourceReleased",
    "CrossKey.CustomerOffboarded",
]


def prove_it(stage: Stage) -> Facts:
    """The timeline outlives the customer and is intact; a subscriber received the notifications in order."""

    def announced() -> Any:
        types = [event["type"] for event in announced_about(stage.control, "contoso")]
        return types if "CrossKey.CustomerOffboarded" in types else None

    received = wait_until(announced, "the last notification")
    must(received == EXPECTED_NOTIFICATIONS, f"A subscriber received {received}.")
    integrity = stage.portal.call("GET", "/customers/contoso/timeline/integrity")
    must(integrity["intact"], f"The timeline is not intact: {integrity}")
    timeline = _timeline(stage)
    must(len(timeline) == integrity["entries"], f"{len(timeline)} of {integrity['entries']} entries were read.")
    hashes = {entry["sequence"]: entry["hash"] for entry in timeline}
    carried = announced_about(stage.control, "contoso")[-1]["data"]
    must(hashes[carried["timelineSequence"]] == carried["timelineHash"], "A notification carries another hash.")
    statement = stage.portal.call("GET", "/customers/contoso/statement")["timeline"]
    must(hashes[statement["sequence"]] == statement["hash"], "The statement names another hash than the timeline.")
    return {
        "entries": integrity["entries"],
        "intact": integrity["intact"],
        "headHash": integrity["headHash"],
        "notifications": [text.removeprefix("CrossKey.") for text in received],
        "timeline": [entry["type"] for entry in timeline],
    }


def _timeline(stage: Stage) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    link: str | None = "/api/customers/contoso/timeline"
    while link is not None:
        page = stage.portal.call("GET", httpx.URL(link).raw_path.decode().removeprefix("/api"))
        entries += page["value"]
        link = page["nextLink"]
    return entries
