"""Storage accounts: read, list, create, update, delete."""

import re
import secrets
import uuid
from copy import deepcopy
from datetime import timedelta
from typing import Any, Final

from local.resource_manager.calls import Answer, ArmCall, check_members, page
from local.resource_manager.encryption import change_encryption
from local.resource_manager.errors import ArmError, authorization_failed, invalid_values, resource_not_found
from local.resource_manager.identity import assigned_ids, change_identity
from local.resource_manager.scopes import check_group, find_account
from local.resource_manager.storage_documents import (
    CREATE_MEMBERS,
    CREATE_ONLY_PROPERTIES,
    KIND,
    PROPERTIES,
    UPDATE_MEMBERS,
    new_account,
    sku,
    with_identity,
)
from local.roles import find_grant
from local.world import StorageAccount, World

_READ: Final = f"{KIND}/read"
_WRITE: Final = f"{KIND}/write"
_ASSIGN: Final = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action"
_PAGE: Final = 100


def account_id(call: ArmCall) -> str:
    """The ARM id of the account in the path."""
    return f"{call.group_id}/providers/{KIND}/{call.parts['name']}"


async def get_account(call: ArmCall) -> Answer:
    """GET."""
    return Answer(200, _document(call.world, existing_account(call, _READ)))


async def list_accounts(call: ArmCall) -> Answer:
    """List by subscription: what the caller may read of it."""
    scope = f"/subscriptions/{call.parts['subscription']}"
    return _list(call, scope)


async def list_accounts_of_group(call: ArmCall) -> Answer:
    """List by resource group."""
    call.authorise(_READ, call.group_id)
    check_group(call.world, call.parts["subscription"], call.parts["group"])
    return _list(call, call.group_id)


async def update_account(call: ArmCall) -> Answer:
    """PATCH: answers 200 with the whole account at once."""
    account = existing_account(call, _WRITE)
    body = call.body(*UPDATE_MEMBERS)
    _check_busy(call.world, account)
    account.document = _changed(call, account, body, replace=False)
    return Answer(200, _document(call.world, account))


async def create_account(call: ArmCall) -> Answer:
    """PUT: a new account is 202 and polled by its Location; one that exists is updated, 200."""
    resource_id = account_id(call)
    call.authorise(_WRITE, resource_id)
    check_group(call.world, call.parts["subscription"], call.parts["group"])
    body = call.body(*CREATE_MEMBERS)
    _check_create(call, body)
    existing = find_account(call.world, resource_id)
    if existing is not None:
        return _update_by_put(call, existing, body)
    draft = StorageAccount(resource_id, new_account(call.world, resource_id, body), secrets.token_bytes(32))
    draft.document = _changed(call, draft, body, replace=True)
    draft.creating_until = call.world.clock.now() + timedelta(seconds=call.world.create_seconds)
    call.world.storage_accounts[resource_id.casefold()] = draft
    operation = str(uuid.uuid4())
    call.operations[operation] = resource_id
    return Answer(202, None, _poll_headers(call, operation, draft.document["location"]))


async def poll_creation(call: ArmCall) -> Answer:
    """GET of a Location: 202 with a new Location, in the end 200 with the account."""
    operation = call.parts["operation"]
    account = find_account(call.world, str(call.operations.get(operation, "")))
    if account is None:
        raise ArmError(404, "ResourceNotFound", f"The operation '{operation}' was not found.")
    document = _document(call.world, account)
    if account.creating_until is not None:
        return Answer(202, None, _poll_headers(call, operation, call.parts["location"]))
    return Answer(200, document)


async def delete_account(call: ArmCall) -> Answer:
    """DELETE: 200, or 204 where there was none."""
    resource_id = account_id(call)
    call.authorise(f"{KIND}/delete", resource_id)
    check_group(call.world, call.parts["subscription"], call.parts["group"])
    removed = call.world.storage_accounts.pop(resource_id.casefold(), None)
    return Answer(204 if removed is None else 200)


def existing_account(call: ArmCall, action: str) -> StorageAccount:
    """Authorise, then find the account in the path; raises 403 and 404."""
    resource_id = account_id(call)
    call.authorise(action, resource_id)
    check_group(call.world, call.parts["subscription"], call.parts["group"])
    account = find_account(call.world, resource_id)
    if account is None:
        raise resource_not_found(KIND, call.parts["name"], call.parts["group"])
    return account


def _list(call: ArmCall, scope: str) -> Answer:
    prefix = f"{scope}/".casefold()
    within = [account for key, account in sorted(call.world.storage_accounts.items()) if key.startswith(prefix)]
    if find_grant(call.world, call.claims.object_id, scope, _READ) is None:
        # Whoever may read a part of the subscription is shown that part.
        within = [
            account
            for account in within
            if find_grant(call.world, call.claims.object_id, account.resource_id, _READ) is not None
        ]
        if not within:
            raise authorization_failed(call.claims, _READ, scope)
    return Answer(200, page(call, [_document(call.world, account) for account in within], _PAGE))


def _changed(call: ArmCall, account: StorageAccount, body: dict[str, Any], *, replace: bool) -> dict[str, Any]:
    """Work out the account's document after a request. Encryption comes last: it alone changes more than this."""
    document = deepcopy(account.document)
    before = document.get("identity")
    requested = body.get("identity")
    for linked in assigned_ids(requested):
        call.authorise_linked(_WRITE, account.resource_id, _ASSIGN, linked)
    after = before
    if requested is not None:
        after = change_identity(
            call.world, account.resource_id, before, requested, tenant_id=call.tenant_id, replace=replace
        )
    properties = _properties(body, (*PROPERTIES, *CREATE_ONLY_PROPERTIES) if replace else PROPERTIES)
    for name, value in properties.items():
        if name != "encryption" and value is not None:
            present = document["properties"].get(name)
            both = isinstance(present, dict) and isinstance(value, dict)
            document["properties"][name] = {**present, **value} if both else value
    if body.get("tags") is not None:
        document["tags"] = dict(body["tags"])
    if (body.get("sku") or {}).get("name"):
        document["sku"] = sku(body["sku"]["name"])
    if properties.get("encryption") is not None:
        document["properties"]["encryption"] = change_encryption(
            call.world, account, properties["encryption"], identity_before=before, identity_after=after
        )
    return with_identity(document, after)


def _properties(body: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    properties = body.get("properties") or {}
    if not isinstance(properties, dict):
        raise invalid_values("properties")
    check_members(properties, known, "StorageAccountProperties")
    days = (properties.get("keyPolicy") or {}).get("keyExpirationPeriodInDays", 0)
    if not isinstance(days, int) or days < 0:
        raise invalid_values("keyPolicy.keyExpirationPeriodInDays")
    return properties


def _check_create(call: ArmCall, body: dict[str, Any]) -> None:
    name = call.parts["name"]
    if not re.fullmatch(r"[a-z0-9]{3,24}", name):
        raise ArmError(
            400,
            "AccountNameInvalid",
            f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters "
            "in length and use numbers and lower-case letters only.",
        )
    for member in ("location", "kind"):
        if not isinstance(body.get(member), str):
            raise invalid_values(member)
    if not isinstance((body.get("sku") or {}).get("name"), str):
        raise invalid_values("sku")
    wanted = account_id(call).casefold()
    for key in call.world.storage_accounts:
        if key != wanted and key.rpartition("/")[2] == name:
            raise ArmError(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")


def _update_by_put(call: ArmCall, account: StorageAccount, body: dict[str, Any]) -> Answer:
    location = body["location"].lower().replace(" ", "")
    if location != account.document["location"]:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{call.parts['name']}' already exists in location '{account.document['location']}' in "
            f"resource group '{call.parts['group']}'. A resource with the same name cannot be created in location "
            f"'{location}'. Please select a new resource name.",
            gateway=True,
        )
    _check_busy(call.world, account)
    account.document = _changed(call, account, body, replace=True)
    return Answer(200, _document(call.world, account))


def _check_busy(world: World, account: StorageAccount) -> None:
    _document(world, account)
    if account.creating_until is not None:
        raise ArmError(
            409,
            "StorageAccountOperationInProgress",
            "An operation is currently performing on this storage account that requires exclusive access.",
        )


def _document(world: World, account: StorageAccount) -> dict[str, Any]:
    """The account as it stands now; a creation ends by the world's clock."""
    if account.creating_until is not None and world.clock.now() >= account.creating_until:
        account.creating_until = None
        account.document["properties"]["provisioningState"] = "Succeeded"
    return account.document


def _poll_headers(call: ArmCall, operation: str, location: str) -> dict[str, str]:
    # Each answer has a new address; Azure signs it, which nothing here checks.
    stamp = int(call.world.clock.time() * 10_000_000)
    return {
        "Content-Type": "text/plain; charset=utf-8",
        "Location": (
            f"https://{call.host}/subscriptions/{call.parts['subscription']}/providers/Microsoft.Storage/locations/"
            f"{location}/asyncoperations/{operation}?monitor=true&api-version={call.api_version}&t={stamp}"
        ),
        "Retry-After": str(call.world.create_seconds),
    }
