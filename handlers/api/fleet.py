"""The route of the fleet at a glance."""

from fastapi import APIRouter

from handlers.api.access import FLEET_READER, BundleOf
from handlers.api.answers import FleetSummaryAnswer
from handlers.api.documentation import READ_ERRORS
from handlers.api.strict_route import StrictRoute
from shared.services.fleet import summarise_fleet

router = APIRouter(prefix="/api/fleet", tags=["Fleet"], route_class=StrictRoute)


@router.get(
    "/summary",
    operation_id="getFleetSummary",
    summary="Read the fleet at a glance",
    dependencies=[FLEET_READER],
    responses=READ_ERRORS,
)
async def get_fleet_summary(bundle: BundleOf) -> FleetSummaryAnswer:
    """Count customers by phase, keys by health and resources by state, from the read model."""
    summary = await summarise_fleet(bundle)
    return FleetSummaryAnswer(
        as_of=summary.as_of,
        customers=summary.customers,
        attention=summary.attention,
        by_phase=summary.by_phase,
        keys_by_health=summary.keys_by_health,
        resources_by_state=summary.resources_by_state,
    )
