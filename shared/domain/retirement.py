"""When an older version of a key may be retired: decided from rows alone, and confirmed by reading before it is said.

A version counts as old when CrossKey proved it before the one that resources should be on now, or saw a resource on
it. It is due once no resource was seen on it for the grace period. A resource that was given up still counts: its
data depend on the version for good. Pure.
"""

from collections.abc import Iterable
from datetime import datetime

from shared.domain.model import REVOKED_STATES, Key, Resource, ResourceState
from shared.domain.old_versions import RETIREMENT_GRACE, OldVersion
from shared.domain.storage_situation import was_on_key

INDEPENDENT = frozenset({ResourceState.RELEASED, ResourceState.GONE})


def users_of(key: Key, resources: Iterable[Resource]) -> list[Resource]:
    """The resources whose data depend on the key, as far as CrossKey knows."""
    return [one for one in resources if one.key == key.name and one.state not in INDEPENDENT]


def review(key: Key, resources: Iterable[Resource], now: datetime) -> tuple[OldVersion, ...]:
    """What is to be remembered of the key's older versions now."""
    target = key.target_version
    if target is None:
        return key.old_versions
    in_use = _versions_in_use(key, resources)
    proven = [canary.version for canary in key.canaries]
    older = proven[: proven.index(target)] if target in proven else []
    known = {one.version: one for one in key.old_versions}
    reviewed: list[OldVersion] = []
    for version in dict.fromkeys((*known, *older, *sorted(in_use))):
        before = known.get(version)
        if version == target:
            continue
        if version not in in_use:
            left = before is not None and before.left_at is not None
            reviewed.append(before if before is not None and left else OldVersion(version=version, left_at=now))
        elif version not in proven:
            # Its canary would keep it in mind; without one it would be forgotten once it is left.
            reviewed.append(OldVersion(version=version))
    return tuple(reviewed)


def due(key: Key, now: datetime) -> list[OldVersion]:
    """The versions that may be announced, if what uses the key confirms it. Never while the key is revoked."""
    if key.health.state in REVOKED_STATES or key.health.suspected_at is not None:
        return []
    return [
        one
        for one in key.old_versions
        if one.announced_at is None and one.left_at is not None and now - one.left_at >= RETIREMENT_GRACE
    ]


def needs_review(key: Key, resources: Iterable[Resource], now: datetime) -> bool:
    """Whether anything about older versions is news or due."""
    return review(key, list(resources), now) != key.old_versions or bool(due(key, now))


def retirable(key: Key, resources: Iterable[Resource]) -> list[str]:
    """The versions announced as retirable that nothing was seen on since."""
    in_use = {key.target_version, *_versions_in_use(key, resources)}
    return sorted(one.version for one in key.old_versions if one.announced_at is not None and one.version not in in_use)


def _versions_in_use(key: Key, resources: Iterable[Resource]) -> set[str]:
    return {
        one.observed.version_in_use
        for one in users_of(key, resources)
        if one.observed is not None
        and one.observed.version_in_use is not None
        and was_on_key(one, key.identifier.versionless)
    }
