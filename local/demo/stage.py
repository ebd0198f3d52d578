"""What the demo's steps share: the people, the names, and how an observation is judged."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import names
from local.actors import Administrator, Portal
from local.client import ControlClient

CONTOSO_TENANT = "20000000-0000-4000-8000-000000000001"
VAULT = "contoso-keys"
ACCOUNT_ID = f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.Storage/storageAccounts/contosodata"
ARCHIVE_ID = f"{names.RESOURCE_GROUP_ID}/providers/Microsoft.Storage/storageAccounts/contosoarchive"
TAGS = {"costCentre": "4711"}

type Facts = dict[str, Any]


class NotAsExpected(AssertionError):
    """An observation is not what it must be."""


def must(fact: bool, what: str) -> None:
    """End the step unless the fact holds."""
    if not fact:
        raise NotAsExpected(what)


@dataclass(slots=True)
class Stage:
    """What the steps share."""

    control: ControlClient
    portal: Portal
    administrator: Administrator
    folder: Path
    identity_endpoint: str
    identity_header: str
    first_version: str = ""
    second_version: str = ""


def account_record(stage: Stage, account_id: str = ACCOUNT_ID) -> Any:
    """A storage account as Resource Manager shows it to the provider."""
    return _arm(stage, "GET", account_id, role="Reader")


def change_account(stage: Stage, account_id: str, body: dict[str, Any]) -> Any:
    """Change a storage account past CrossKey, as somebody of the provider's operations could."""
    return _arm(stage, "PATCH", account_id, role="Storage Account Contributor", body=body)


def _arm(stage: Stage, method: str, account_id: str, *, role: str, body: dict[str, Any] | None = None) -> Any:
    grants = [{"role": role, "scope": f"/subscriptions/{names.PROVIDER_SUBSCRIPTION_ID}"}]
    token = stage.control.token("provider", audience=names.MANAGEMENT_RESOURCE, user="operations", grants=grants)
    url = f"https://{names.MANAGEMENT_HOST}{account_id}?api-version=2023-05-01"
    response = stage.administrator.http.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"})
    must(response.is_success, f"{method} {account_id} answered {response.status_code}: {response.text}")
    return response.json()
