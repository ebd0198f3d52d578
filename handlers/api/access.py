"""What routes ask of their callers, as FastAPI dependencies: the bundle, who calls, and what he may do here.

A customer's administrator may read his own customer and manage its keys. Any other customer answers him exactly as
one that does not exist.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from handlers.api.authentication import Caller, Level
from handlers.api.schemas import CustomerId
from shared.bundle import Bundle
from shared.domain.entries import Origin
from shared.errors import NotAllowed, NotFound

bearer = HTTPBearer(
    scheme_name="entra",
    bearerFormat="JWT",
    description="A Microsoft Entra token for CrossKey's API application, with one of its roles.",
    auto_error=False,
)


async def _bundle(request: Request) -> Bundle:
    bundle: Bundle = request.app.state.get_bundle()
    return bundle


async def _caller(request: Request, _: Annotated[object, Security(bearer)]) -> Caller:
    # `StrictRoute` has checked the token; the dependency on `bearer` documents it.
    caller: Caller = request.state.caller
    return caller


async def _origin(request: Request) -> Origin:
    caller: Caller | None = getattr(request.state, "caller", None)
    return Origin(
        request_id=request.state.request_id,
        cause=f"http {request.method} {request.url.path.removeprefix('/api')}",
        actor=caller.actor if caller else "anonymous",
    )


type BundleOf = Annotated[Bundle, Depends(_bundle)]
type CallerOf = Annotated[Caller, Depends(_caller)]
type OriginOf = Annotated[Origin, Depends(_origin)]


async def _fleet_reader(caller: CallerOf) -> None:
    if not caller.may(Level.READ):
        raise NotAllowed(_needs(Level.READ))


def _on_customer(level: Level, *, own_administrator: bool) -> Callable[..., Awaitable[None]]:
    async def check(caller: CallerOf, bundle: BundleOf, customer_id: CustomerId) -> None:
        if caller.may(level):
            return
        if caller.level is None and caller.is_key_administrator:
            customer = await bundle.state.read_customer(customer_id)
            if customer is None or customer.value.tenant_id != caller.tenant_id:
                raise no_such_customer(customer_id)
            if own_administrator:
                return
        raise NotAllowed(_needs(level))

    return check


def require_administrator(caller: Caller) -> None:
    """Refuse whoever is not CrossKey.Admin; for what only some requests of a route need."""
    if not caller.may(Level.ADMINISTER):
        raise NotAllowed(_needs(Level.ADMINISTER))


def no_such_customer(customer_id: str) -> NotFound:
    """The answer for a customer that is not there, or not the caller's."""
    return NotFound(f"There is no customer {customer_id}.", target="customerId", code="CustomerNotFound")


def _needs(level: Level) -> str:
    role = {Level.READ: "Reader", Level.OPERATE: "Operator", Level.ADMINISTER: "Admin"}[level]
    return f"This needs the role CrossKey.{role} in the provider's tenant."


FLEET_READER = Depends(_fleet_reader)
CUSTOMER_READER = Depends(_on_customer(Level.READ, own_administrator=True))
KEY_WRITER = Depends(_on_customer(Level.OPERATE, own_administrator=True))
OPERATOR = Depends(_on_customer(Level.OPERATE, own_administrator=False))
