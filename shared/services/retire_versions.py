"""Older versions of a key: remembers when each was left, and announces once that it may be retired.

Rows only raise the question. Before the announcement every account of the key and every encryption scope of those
accounts is read again; whatever is still on the version, or does not say which one it is on, puts it off.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shared.bundle import Bundle
from shared.domain.encryption_scopes import scopes_on
from shared.domain.entries import Notification, Origin, Record
from shared.domain.model import Key, Resource
from shared.domain.old_versions import OldVersion
from shared.domain.retirement import due, review, users_of
from shared.domain.storage_situation import uses_same_key
from shared.errors import CrossKeyError
from shared.services.commits import commit
from shared.stores import Stored
from shared.telemetry import Event, log_event

READS_AT_ONCE = 4
NAMED = 10

type _Users = dict[str | None, list[str]]
"""Who uses which version; under None who does not say."""


async def review_old_versions(bundle: Bundle, customer_id: str, name: str, *, origin: Origin) -> None:
    """Look after a key's older versions. Raises `StaleWrite` and what the tables raise; Azure's faults wait."""
    stored = await bundle.state.read_key(customer_id, name)
    if stored is None:
        return
    resources = [one.value for one in await bundle.state.read_resources(customer_id)]
    reviewed = review(stored.value, resources, bundle.clock.now())
    if reviewed != stored.value.old_versions:
        data = {**_data(stored.value), "oldVersions": [_shown(one) for one in reviewed]}
        stored = await _remember(bundle, stored, reviewed, Record.KEY_OBSERVED, data, origin=origin)
    versions = due(stored.value, bundle.clock.now())
    if not versions:
        return
    try:
        users = await _read_users(bundle, stored.value, users_of(stored.value, resources))
    except CrossKeyError as error:
        # Not now: the next sweep asks again.
        log_event(Event.RESOURCE_UNOBSERVED, customer_id=customer_id, resource="", key=name, code=error.code)
        return
    for one in versions:
        stored = await _conclude(bundle, stored, one, users, origin=origin)


async def _conclude(
    bundle: Bundle, stored: Stored[Key], old: OldVersion, users: _Users, *, origin: Origin
) -> Stored[Key]:
    now = bundle.clock.now()
    still = [*users.get(old.version, ()), *users.get(None, ())]
    entry: Notification | Record = Notification.KEY_VERSION_RETIRABLE
    after = replace(old, announced_at=now)
    data = {**_data(stored.value), **_shown(old)}
    if still:
        # The grace period begins anew: nothing is asked again before.
        entry, after = Record.KEY_OBSERVED, replace(old, left_at=now)
        data |= {"stillUsedBy": sorted(still)[:NAMED], "users": len(still)}
    else:
        data["message"] = f"No resource known to CrossKey uses version {old.version}."
    versions = tuple(after if one.version == old.version else one for one in stored.value.old_versions)
    return await _remember(bundle, stored, versions, entry, data, origin=origin)


async def _read_users(bundle: Bundle, key: Key, resources: Sequence[Resource]) -> _Users:
    gate = asyncio.Semaphore(READS_AT_ONCE)
    users: _Users = defaultdict(list)

    async def read(resource: Resource) -> None:
        async with gate:
            seen = await bundle.accounts.read(resource.resource_id)
            scopes = [] if seen is None else await bundle.accounts.read_scopes(resource.resource_id)
        if seen is not None and uses_same_key(seen, key.identifier):
            users[seen.current_version].append(resource.name)
        for scope in scopes_on(scopes, key.identifier):
            users[scope.version].append(f"{resource.name}/encryptionScopes/{scope.name}")

    try:
        async with asyncio.TaskGroup() as group:
            for resource in resources:
                group.create_task(read(resource))
    except ExceptionGroup as failed:
        # Whoever called handles one error of ours, not a group of them.
        raise failed.exceptions[0] from failed
    return users


async def _remember(
    bundle: Bundle,
    stored: Stored[Key],
    versions: tuple[OldVersion, ...],
    entry: Notification | Record,
    data: dict[str, Any],
    *,
    origin: Origin,
) -> Stored[Key]:
    return await commit(
        bundle, replace(stored.value, old_versions=versions), entry, data, previous=stored, origin=origin
    )


def _data(key: Key) -> dict[str, Any]:
    return {"key": key.name, "keyIdentifier": str(key.identifier)}


def _shown(old: OldVersion) -> dict[str, Any]:
    return {"version": old.version, "leftAt": None if old.left_at is None else old.left_at.isoformat()}
