"""Private keys made ahead of time, so that creating and rotating a key is as quick as in Azure.

Generating an RSA key takes 50 ms to several seconds, so it happens in a thread; a few of the common 2048-bit keys
are kept ready. The pool starts to fill when the first key is taken.
"""

import asyncio
from collections import deque
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def generate(bits: int = 2048) -> RSAPrivateKey:
    """Generate an RSA key; blocks."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}


def generate_elliptic(curve: str) -> EllipticCurvePrivateKey:
    """Generate a key on one of the curves that Key Vault names; KeyError for another."""
    return ec.generate_private_key(_CURVES[curve])


class KeyPool:
    """A few 2048-bit RSA keys, refilled in the background."""

    def __init__(self, size: int = 3) -> None:
        self._size = size
        self._ready: deque[RSAPrivateKey] = deque()
        self._refill: asyncio.Task[None] | None = None

    async def take(self, bits: int = 2048) -> RSAPrivateKey:
        """Take a key; only 2048-bit keys are ever ready."""
        if bits != 2048:
            return await asyncio.to_thread(generate, bits)
        key = self._ready.popleft() if self._ready else await asyncio.to_thread(generate)
        if self._size and (self._refill is None or self._refill.done()):
            self._refill = asyncio.create_task(self._fill())
        return key

    async def _fill(self) -> None:
        while len(self._ready) < self._size:
            self._ready.append(await asyncio.to_thread(generate))

    async def close(self) -> None:
        """Stop refilling and wait for the key that is being made."""
        if self._refill is not None:
            self._refill.cancel()
            await asyncio.gather(self._refill, return_exceptions=True)
