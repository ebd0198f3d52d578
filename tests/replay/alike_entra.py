"""Microsoft Entra's exchanges on the local Azure: a tenant, an application and a credential in the recorded state."""

import re
import uuid
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives.asymmetric import rsa

from local import names
from local.entra.consent import create_service_principal
from local.entra.service import ROUTES
from local.entra.tokens import TokenIssuer, v2_issuer
from local.seed import put_application, put_federated_credential, put_identity, remove_service_principal
from local.world import Application, FederatedCredential, ManagedIdentity, World
from tests.replay.explained import NotCovered
from tests.replay.recordings import TENANT, Exchange
from tests.replay.stage import LocalAnswer, Stage

_ENTRA: Final = "https://login.microsoftonline.com"
_CLIENT: Final = "20000000-0000-4000-8000-0000000000bb"
_HOME: Final = names.PROVIDER_TENANT_ID
_PRINCIPAL: Final = "20000000-0000-4000-8000-0000000000cc"
_IDENTITY: Final = ManagedIdentity("/recorded", str(uuid.UUID(int=2)), _PRINCIPAL, _HOME)
_MADE: Final = frozenset(
    {
        *(50027, 53003, 70021, 90002, 500011, 700016, 700024, 700027, 700211, 700213, 1002012),
        *(7000112, 7000215, 7000216, 7000229, 7002121, 900144),
    }
)
"""The numbers whose cause can be made."""


def ask_entra(stage: Stage, exchange: Exchange) -> LocalAnswer:
    """Make the state and repeat the request. Raises `NotCovered`."""
    path = re.sub(r"^/(?!common/|organizations/)[^/]+", f"/{TENANT}", exchange.path)
    number = _number(exchange)
    if number == 90002:
        path = re.sub(r"^/[^/]+", "/unknown", path)
    found = (name for method, pattern, name in ROUTES if method == exchange.method and pattern.fullmatch(path))
    operation = next(found, "AdminConsent")
    if operation.startswith("AdminConsent"):
        raise NotCovered("flows of users")
    if exchange.status >= 400 and exchange.status < 500 and number not in _MADE:
        raise NotCovered("other AADSTS numbers")
    if exchange.status >= 500 or exchange.status == 429:
        stage.fault("entra", exchange)
    stage.change(_seed)
    if operation != "Token":
        query = exchange.query
        if "authorization_endpoint" in query:
            query["authorization_endpoint"] = f"{_ENTRA}/{TENANT}/oauth2/v2.0/authorize"
        return stage.ask(exchange.method, f"{_ENTRA}{path}" + (f"?{urlencode(query)}" if query else ""))
    form = _form(stage, exchange, number)
    stage.change(lambda world: _spoil(world, number))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return stage.ask("POST", f"{_ENTRA}{path}", body=urlencode(form), headers=headers)


def _number(exchange: Exchange) -> int:
    body = exchange.body if isinstance(exchange.body, dict) else {}
    numbers = body.get("error_codes")
    return int(numbers[0]) if isinstance(numbers, list) and numbers else 0


def _seed(world: World) -> None:
    application = Application(client_id=_CLIENT, tenant_id=_HOME, display_name="Recorded", secrets=["secret"])
    put_application(world, application)
    put_identity(world, _IDENTITY)
    put_federated_credential(world, _CLIENT, FederatedCredential("recorded", v2_issuer(_HOME), _PRINCIPAL))
    create_service_principal(world.tenants[TENANT], _CLIENT)


def _form(stage: Stage, exchange: Exchange, number: int) -> dict[str, str]:
    """The recorded form with a credential that is valid, or wrong in the way that the number says."""
    text = exchange.sent_body if isinstance(exchange.sent_body, str) else ""
    sent = dict(parse_qsl(text, keep_blank_values=True))
    if sent.get("grant_type", "client_credentials") != "client_credentials" and number == 0:
        raise NotCovered("flows of users")
    form = {"grant_type": "client_credentials", "client_id": _CLIENT, "scope": "https://vault.azure.net/.default"}
    form |= {name: sent[name] for name in ("scope",) if name in sent}
    if number == 500011:
        form["scope"] = "https://nobody.example/.default"
    if number == 1002012:
        form["scope"] = "https://vault.azure.net"
    if number == 900144:
        del form["scope"]
    if number == 7000216:
        return form
    if number == 7000215 or "client_secret" in sent:
        return {**form, "client_secret": "wrong" if number == 7000215 else "secret"}
    form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {**form, "client_assertion": stage.change(lambda world: _assertion(world, number))}


def _assertion(world: World, number: int) -> str:
    if number == 50027:
        return "not-a-token"
    lifetime = timedelta(hours=-1 if number == 700024 else 1)
    audience = "api://another" if number == 7002121 else names.TOKEN_EXCHANGE_AUDIENCE
    kept = world.signing_key
    if number == 700027:
        world.signing_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    try:
        return TokenIssuer(world).issue_to_identity(_IDENTITY, audience=audience, lifetime=lifetime)
    finally:
        world.signing_key = kept


def _spoil(world: World, number: int) -> None:
    """What the number says is missing or wrong."""
    tenant, application = world.tenants[TENANT], world.applications[_CLIENT]
    principal: Any = tenant.service_principals[_CLIENT]
    principal.enabled = number != 7000112
    principal.blocked_by_policy = number == 53003
    if number == 70021:
        application.federated_credentials = []
    if number == 700211:
        application.federated_credentials[0].issuer = "https://another.example"
    if number == 700213:
        application.federated_credentials[0].subject = "another"
    if number in {700016, 7000229}:
        remove_service_principal(tenant, _CLIENT)
    if number == 700016:
        tenant.removed_service_principals.clear()
