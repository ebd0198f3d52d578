"""Resource Manager's token buckets: per subscription and principal, reads and writes apart.

A bucket fills by the world's clock. Sizes and rates are `World.arm_throttling` and may change at any time.
"""

import math
from dataclasses import dataclass

from local.resource_manager.errors import ArmError
from local.world import World


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    """The buckets of all principals."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def reset(self) -> None:
        """Fill all buckets."""
        self._buckets.clear()

    def take(self, method: str, subscription: str, principal: str) -> dict[str, str]:
        """Take one token; answers the headers that tell what is left, raises 429 where nothing is."""
        settings = self._world.arm_throttling
        kind = "reads" if method in {"GET", "HEAD"} else "deletes" if method == "DELETE" else "writes"
        size = settings.read_bucket if kind == "reads" else settings.write_bucket
        rate = settings.reads_per_second if kind == "reads" else settings.writes_per_second
        now = self._world.clock.time()
        bucket = self._buckets.setdefault((subscription.lower(), principal, kind), _Bucket(size, now))
        bucket.tokens = min(size, bucket.tokens + (now - bucket.filled_at) * rate)
        bucket.filled_at = now
        if settings.enabled and bucket.tokens < 1:
            raise self._refusal(kind, subscription, size, math.ceil((1 - bucket.tokens) / rate))
        bucket.tokens = max(0.0, bucket.tokens - 1)
        return {
            f"x-ms-ratelimit-remaining-subscription-{kind}": str(int(bucket.tokens)),
            f"x-ms-ratelimit-remaining-subscription-global-{kind}": str(int(bucket.tokens) + 14 * size),
        }

    def _refusal(self, kind: str, subscription: str, size: int, seconds: int) -> ArmError:
        return ArmError(
            429,
            "SubscriptionRequestsThrottled",
            f"Number of {kind.removesuffix('s')} requests for subscription '{subscription}' exceeded the limit of "
            f"'{size}' for time interval '00:00:01'. Please try again after '{seconds}' seconds.",
            gateway=True,
            headers={"Retry-After": str(seconds)} if self._world.arm_throttling.sends_retry_after else None,
        )
