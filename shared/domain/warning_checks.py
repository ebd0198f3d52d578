"""The checks that warn and never fail a key: what will hurt later, or what CrossKey misses without it.

They stand in the table of `key_checks`. Details name days, not ages, so that an unchanged world gives the same report.
"""

from datetime import timedelta

from shared.domain.expiry import expiry_step
from shared.domain.findings import CheckResult, Result, passed, skipped
from shared.domain.key_memory import LearntBy
from shared.domain.look import Look
from shared.domain.reasons import Reason

LONGEST_LIFE = timedelta(days=730)
EVENT_GRACE = timedelta(minutes=15)
"""An event may come a little after the sweep that found what it tells of."""


def new_version(look: Look) -> CheckResult:
    """A newer version that is not fit is a warning: the version taken over is what counts."""
    return passed("newVersion") if look.unusable is None else look.unusable


def expiry(look: Look) -> CheckResult:
    """Expiry that comes near is a warning, step by step."""
    key = look.seen.key
    if key is None:
        return _unread("expiry")
    if key.expires is None or key.expires <= look.now:
        return passed("expiry")
    step = expiry_step(key.expires, look.now)
    if step is None:
        return passed("expiry")
    return CheckResult(
        "expiry", Result.WARN, Reason.NEAR_EXPIRY, f"Expires {key.expires:%Y-%m-%d}, within {step} days."
    )


def rotation_age(look: Look) -> CheckResult:
    """A version that never expires should not stay for more than two years."""
    key = look.seen.key
    if key is None:
        return _unread("rotationAge")
    if key.expires is not None or look.now - key.created <= LONGEST_LIFE:
        return passed("rotationAge")
    made = f"Version {key.version} was made {key.created:%Y-%m-%d}."
    return CheckResult("rotationAge", Result.WARN, Reason.ROTATION_OVERDUE, made)


def event_subscription(look: Look) -> CheckResult:
    """A rotation that only the sweep found shows that the vault's events do not arrive."""
    learnt_by = LearntBy.EVENT if look.learnt_by is LearntBy.EVENT else look.key.memory.learnt_by
    created = look.key.latest_created
    if learnt_by is None:
        return skipped("eventSubscription", "No rotation was seen yet that an event could have told of.")
    if learnt_by is LearntBy.EVENT or created is None or look.now - created < EVENT_GRACE:
        return passed("eventSubscription")
    found = f"Version {look.key.latest_version} was found by the sweep."
    return CheckResult("eventSubscription", Result.WARN, Reason.SUBSCRIPTION_MISSING, found)


def _unread(check: str) -> CheckResult:
    return skipped(check, "The key could not be read.")
