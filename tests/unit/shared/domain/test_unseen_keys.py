"""A look that did not show the key never ends in a healthy key, and never in a ready one; whatever else it showed."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.entries import Notification
from shared.domain.key_checks import run_checks
from shared.domain.key_health import decide_key, is_ready
from shared.domain.key_observation import Denial, KeyObservation, Outage, TokenRefusal
from shared.domain.model import HealthState, Key, KeyHealth
from tests.unit.shared.domain.values import KEY, NOW, OTHER_TENANT, TENANT, look, verified_key

WELL = (HealthState.HEALTHY, HealthState.EXPIRING)

denials = st.builds(
    Denial,
    http_status=st.sampled_from([400, 401, 403, 404, 409, 418]),
    inner_code=st.sampled_from(
        ["", "ForbiddenByRbac", "ForbiddenByFirewall", "KeyDisabled", "KeyExpired", "VaultInAnotherTenant", "New"]
    ),
    bypass_on=st.sampled_from([None, True, False]),
)
refusals = st.builds(TokenRefusal, aadsts=st.sampled_from([0, 700016, 7000112, 53003, 700213, 1]), detail=st.just("no"))
unseen = st.builds(
    KeyObservation,
    at=st.just(NOW),
    challenge_tenant=st.sampled_from([None, TENANT, OTHER_TENANT]),
    outage=st.none() | st.sampled_from(Outage),
    token_obtained=st.booleans(),
    token_refusal=st.none() | refusals,
    denial=st.none() | denials,
    missing=st.booleans(),
)
healths = st.builds(KeyHealth, state=st.sampled_from(HealthState), since=st.just(NOW - timedelta(days=1)))
keys = st.sampled_from([KEY, verified_key()]).flatmap(
    lambda key: healths.map(lambda health: replace(key, health=health))
)


def after(key: Key, seen: KeyObservation) -> tuple[Key, set[str]]:
    one = look(seen, key=key)
    steps = decide_key(one, run_checks(one)).steps
    return (steps[-1].key if steps else key), {str(step.type) for step in steps}


@settings(max_examples=300)
@given(keys, unseen)
def test_nothing_is_ready_without_the_key_in_sight(key: Key, seen: KeyObservation) -> None:
    assert not is_ready(after(key, seen)[0])


@settings(max_examples=300)
@given(keys, unseen)
def test_nothing_is_healthy_without_the_key_in_sight_but_for_a_loss_that_is_not_confirmed(
    key: Key, seen: KeyObservation
) -> None:
    health = after(key, seen)[0].health
    if health.state in WELL:
        assert (health.state, health.since) == (key.health.state, key.health.since)
        assert health.suspected_at is not None


@settings(max_examples=300)
@given(keys, unseen)
def test_no_good_news_is_told_without_the_key_in_sight(key: Key, seen: KeyObservation) -> None:
    now, told = after(key, seen)
    assert not {Notification.KEY_VERIFIED, Notification.KEY_NEW_VERSION} & told
    # A vault that answers that the key has expired has let CrossKey in again, and says no more than that.
    assert Notification.KEY_ACCESS_RESTORED not in told or now.health.state is HealthState.EXPIRED
