"""Time and randomness of this process: the only place that asks for either."""

import secrets
from datetime import UTC, datetime


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The present, aware UTC."""
        return datetime.now(UTC)


class SystemRandomness:
    """The operating system's randomness."""

    def new_id(self) -> str:
        """A fresh id: 32 hexadecimal digits."""
        return secrets.token_hex(16)

    def random_bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        return secrets.token_bytes(count)
