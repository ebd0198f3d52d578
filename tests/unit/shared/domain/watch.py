"""A key under watch: looked at again and again, as the check of a key does it, without any of its ports."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from shared.domain.entries import Notification
from shared.domain.key_checks import run_checks
from shared.domain.key_health import KeyPlan, decide_key
from shared.domain.key_observation import KeyObservation
from shared.domain.look import Look
from shared.domain.model import HealthState, Key
from tests.unit.shared.domain.values import CUSTOMER, KEY, NOW, V1, V2, observed_key, probe, seen, verified_key


class Watch:
    """A key that is looked at again and again; remembers what was announced and every step."""

    def __init__(self, key: Key = KEY) -> None:
        self.key = key
        self.now = NOW
        self.announced: list[Notification] = []
        self.plan: KeyPlan | None = None

    def sees(self, observation: KeyObservation, *, after: timedelta = timedelta(), **facts: Any) -> KeyPlan:
        """Look once more; `facts` are further fields of `Look`."""
        self.now += after
        observation = replace(observation, at=self.now)
        given = Look(customer=CUSTOMER, key=self.key, seen=observation, now=self.now, **facts)
        plan = decide_key(given, run_checks(given))
        assert decide_key(given, run_checks(given)) == plan, "the decision is not pure"
        for before, after_step in pairwise([self.key, *(step.key for step in plan.steps)]):
            assert before != after_step, "a step records nothing"
        self.announced += [step.type for step in plan.steps if isinstance(step.type, Notification)]
        if plan.steps:
            self.key = plan.steps[-1].key
        self.plan = plan
        return plan

    @property
    def health(self) -> HealthState:
        return self.key.health.state


def watch_verified() -> Watch:
    return Watch(verified_key())


def with_expiry(days: float, version: str = V1) -> KeyObservation:
    return seen(key=observed_key(version=version, expires=NOW + timedelta(days=days)), probe=probe(version=version))


def new_version(**changes: object) -> KeyObservation:
    created = observed_key().created + timedelta(days=1)
    return seen(key=observed_key(version=V2, created=created), probe=probe(version=V2, **changes))
