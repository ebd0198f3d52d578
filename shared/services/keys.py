"""Keys: registering which key of the customer's vault protects resources, reading, verifying and removing it."""

from dataclasses import dataclass, replace
from typing import Any

from shared.bundle import Bundle
from shared.domain.consequences import consequences
from shared.domain.entries import Origin, Record
from shared.domain.findings import CheckResult
from shared.domain.identifiers import KeyIdentifier
from shared.domain.model import Customer, Key, VersionPolicy
from shared.domain.retirement import retirable
from shared.domain.work import WorkKind
from shared.errors import BadInput, Conflict
from shared.services.check_key import check_key, queue_resources
from shared.services.commits import commit, enqueue, remove, repeat_lost_races, require_match
from shared.services.lookups import find_customer, find_key, parse_key_identifier, parse_name, versions_in_use
from shared.stores import Stored

MAX_RESOURCE_ID = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key as it is shown. `checks` is the report of the look just made, or the recorded one.

    `consequences` tells what its loss means, while it is lost.
    """

    customer: Customer
    key: Stored[Key]
    checks: tuple[CheckResult, ...]
    versions_in_use: list[str]
    retirable_versions: list[str]
    consequences: dict[str, Any] | None = None


async def put_key(
    bundle: Bundle,
    customer_id: str,
    name: str,
    *,
    key_identifier: str,
    version_policy: str,
    vault_resource_id: str | None,
    if_match: str | None,
    origin: Origin,
) -> tuple[Stored[Key], bool]:
    """Register a key, or change how its versions are followed; the same again changes nothing.

    Nothing is asked of the vault here: the check is queued. The identifier of a registered key cannot be changed
    while the registration exists, since resources depend on it.
    """
    name = parse_name(name, "keyName")
    identifier = parse_key_identifier(key_identifier)
    policy, pinned = _version_policy(version_policy, identifier)
    vault_id = _vault_resource_id(vault_resource_id)
    if (await find_customer(bundle, customer_id)).value.leaving_since is not None:
        raise Conflict("The customer is being offboarded.", target="customerId", code="CustomerLeaving")
    wish = Key(
        customer_id=customer_id,
        name=name,
        identifier=identifier.versionless,
        registered_at=bundle.clock.now(),
        version_policy=policy,
        pinned_version=pinned,
        vault_resource_id=vault_id,
    )

    async def put() -> tuple[Stored[Key], bool]:
        return await _put_once(bundle, wish, if_match=if_match, origin=origin)

    return await repeat_lost_races(put, customer_id=customer_id, row=wish.row)


async def _put_once(bundle: Bundle, key: Key, *, if_match: str | None, origin: Origin) -> tuple[Stored[Key], bool]:
    customer_id, name = key.customer_id, key.name
    stored = await bundle.state.read_key(customer_id, name)
    require_match(stored, if_match)
    if stored is None:
        await _refuse_held_key(bundle, key)
        created = await commit(bundle, key, Record.KEY_REGISTERED, _data(key), previous=None, origin=origin)
        await enqueue(bundle, WorkKind.CHECK_KEY, customer_id, name, origin=origin)
        return created, True
    if not stored.value.identifier.names_same_key(key.identifier):
        raise Conflict(
            "The identifier of a registered key cannot be changed; register the other key under another name.",
            target="keyIdentifier",
            code="KeyIdentifierFixed",
        )
    changed = replace(
        stored.value,
        version_policy=key.version_policy,
        pinned_version=key.pinned_version,
        vault_resource_id=key.vault_resource_id or stored.value.vault_resource_id,
        # A removal that died halfway is taken back; one that still goes on loses its race for the row.
        removing_since=None,
    )
    if changed == stored.value:
        return stored, False
    stored = await commit(bundle, changed, Record.KEY_CHANGED, _data(changed), previous=stored, origin=origin)
    # Another version may have to be proven first; resources that can move already need not wait for that.
    await enqueue(bundle, WorkKind.CHECK_KEY, changed.customer_id, changed.name, origin=origin)
    await queue_resources(bundle, changed, origin=origin)
    return stored, False


async def get_key(bundle: Bundle, customer_id: str, name: str) -> KeyView:
    """Read a key with its recorded report. Raises `NotFound`."""
    customer = (await find_customer(bundle, customer_id)).value
    stored = await find_key(bundle, customer_id, name)
    return await _view(bundle, customer, stored, stored.value.verification.checks)


async def verify_key(bundle: Bundle, customer_id: str, name: str, *, origin: Origin) -> KeyView:
    """Check now, with a probe and a fresh token, and answer the full report of this look."""
    checked = await check_key(bundle, customer_id, name, origin=origin, thorough=True)
    return await _view(bundle, checked.customer, checked.key, checked.checks)


async def remove_key(bundle: Bundle, customer_id: str, name: str, *, if_match: str | None, origin: Origin) -> None:
    """Remove a registration that no resource depends on: state first, claim last."""
    await find_customer(bundle, customer_id)
    stored = await find_key(bundle, customer_id, name)
    require_match(stored, if_match)
    await _refuse_used_key(bundle, stored.value)
    # Nothing is encrypted with a key that is being removed; so a resource that comes now waits instead.
    removing = replace(stored.value, removing_since=bundle.clock.now())
    data = _data(removing)
    stored = await commit(bundle, removing, Record.KEY_REMOVING, data, previous=stored, origin=origin, wakes=False)
    try:
        await _refuse_used_key(bundle, removing)
    except Conflict:
        kept = replace(removing, removing_since=None)
        await commit(bundle, kept, Record.KEY_CHANGED, _data(kept), previous=stored, origin=origin)
        raise
    key = stored.value
    claim = await bundle.claims.find("key", key.identifier.claim)
    await remove(bundle, stored, Record.KEY_REMOVED, _data(key), origin=origin)
    if claim is not None and (claim.customer_id, claim.row) == (customer_id, key.row):
        # As it was read before: whoever registers and proves the key again meanwhile keeps it.
        await bundle.claims.remove_unchanged(claim)


async def _refuse_used_key(bundle: Bundle, key: Key) -> None:
    resources = [stored.value for stored in await bundle.state.read_resources(key.customer_id)]
    users = [resource.name for resource in resources if resource.key == key.name and resource.is_live]
    if users:
        raise Conflict(
            f"Key {key.name} protects {len(users)} resource(s), such as {users[0]}; release them first.",
            target="keyName",
            code="KeyInUse",
        )


async def _view(bundle: Bundle, customer: Customer, stored: Stored[Key], checks: tuple[CheckResult, ...]) -> KeyView:
    resources = await bundle.state.read_resources(customer.customer_id)
    return KeyView(
        customer=customer,
        key=stored,
        checks=checks,
        versions_in_use=versions_in_use(stored.value, resources),
        retirable_versions=retirable(stored.value, [one.value for one in resources]),
        consequences=consequences(customer, stored.value, (row.value for row in resources)),
    )


async def _refuse_held_key(bundle: Bundle, key: Key) -> None:
    claim = await bundle.claims.find("key", key.identifier.claim)
    if claim is not None and (claim.customer_id, claim.row) != (key.customer_id, key.row):
        raise Conflict("This key is already in use.", target="keyIdentifier", code="KeyClaimed")


def _version_policy(text: str, identifier: KeyIdentifier) -> tuple[VersionPolicy, str | None]:
    """`latest` needs a versionless identifier, `pinned` a versioned one."""
    if text == VersionPolicy.LATEST:
        if identifier.version is not None:
            raise BadInput(
                "keyIdentifier must not name a version when versionPolicy is latest.",
                target="keyIdentifier",
                code="KeyVersionNotExpected",
            )
        return VersionPolicy.LATEST, None
    if text == VersionPolicy.PINNED:
        if identifier.version is None:
            raise BadInput(
                "keyIdentifier must name a version when versionPolicy is pinned.",
                target="keyIdentifier",
                code="KeyVersionExpected",
            )
        return VersionPolicy.PINNED, identifier.version
    raise BadInput("versionPolicy must be latest or pinned.", target="versionPolicy", code="VersionPolicyUnknown")


def _vault_resource_id(text: str | None) -> str | None:
    if text is None:
        return None
    parts = text.lower().split("/")
    if len(text) > MAX_RESOURCE_ID or len(parts) != 9 or parts[6:8] != ["microsoft.keyvault", "vaults"]:
        raise BadInput(
            "vaultResourceId must be /subscriptions/<guid>/resourceGroups/<group>"
            "/providers/Microsoft.KeyVault/vaults/<name>.",
            target="vaultResourceId",
            code="VaultResourceIdMalformed",
        )
    return text


def _data(key: Key) -> dict[str, Any]:
    return {
        "key": key.name,
        "keyIdentifier": str(key.identifier),
        "versionPolicy": key.version_policy.value,
        "pinnedVersion": key.pinned_version,
    }
