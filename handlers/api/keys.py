"""Routes of a customer's keys. The customer's own administrator may register, change and verify them."""

# ruff: noqa: FAST003 - the path's camelCase names are aliases that `schemas` gives

from http import HTTPStatus

from fastapi import APIRouter, Response

from handlers.api import views
from handlers.api.access import CUSTOMER_READER, KEY_WRITER, OPERATOR, BundleOf, OriginOf
from handlers.api.documentation import READ_ERRORS, WRITE_ERRORS
from handlers.api.key_answers import KeyAnswer
from handlers.api.schemas import AttestationBody, CustomerId, IfMatch, KeyBody, KeyName
from handlers.api.strict_route import StrictRoute
from shared.services import attest, keys

router = APIRouter(prefix="/api/customers/{customerId}/keys", tags=["Keys"], route_class=StrictRoute)


@router.put(
    "/{keyName}",
    operation_id="putKey",
    summary="Register or change a key",
    dependencies=[KEY_WRITER],
    responses={**WRITE_ERRORS, HTTPStatus.CREATED: {"model": KeyAnswer, "description": "It is new."}},
)
async def put_key(
    *,
    bundle: BundleOf,
    origin: OriginOf,
    response: Response,
    customer_id: CustomerId,
    name: KeyName,
    body: KeyBody,
    if_match: IfMatch = None,
) -> KeyAnswer:
    """Register a key of a vault in the customer's tenant and check it."""
    _, created = await keys.put_key(
        bundle,
        customer_id,
        name,
        key_identifier=body.key_identifier,
        version_policy=body.version_policy,
        vault_resource_id=body.vault_resource_id,
        if_match=if_match,
        origin=origin,
    )
    if created:
        response.status_code = HTTPStatus.CREATED
    return await get_key(bundle, response, customer_id, name)


@router.get(
    "/{keyName}",
    operation_id="getKey",
    summary="Read a key with its last report",
    dependencies=[CUSTOMER_READER],
    responses=READ_ERRORS,
)
async def get_key(bundle: BundleOf, response: Response, customer_id: CustomerId, name: KeyName) -> KeyAnswer:
    """Read a key: health, every check with its remedy, ownership, versions and expiry."""
    view = await keys.get_key(bundle, customer_id, name)
    response.headers["ETag"] = view.key.etag
    return views.key_answer(view)


@router.delete(
    "/{keyName}",
    operation_id="removeKey",
    summary="Remove a key that protects nothing",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[OPERATOR],
    responses=WRITE_ERRORS,
)
async def remove_key(
    bundle: BundleOf, origin: OriginOf, customer_id: CustomerId, name: KeyName, if_match: IfMatch = None
) -> None:
    """Remove a key's registration. Refused while resources depend on the key."""
    await keys.remove_key(bundle, customer_id, name, if_match=if_match, origin=origin)


@router.post(
    "/{keyName}/verify",
    operation_id="verifyKey",
    summary="Check a key now",
    dependencies=[KEY_WRITER],
    responses=WRITE_ERRORS,
)
async def verify_key(
    bundle: BundleOf, origin: OriginOf, response: Response, customer_id: CustomerId, name: KeyName
) -> KeyAnswer:
    """Run every check now, wrap and unwrap included, and answer the full report."""
    view = await keys.verify_key(bundle, customer_id, name, origin=origin)
    response.headers["ETag"] = view.key.etag
    return views.key_answer(view)


@router.post(
    "/{keyName}/attestOwnership",
    operation_id="attestKeyOwnership",
    summary="Answer for the ownership of a key that CrossKey cannot read",
    dependencies=[OPERATOR],
    responses=WRITE_ERRORS,
)
async def attest_ownership(
    *,
    bundle: BundleOf,
    origin: OriginOf,
    response: Response,
    customer_id: CustomerId,
    name: KeyName,
    body: AttestationBody,
) -> KeyAnswer:
    """Attest that the key is the customer's. Recorded with the caller; the tag on the key is the better proof."""
    view = await attest.attest_ownership(bundle, customer_id, name, reason=body.reason, origin=origin)
    response.headers["ETag"] = view.key.etag
    return views.key_answer(view)
