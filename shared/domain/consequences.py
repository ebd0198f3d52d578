"""What the loss of a key means, said where it happens: in the notification, in the timeline and in the key's answer.

One text for all, as Azure documents it: https://learn.microsoft.com/azure/storage/common/customer-managed-keys-overview
(section "Revoke access to a storage account that uses customer-managed keys"). How long Azure takes from the loss to
the first refusal is not documented, so no time is promised.
"""

from collections.abc import Iterable
from typing import Any

from shared.domain.key_judgement import causes_of
from shared.domain.limited import is_on_key
from shared.domain.model import REVOKED_STATES, Customer, Key, Resource
from shared.domain.remedies import remedy

SOURCE = "https://learn.microsoft.com/azure/storage/common/customer-managed-keys-overview"
MEANING = (
    "Clients cannot read or write the data of these storage accounts, nor its metadata: the listed operations of Blob "
    "Storage, and the operations on files that Azure documents with them, fail with 403 for everybody. "
    "Operations that do not need the data may still succeed. Nothing is deleted."
)
FAILING_OPERATIONS = (
    "List Blobs with include=metadata",
    "Get Blob",
    "Get Blob Properties",
    "Get Blob Metadata",
    "Set Blob Metadata",
    "Snapshot Blob with x-ms-meta-name",
    "Copy Blob",
    "Copy Blob From URL",
    "Set Blob Tier",
    "Put Block",
    "Put Block From URL",
    "Append Block",
    "Append Block From URL",
    "Put Blob",
    "Put Page",
    "Put Page From URL",
    "Incremental Copy Blob",
)
HTTP_STATUS = 403
NAMED = 20
"""A notification names at most so many resources; the count is always whole."""


def consequences(customer: Customer, key: Key, resources: Iterable[Resource]) -> dict[str, Any] | None:
    """What the loss of the key means for the resources on it; None while the key is not lost."""
    if key.health.state not in REVOKED_STATES:
        return None
    names = sorted(resource.name for resource in resources if is_on_key(resource, key))
    causes = causes_of(key.health.state, key.health.reasons)
    remedies = (remedy(reason, customer=customer, key=key) for reason in causes)
    return {
        "since": None if key.health.since is None else key.health.since.isoformat(),
        "meaning": MEANING,
        "failingOperations": list(FAILING_OPERATIONS),
        "httpStatus": HTTP_STATUS,
        "resourceCount": len(names),
        "resources": names[:NAMED],
        "restoredBy": [text for text in dict.fromkeys(remedies) if text is not None],
        "source": SOURCE,
    }
