"""Wrapping and unwrapping with real RSA keys, and the numbers of a public key as JSON Web Keys spell them."""

import base64
import binascii
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from local.key_vault.errors import bad_parameter

_OAEP_SHA1: Final = padding.OAEP(
    mgf=padding.MGF1(hashes.SHA1()),  # noqa: S303  RSA-OAEP is defined with SHA-1; Key Vault offers it
    algorithm=hashes.SHA1(),  # noqa: S303  see above
    label=None,
)
_OAEP_SHA256: Final = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
_PADDINGS: Final[dict[str, padding.AsymmetricPadding]] = {
    "RSA1_5": padding.PKCS1v15(),
    "RSA-OAEP": _OAEP_SHA1,
    "RSA-OAEP-256": _OAEP_SHA256,
}
_EC_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


def encode(data: bytes) -> str:
    """Base64url without padding, as every binary value of the data plane."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str, member: str) -> bytes:
    """Decode base64url; raises 400 naming the member."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_parameter(f"Property has invalid value\r\n\t{member}") from error


def wrap_bytes(key: RSAPrivateKey | EllipticCurvePrivateKey, algorithm: str, plain: bytes) -> bytes:
    """Wrap; raises 400 for an algorithm or a length that the key cannot take."""
    rsa_key, scheme = _usable(key, algorithm)
    try:
        return rsa_key.public_key().encrypt(plain, scheme)
    except ValueError as error:
        raise bad_parameter("The parameter is incorrect.\r\n") from error


def unwrap_bytes(key: RSAPrivateKey | EllipticCurvePrivateKey, algorithm: str, wrapped: bytes) -> bytes:
    """Unwrap; raises 400 for anything that this key version did not wrap."""
    rsa_key, scheme = _usable(key, algorithm)
    try:
        return rsa_key.decrypt(wrapped, scheme)
    except ValueError as error:
        raise bad_parameter("The parameter is incorrect.\r\n") from error


def _usable(
    key: RSAPrivateKey | EllipticCurvePrivateKey, algorithm: str
) -> tuple[RSAPrivateKey, padding.AsymmetricPadding]:
    scheme = _PADDINGS.get(algorithm)
    if scheme is None or not isinstance(key, RSAPrivateKey):
        raise bad_parameter(f"Key and signing algorithm are incompatible. Key type does not allow '{algorithm}'.")
    return key, scheme


def public_members(key: RSAPrivateKey | EllipticCurvePrivateKey) -> dict[str, Any]:
    """The members of a JSON Web Key that hold the public numbers."""
    if isinstance(key, RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"n": encode(_to_bytes(numbers.n)), "e": encode(_to_bytes(numbers.e))}
    point = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    return {
        "crv": _EC_CURVES[key.curve.name],
        "x": encode(point.x.to_bytes(size)),
        "y": encode(point.y.to_bytes(size)),
    }


def _to_bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)
