"""A storage account in any weather: whatever happens and whenever the process dies, it comes to where it should be.

A tiny model of Resource Manager takes the updates, loses answers or refuses; Azure looks up versions by itself; people
edit by hand; the process dies between record and update. The reconciler's run is imitated around the real decision.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain.account_observation import (
    VAULT_MANAGED,
    AccountUpdate,
    EncryptWithKey,
    ObservedAccount,
    RemoveIdentity,
    ReturnToMicrosoftManagedKeys,
    SetKeyVersion,
)
from shared.domain.desired import Desired, Leave
from shared.domain.findings import Finding
from shared.domain.model import DriftPolicy, ResourceState
from shared.domain.reasons import Reason
from shared.domain.storage_plan import decide_account
from shared.domain.storage_situation import Plan, Situation, has_identity
from tests.unit.shared.domain.azure_model import ON_MICROSOFT_KEYS, ModelOfAzure, on, version_of
from tests.unit.shared.domain.values import CMK, FOREIGN, IDENTITY, RESOURCE, THEIR_IDENTITY, plain_account, wish

CLEAR, LOST, REFUSED, CRASH = "clear", "answer lost", "refused", "crash"


class AnAccountInAnyWeather(ModelOfAzure, RuleBasedStateMachine):
    """The wish and the record beside the world; each rule is something that can happen."""

    @initialize(moves_at_once=st.booleans(), identity_there=st.booleans(), policy=st.sampled_from(DriftPolicy))
    def begin(self, *, moves_at_once: bool, identity_there: bool, policy: DriftPolicy) -> None:
        self.moves_at_once = moves_at_once
        self.identity_there = identity_there
        self.account = plain_account(user_assigned=(THEIR_IDENTITY, IDENTITY) if identity_there else (THEIR_IDENTITY,))
        self.latest = 1
        self.proven = {1}
        self.pinned: int | None = None
        self.usable = True
        self.leaving = False
        self.resource = replace(RESOURCE, drift_policy=policy)
        self.memory: bool | None = None
        self.decided: dict[Situation, Plan] = {}

    # What the world and people do.

    @rule()
    def the_customer_rotates(self) -> None:
        self.rotate()

    @rule()
    def crosskey_checks_the_key(self) -> None:
        if self.usable:
            self.latest = self.newest
            self.proven.add(self.latest)

    @rule(usable=st.booleans())
    def the_key_is_revoked_or_restored(self, *, usable: bool) -> None:
        self.usable = usable

    @rule()
    def the_owner_pins_or_follows(self) -> None:
        self.pinned = self.latest if self.pinned is None else None

    @precondition(lambda self: self.is_on_cmk and self.account.follows_latest and self.usable)
    @rule()
    def azure_looks_up_the_newest_version(self) -> None:
        self.change(**on(version_of(self.newest), pinned=False))

    @rule()
    def somebody_puts_another_key(self) -> None:
        self.change(**on(FOREIGN, pinned=False), encryption_identity=THEIR_IDENTITY, federated_client_id=None)

    @rule()
    def somebody_returns_to_microsoft_managed_keys(self) -> None:
        self.change(**ON_MICROSOFT_KEYS)

    @precondition(lambda self: self.is_on_cmk)
    @rule(pinned=st.booleans(), newest=st.booleans())
    def somebody_pins_or_unpins(self, *, pinned: bool, newest: bool) -> None:
        number = self.newest if newest else 1
        self.change(**on(version_of(number), pinned=pinned))

    @rule()
    def somebody_takes_the_account_away_or_back(self) -> None:
        self.missing = not self.missing

    @rule(hours=st.sampled_from([0.01, 1, 9]))
    def time_passes(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def the_operator_asks_for_the_release(self) -> None:
        self.leaving = True

    # What CrossKey does.

    @rule(weather=st.sampled_from([CLEAR, CLEAR, CLEAR, LOST, REFUSED, CRASH]))
    def crosskey_reconciles(self, weather: str) -> None:
        if self.resource.is_live:
            self.step(weather)

    def step(self, weather: str) -> Plan:
        situation = Situation(
            resource=self.resource,
            desired=self.desired,
            seen=None if self.missing else self.account,
            now=self.now,
            versionless_moves=self.memory,
            scopes=(),
        )
        plan = decide_account(situation)
        assert self.decided.setdefault(situation, plan) == plan, "two different steps for one situation"
        assert plan.entry is not None or plan.resource == self.resource, "a change that is not recorded"
        self.resource = plan.resource
        if plan.update is None or weather == CRASH:
            return plan
        self.check(plan, plan.update)
        if plan.proof is not None and not self.usable:
            self.fail(Finding(Reason.CURRENT_KEY_UNUSABLE))
        elif weather == REFUSED or (self.needs_the_key(plan.update) and not self.usable):
            self.fail(Finding(Reason.APPLY_REFUSED))
        else:
            before = self.account
            self.apply(plan.update)
            if weather != LOST:
                self.learn(plan.update, before)
        return plan

    def check(self, plan: Plan, update: AccountUpdate) -> None:
        on_vault_key = self.account.key_source == VAULT_MANAGED
        foreign = on_vault_key and not self.is_on_cmk
        match update:
            case ReturnToMicrosoftManagedKeys():
                assert plan.proof == self.account.current_version, "left a key that was not proven to unwrap"
                assert self.is_on_cmk, "took a key off that is not ours"
            case EncryptWithKey():
                assert not foreign or self.was_ours, "took over what was never ours"
                assert not foreign or plan.proof is not None, "repaired without a proof"
                there = has_identity(self.account, IDENTITY)
                assert there or self.resource.identity_added == IDENTITY, "forgot whose the identity is"
            case SetKeyVersion():
                unknown = self.account.current_version not in {version_of(one).version for one in self.proven}
                ahead = self.account.follows_latest and unknown
                behind = self.number_in_use() < self.latest
                assert not ahead or behind or self.pinned is not None, "moved Azure back"
            case RemoveIdentity():
                assert not self.identity_there, "took an identity off that CrossKey did not add"

    def fail(self, finding: Finding) -> None:
        state = ResourceState.RELEASING if self.leaving else ResourceState.FAILED
        self.resource = replace(self.resource, state=state, findings=(finding,))

    def learn(self, update: AccountUpdate, before: ObservedAccount) -> None:
        asked = isinstance(update, SetKeyVersion) and update.version is None and before.follows_latest
        if asked and self.memory is None:
            self.memory = before.current_version != self.account.current_version

    # What must hold.

    @invariant()
    def identities_of_others_stay(self) -> None:
        assert THEIR_IDENTITY in self.account.user_assigned
        assert not self.identity_there or IDENTITY in self.account.user_assigned

    @rule()
    def when_the_weather_clears_the_account_comes_to_where_it_should_be_and_stays_quiet(self) -> None:
        if not self.resource.is_live:
            return
        self.missing, self.usable = False, True
        self.latest = self.newest
        self.proven.add(self.latest)
        self.now += timedelta(hours=25)
        for _ in range(10):
            if self.is_quiet(self.step(CLEAR)):
                break
        else:
            raise AssertionError(f"did not settle: {self.resource}")
        self.is_where_it_should_be()
        assert self.is_quiet(self.step(CLEAR)), "does not stay quiet"

    def is_quiet(self, plan: Plan) -> bool:
        ended = not self.resource.is_live  # what is not live is never looked at again
        return ended or (plan.update, plan.entry, plan.look_again_after) == (None, None, None)

    def teardown(self) -> None:
        if hasattr(self, "resource"):
            self.when_the_weather_clears_the_account_comes_to_where_it_should_be_and_stays_quiet()

    def is_where_it_should_be(self) -> None:
        if self.leaving:
            assert self.resource.state is ResourceState.RELEASED
            assert not self.is_on_cmk
            assert self.resource.identity_added is None
            return
        if self.resource.state is ResourceState.PROTECTED:
            assert self.is_on_cmk
            assert self.account.follows_latest is (self.pinned is None)
            assert self.account.current_version == version_of(self.pinned or self.latest).version
            assert self.resource.rotation is None
            return
        if self.resource.drift_policy is DriftPolicy.REPAIR:
            assert self.resource.state is ResourceState.BLOCKED
            assert self.account.current_key == FOREIGN
            assert not self.resource.repairs
        else:
            assert self.resource.state in (ResourceState.DRIFTED, ResourceState.BLOCKED)

    @property
    def desired(self) -> Desired:
        if self.leaving:
            return Leave(CMK)
        finding = None if self.usable else Finding(Reason.KEY_NOT_READY)
        return wish(
            version=version_of(self.pinned or self.latest).version,
            created=self.versions[self.latest] if self.pinned is None else None,
            follows_latest=self.pinned is None,
            ready=self.usable,
            proven=frozenset(version_of(one).version or "" for one in self.proven),
            finding=finding,
        )

    @staticmethod
    def needs_the_key(update: AccountUpdate) -> bool:
        return not isinstance(update, RemoveIdentity)


AnAccountInAnyWeather.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestAnAccountInAnyWeather = AnAccountInAnyWeather.TestCase
