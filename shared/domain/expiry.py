"""The expiry ladder: how near a key version's end is, in steps that are announced once each."""

from datetime import datetime, timedelta

EXPIRY_STEPS = (90, 30, 14, 7, 1)


def expiry_step(expires: datetime, now: datetime) -> int | None:
    """The smallest step of the ladder that has been reached, in days; None while it is further away than all."""
    left = expires - now
    return next((days for days in reversed(EXPIRY_STEPS) if left <= timedelta(days=days)), None)
