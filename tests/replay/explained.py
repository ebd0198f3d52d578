"""Why the local Azure does not answer some recordings, and what differs on purpose; the documentation's tables too.

Everything is said of kinds of requests and members, never of single recordings.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

NOT_COVERED: Final[Mapping[str, str]] = {
    "disks": "Disk encryption sets and disks are not imitated.",
    "Managed HSM": "Keys in a Managed HSM are not imitated, and the app does not accept them.",
    "Microsoft Graph": "Applications and federated credentials are seeded through the control API.",
    "tables": "The tables are those of the real Azurite.",
    "storage data plane": "Blobs and files are not imitated; the app stores nothing in them.",
    "secrets and certificates": "Vaults hold keys only.",
    "key operations": "Of what a key can do, only wrapping and unwrapping are imitated; the app asks for nothing else.",
    "moments between deletion and recovery": "A deletion or recovery takes effect at once.",
    "other refusals of a vault": "The cause of such a refusal is not imitated.",
    "vaults by PUT": "Vaults are seeded through the control API and changed by PATCH.",
    "identities by PUT": "Managed identities and their federated credentials are seeded through the control API.",
    "system topics": "Event subscriptions are made on the vault itself, as the app asks customers to.",
    "other providers": "The resource provider is not imitated.",
    "other roles": "The role is not in the table of roles.",
    "policies and locks": "Azure Policy and locks are injected as faults.",
    "other refusals of Resource Manager": "The cause of such a refusal is not imitated.",
    "other AADSTS numbers": "The cause of such a number is not imitated.",
    "flows of users": "Only applications ask for tokens.",
    "virtual machine identity": "The app runs on App Service, whose own identity endpoint is imitated.",
    "other events": "Only events of keys are raised.",
    "unknown status": "The quotation does not say what the status was.",
    "another service": "Nothing of the app calls it.",
}
"""What is not imitated, by a name for it."""


class NotCovered(Exception):
    """The local Azure does not imitate what was recorded; `name` is one of `NOT_COVERED`."""

    def __init__(self, name: str) -> None:
        super().__init__(NOT_COVERED[name])
        self.name = name


class Explained(NamedTuple):
    """Differences that are known: the service, a pattern of their line, and the reason."""

    service: str
    pattern: str
    what: str
    reason: str


EXPLAINED: Final[tuple[Explained, ...]] = ()


def explain(service: str, difference: str) -> str | None:
    """The reason for a difference; None where there is none."""
    return next(
        (each.reason for each in EXPLAINED if each.service == service and re.fullmatch(each.pattern, difference)), None
    )
