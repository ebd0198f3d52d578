"""Routes of a customer's timeline: what happened, and the proof that nobody changed it."""

from fastapi import APIRouter

from handlers.api import views
from handlers.api.access import CUSTOMER_READER, BundleOf
from handlers.api.answers import IntegrityAnswer, TimelinePage
from handlers.api.documentation import READ_ERRORS
from handlers.api.paging import malformed_token, next_link, read_token
from handlers.api.schemas import ContinuationToken, CustomerId, Top
from handlers.api.strict_route import StrictRoute
from shared.services import timeline
from shared.services.lookups import find_customer

router = APIRouter(prefix="/api/customers/{customerId}/timeline", tags=["Timeline"], route_class=StrictRoute)


@router.get(
    "",
    operation_id="readTimeline",
    summary="Read a customer's timeline",
    dependencies=[CUSTOMER_READER],
    responses=READ_ERRORS,
)
async def read_timeline(
    bundle: BundleOf, customer_id: CustomerId, top: Top = 50, continuation_token: ContinuationToken = None
) -> TimelinePage:
    """Read entries, oldest first."""
    first = 1 if continuation_token is None else _last_sequence(continuation_token) + 1
    # One more than asked for tells whether there is a next page.
    entries = await timeline.read_timeline(bundle, customer_id, first=first, top=top + 1)
    if not entries:
        # The timeline of a customer who left stays; an empty one belongs to a new customer or to nobody.
        await find_customer(bundle, customer_id)
    page = entries[:top]
    link = None
    if len(entries) > top:
        path = f"/customers/{customer_id}/timeline"
        link = next_link(bundle.settings.public_url, path, str(page[-1].sequence), top=top)
    return TimelinePage(value=[views.timeline_item(entry) for entry in page], next_link=link)


def _last_sequence(token: str) -> int:
    last = read_token(token)
    if not (last.isascii() and last.isdecimal() and len(last) <= 12):
        raise malformed_token()
    return int(last)


@router.get(
    "/integrity",
    operation_id="checkIntegrity",
    summary="Check a timeline's hash chain",
    dependencies=[CUSTOMER_READER],
    responses=READ_ERRORS,
)
async def check_integrity(bundle: BundleOf, customer_id: CustomerId) -> IntegrityAnswer:
    """Recompute every hash; name the first entry that does not fit."""
    found = await timeline.check_integrity(bundle, customer_id)
    if not found.entries:
        await find_customer(bundle, customer_id)
    return IntegrityAnswer(
        intact=found.intact,
        entries=found.entries,
        head_hash=found.head_hash,
        first_bad_sequence=found.first_bad_sequence,
    )
