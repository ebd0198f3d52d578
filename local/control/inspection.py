"""What a test or the demo may look at: what subscribers of the topic received, and how much there is of everything."""

from typing import Any

from fastapi import APIRouter

from local.control.context import Local
from local.control.models import EventGridSpec
from local.world import EventGridBehaviour

router = APIRouter(tags=["inspection"])


@router.get("/topic/events")
async def list_topic_events(local: Local) -> list[dict[str, Any]]:
    """The notifications that the topic took, in order of arrival."""
    return local.world.topic_events


@router.delete("/topic/events", status_code=204)
async def forget_topic_events(local: Local) -> None:
    """Forget the notifications."""
    local.world.topic_events.clear()


@router.put("/eventGrid")
async def change_event_grid(local: Local, spec: EventGridSpec) -> EventGridSpec:
    """Make deliveries of vault events misbehave."""
    local.world.event_grid = EventGridBehaviour(**spec.model_dump(by_alias=False))
    return spec


@router.get("/world")
async def read_world(local: Local) -> dict[str, Any]:
    """Addresses, and counts of everything."""
    return {
        "proxyUrl": local.proxy.url,
        "caFile": str(local.authority.file),
        "appUrl": local.functions_host.url if local.functions_host is not None else None,
        "storageConnectionString": local.azurite.connection_string if local.azurite is not None else None,
        "services": [service.name for service in local.services],
        "counts": {
            "tenants": len(local.world.tenants),
            "applications": len(local.world.applications),
            "managedIdentities": len(local.world.managed_identities),
            "roleAssignments": len(local.world.role_assignments),
            "vaults": len(local.world.vaults),
            "keys": sum(len(vault.keys) for vault in local.world.vaults.values()),
            "storageAccounts": len(local.world.storage_accounts),
            "eventSubscriptions": len(local.world.event_subscriptions),
            "topicEvents": len(local.world.topic_events),
            "calls": len(local.edge.record.calls()),
        },
    }
