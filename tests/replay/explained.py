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
    "other key types": "Keys are RSA, or elliptic on the three NIST curves.",
    "other refusals of a topic": "The cause of such a refusal is not imitated.",
    "topics with a schema of their own": "Topics take the Event Grid and CloudEvents schemas.",
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


_ACCOUNT_OPTIONS: Final = "geoReplicationStats|networkAcls.resourceAccessRules|routingPreference|primaryEndpoints.*"
EXPLAINED: Final[tuple[Explained, ...]] = (
    Explained(
        "Resource Manager",
        r"\$\.(value\[\]\.)?properties\.(allowCrossTenantReplication|networkAcls\.ipv6Rules): ours alone",
        "`allowCrossTenantReplication` and `ipv6Rules` of a storage account",
        "Azure added these to its answers later than some recordings were made; the local Azure always has them.",
    ),
    Explained(
        "Resource Manager",
        r"\$\.identity\.userAssignedIdentities\[\]\.(certRenewAfter|identityUrl|tenantId): Azure alone",
        "`tenantId`, `identityUrl` and `certRenewAfter` of a storage account's user-assigned identity",
        "Answers of 2021 have them; the contract knows the client and principal ids alone.",
    ),
    Explained(
        "Resource Manager",
        r"header retry-after: ours alone",
        "`Retry-After` of an accepted creation",
        "Answers of 2021 have none; later ones do.",
    ),
    Explained(
        "Resource Manager",
        rf"\$\.properties\.({_ACCOUNT_OPTIONS}|secondaryLocation|statusOfSecondary): Azure alone",
        "routing preference, resource access rules and replication statistics of a storage account",
        "Options of an account that have nothing to do with its keys are not imitated.",
    ),
    Explained(
        "Resource Manager",
        r"\$\.systemData: Azure alone",
        "`systemData` of a vault",
        "Who made a vault is not kept.",
    ),
    Explained(
        "Resource Manager",
        r"\$\.properties\.accessPolicies\[\]\.permissions\.(secrets|certificates|storage): Azure alone",
        "permissions of an access policy on secrets, certificates and storage",
        "Vaults hold keys only.",
    ),
    Explained(
        "Resource Manager",
        r"\$\.(value\[\]\.)?properties\.(condition|conditionVersion|created(On|By)|updated(On|By)|description"
        r"|delegatedManagedIdentityResourceId): Azure alone",
        "conditions, dates and authors of a role assignment",
        "Role assignments hold who, what and where alone.",
    ),
    Explained(
        "Microsoft Entra",
        r"\$\.keys\[\]\.(x5c|cloud_instance_name): Azure alone",
        "`x5c` and `cloud_instance_name` of a signing key",
        "The local Entra's keys have no certificates; the app needs the numbers alone.",
    ),
    Explained(
        "Key Vault",
        r"\$(\.value\[\])?\.managed: Azure alone",
        "`managed` of a key",
        "Certificates, which manage keys of their own, are not imitated.",
    ),
    Explained(
        "Event Grid delivery",
        r"\$(\[\])?\.data\.(ObjectName ?: .* alone|(NBF|EXP): Azure has string, ours number|[a-z]\w*: Azure alone)",
        "`ObjectName` with a blank, times as text, and member names in camel case, in an event",
        "Documentation and reports have them, captured events do not; the app reads all.",
    ),
)


def explain(service: str, difference: str) -> str | None:
    """The reason for a difference; None where there is none."""
    return next(
        (each.reason for each in EXPLAINED if each.service == service and re.fullmatch(each.pattern, difference)), None
    )
