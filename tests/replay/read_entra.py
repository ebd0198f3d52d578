"""Microsoft Entra's and the managed identity endpoint's answers through the real credentials."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qsl

from shared.adapters.credentials import Credentials
from shared.adapters.signing_keys import EntraSigningKeys
from shared.domain.clouds import PUBLIC
from shared.domain.key_refusals import token_reason
from shared.errors import CredentialRefused, CrossKeyError, Unavailable
from tests.fakes import APPLICATION, FakeClock, make_settings
from tests.replay.answering import Answer, RecordedTransport, Sent
from tests.replay.recordings import TENANT, Exchange
from tests.replay.verdicts import Said, describe, not_ours, read

_IDENTITY: Final = "169.254.169.254"
_TOKEN: Final = {"access_token": "recorded", "expires_in": "86399", "expires_on": "4102444800", "token_type": "Bearer"}
_APP_SERVICE: Final = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")


async def read_entra(exchange: Exchange) -> Said:
    """Read one answer of Entra: a token, a refusal, or its signing keys."""
    body = exchange.body if isinstance(exchange.body, dict) else {}
    if exchange.status == 200 and isinstance(body.get("keys"), list):
        return await _signing_keys(exchange, body["keys"])
    if exchange.status == 200 and "access_token" not in body:
        return not_ours("the app asks Entra for tokens and signing keys")

    form = dict(parse_qsl(exchange.sent_body)) if isinstance(exchange.sent_body, str) else {}
    if form.get("grant_type", "client_credentials") != "client_credentials":
        return not_ours("the app asks for tokens as an application alone")

    def answer(sent: Sent) -> Answer:
        if _IDENTITY in sent.url:
            return Answer(200, {"Content-Type": "application/json"}, {**_TOKEN, "resource": PUBLIC.federation_audience})
        return Answer(exchange.status, exchange.headers, exchange.body)

    transport = RecordedTransport(answer)
    with _no_app_service():
        credentials = Credentials(make_settings(), transport)
        said = await _obtain(exchange, credentials)
    return Said(said.verdict, said.text, tuple(each for each in transport.sent if _IDENTITY not in each.url))


async def read_identity(exchange: Exchange) -> Said:
    """Read one answer of the managed identity endpoint."""
    transport = RecordedTransport(lambda _: Answer(exchange.status, exchange.headers, exchange.body))
    with _no_app_service():
        if exchange.path.lower().rstrip("/").endswith("/msi/token"):
            os.environ |= dict(zip(_APP_SERVICE, (exchange.url.partition("?")[0], "recorded"), strict=True))
        identity = Credentials(make_settings(), transport).identity(APPLICATION)
        try:
            token = await identity.get_token_info(f"{PUBLIC.resource_manager_audience}/.default")
        except (CredentialRefused, Unavailable) as error:
            return read(describe(error), transport.sent, [] if exchange.status >= 400 else ["there is a token"])
    wanted = exchange.body.get("expires_on")
    wrong = [] if wanted is None or str(token.expires_on) == str(wanted) else [f"it expires at {wanted}"]
    return read("a token", transport.sent, wrong)


async def _obtain(exchange: Exchange, credentials: Credentials) -> Said:
    try:
        await credentials.obtain(tenant_id=TENANT, application=APPLICATION, fresh=True)
    except CredentialRefused as error:
        numbers = exchange.body.get("error_codes") or [0]
        wrong = [] if error.aadsts == numbers[0] else [f"its number is {numbers[0]}"]
        wrong += [] if 400 <= exchange.status < 500 else ["the answer is no refusal"]
        correlation = exchange.body.get("correlation_id", error.correlation_id)
        wrong += [] if error.correlation_id == correlation else [f"its correlation id is {correlation}"]
        return read(f"CredentialRefused AADSTS{error.aadsts}, {token_reason(error.aadsts)}", [], wrong)
    except CrossKeyError as error:
        right = type(error) is Unavailable and (exchange.status >= 500 or exchange.status == 429)
        return read(describe(error), [], [] if right else ["it should be CredentialRefused"])
    return read("a token", [], [] if exchange.status == 200 else ["it was refused"])


async def _signing_keys(exchange: Exchange, published: list[dict[str, str]]) -> Said:
    transport = RecordedTransport(lambda _: Answer(exchange.status, exchange.headers, exchange.body))
    keys = EntraSigningKeys(transport, PUBLIC, FakeClock())
    missing = [str(each.get("kid")) for each in published if await keys.find(str(each.get("kid"))) is None]
    return read(f"{len(published)} signing keys", transport.sent, [f"{each} was not found" for each in missing])


@contextmanager
def _no_app_service() -> Iterator[None]:
    """Without the environment by which an App Service names its identity endpoint, which the SDK reads."""
    kept = {name: os.environ.pop(name) for name in _APP_SERVICE if name in os.environ}
    try:
        yield
    finally:
        for name in _APP_SERVICE:
            os.environ.pop(name, None)
        os.environ |= kept
