"""Contoso on fakes: a customer that consented, a key, storage accounts; and the host that works the queue off."""

import json
from collections import Counter
from dataclasses import dataclass, field

from shared.bundle import Bundle
from shared.domain.account_observation import ObservedAccount
from shared.domain.entries import Notification, Origin, TimelineEntry
from shared.domain.identifiers import KeyIdentifier, StorageAccountId
from shared.domain.model import Customer, Key, Operation, Resource
from shared.domain.remedies import ownership_tag
from shared.domain.work import WorkItem
from shared.errors import CrossKeyError
from shared.services.check_key import KeyCheck, check_key
from shared.services.consent import confirm_consent
from shared.services.customers import put_customer
from shared.services.keys import put_key
from shared.services.reconcile_resource import reconcile_resource
from shared.services.resources import put_resource
from shared.services.sweep import sweep_range
from shared.services.timeline import check_integrity
from shared.services.work import perform
from shared.stores import Stored
from tests.fakes import APPLICATION, CUSTOMER_TENANT, SUBSCRIPTION, FakeVault, FakeWorld, make_world

ORIGIN = Origin(request_id="request-1", cause="test", actor="operator")
CONTOSO = "contoso"
VAULT = "contoso-keys"
OTHER_IDENTITY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data"
    "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs"
)
WHOLE_FLEET = "0of1"


def account_id(name: str = "contosodata") -> StorageAccountId:
    """One of the provider's storage accounts."""
    return StorageAccountId(SUBSCRIPTION, "rg-data", name)


ACCOUNT = account_id()


@dataclass(slots=True)
class Stage:
    """The world and what is asked of it most."""

    world: FakeWorld
    vault: FakeVault
    version: KeyIdentifier
    raised: list[CrossKeyError] = field(default_factory=list)

    @property
    def bundle(self) -> Bundle:
        return self.world.bundle

    @property
    def cmk(self) -> KeyIdentifier:
        return self.version.versionless

    async def customer(self) -> Customer:
        return _value(await self.world.state.read_customer(CONTOSO))

    async def key(self, name: str = "primary") -> Key:
        return _value(await self.world.state.read_key(CONTOSO, name))

    async def resource(self, name: str = "data") -> Resource:
        return _value(await self.world.state.read_resource(CONTOSO, name))

    async def operation(self, operation_id: str | None) -> Operation:
        assert operation_id is not None
        return _value(await self.world.state.read_operation(CONTOSO, operation_id))

    async def account(self, account: StorageAccountId = ACCOUNT) -> ObservedAccount:
        seen = await self.world.accounts.read(account)
        assert seen is not None
        return seen

    async def check(self, *, thorough: bool = False) -> KeyCheck:
        return await check_key(self.bundle, CONTOSO, "primary", origin=ORIGIN, thorough=thorough)

    async def reconcile(self, bundle: Bundle | None = None) -> None:
        await reconcile_resource(bundle or self.bundle, CONTOSO, "data", origin=ORIGIN)

    async def tag(self) -> None:
        """The customer's administrator tags the key, as the set-up kit says."""
        name, value = ownership_tag(await self.customer())
        self.world.vault.change(self.cmk, tags={name: value})

    async def rotate(self) -> KeyIdentifier:
        """The customer makes a newer version, and CrossKey checks it."""
        newer = self.world.vault.add_version(self.vault, "cmk")
        await self.check()
        return newer

    async def work_off(self, bundle: Bundle | None = None) -> None:
        """Work as the host does until nothing is left, moving the clock to whatever comes next.

        A killed process leaves the messages it had taken; what is raised goes the host's way and is kept in `raised`.
        """
        queue, clock = self.world.queue, self.world.clock
        for _ in range(500):
            items = queue.take()
            for position, item in enumerate(items):
                try:
                    await self._perform(bundle or self.bundle, item)
                except BaseException:
                    for left in items[position:]:
                        await queue.enqueue(left)
                    raise
            if queue.next_visible is None:
                return
            clock.advance(max(queue.next_visible - clock.now(), clock.now() - clock.now()))
        raise AssertionError("the queue never became empty")

    async def _perform(self, bundle: Bundle, item: WorkItem) -> None:
        try:
            await perform(bundle, item)
        except CrossKeyError as error:
            self.raised.append(error)

    async def sweep(self) -> None:
        await sweep_range(self.bundle, WHOLE_FLEET, origin=ORIGIN)

    async def entries(self) -> list[TimelineEntry]:
        return [entry async for entry in self.world.timeline.read_entries(CONTOSO)]

    async def entry_types(self) -> Counter[str]:
        return Counter(entry.type for entry in await self.entries())

    def announced(self) -> list[str]:
        """Types as a subscriber counts them that drops repeated ids."""
        return [one.type.removeprefix("CrossKey.") for one in self.world.notifications.distinct]

    async def assert_told_truly(self) -> None:
        """Everything committed is in the timeline once and in order, and announced under one id with one content."""
        assert not await self.world.state.read_outbox(CONTOSO, limit=10)
        entries = await self.entries()
        assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
        assert len({entry.entry_id for entry in entries}) == len(entries)
        assert (await check_integrity(self.bundle, CONTOSO)).intact
        contents: dict[str, str] = {}
        for one in self.world.notifications.published:
            content = json.dumps([one.type, one.subject, one.time.isoformat(), one.data], sort_keys=True)
            assert contents.setdefault(one.event_id, content) == content
        wanted = [entry.entry_id for entry in entries if entry.type in set(Notification)]
        assert [one.event_id for one in self.world.notifications.distinct] == wanted


def _value[T: (Customer, Key, Resource, Operation)](stored: Stored[T] | None) -> T:
    assert stored is not None
    return stored.value


async def registered_key(*, policy: str = "latest") -> Stage:
    """Contoso consented and registered a good key that is not tagged yet; nothing was checked."""
    world = make_world()
    vault = world.vault.add_vault(VAULT, CUSTOMER_TENANT, APPLICATION)
    version = world.vault.add_version(vault, "cmk")
    stage = Stage(world, vault, version)
    await put_customer(
        world.bundle, CONTOSO, display_name="Contoso", tenant_id=CUSTOMER_TENANT, if_match=None, origin=ORIGIN
    )
    world.credentials.consent(CUSTOMER_TENANT, APPLICATION)
    await confirm_consent(world.bundle, CONTOSO, origin=ORIGIN)
    identifier = version if policy == "pinned" else version.versionless
    await put_key(
        world.bundle,
        CONTOSO,
        "primary",
        key_identifier=str(identifier),
        version_policy=policy,
        vault_resource_id=None,
        if_match=None,
        origin=ORIGIN,
    )
    return stage


async def verified_key(*, policy: str = "latest") -> Stage:
    """The key is tagged, every check passed, and the queue is empty."""
    stage = await registered_key(policy=policy)
    await stage.tag()
    await stage.work_off()
    return stage


async def protect(
    stage: Stage,
    bundle: Bundle | None = None,
    *,
    name: str = "data",
    account: StorageAccountId = ACCOUNT,
    drift_policy: str = "repair",
) -> Operation:
    """Ask for protection; nothing is worked off yet."""
    _, operation = await put_resource(
        bundle or stage.bundle,
        CONTOSO,
        name,
        resource_id=str(account),
        key="primary",
        drift_policy=drift_policy,
        if_match=None,
        origin=ORIGIN,
    )
    assert operation is not None
    return operation


async def unprotected_account(*, policy: str = "latest") -> Stage:
    """A verified key and an account with identities of its own, on Microsoft-managed keys."""
    stage = await verified_key(policy=policy)
    stage.world.accounts.add(ACCOUNT, system_assigned=True, user_assigned=(OTHER_IDENTITY,))
    return stage


async def protected_account(*, policy: str = "latest", drift_policy: str = "repair") -> Stage:
    """The account is protected with the key, and the queue is empty."""
    stage = await unprotected_account(policy=policy)
    await protect(stage, drift_policy=drift_policy)
    await stage.work_off()
    return stage
