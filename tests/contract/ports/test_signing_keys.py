"""What every source of signing keys does: a key that verifies, None for one that nobody published, or no answer."""

import jwt
import pytest

from shared.errors import Unavailable
from tests.contract.ports.stage import Stage


def verify(token: str, key: object) -> None:
    jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})  # type: ignore[arg-type]  # PyJWT's own


async def test_a_published_key_verifies_a_token(stage: Stage) -> None:
    token = stage.signed_token()
    key = await stage.bundle.signing_keys.find(jwt.get_unverified_header(token)["kid"])
    verify(token, key)
    before, _, signature = token.rpartition(".")
    with pytest.raises(jwt.InvalidSignatureError):
        verify(f"{before}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}", key)


@pytest.mark.parametrize("identifier", ["forged", ""])
async def test_a_key_that_nobody_published_is_none(stage: Stage, identifier: str) -> None:
    stage.signed_token()
    assert await stage.bundle.signing_keys.find(identifier) is None


async def test_without_an_answer_it_cannot_be_told(stage: Stage) -> None:
    stage.silence("find")
    with pytest.raises(Unavailable):
        await stage.bundle.signing_keys.find("any")
