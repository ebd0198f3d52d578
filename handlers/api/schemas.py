"""What requests may hold: path and query parameters, headers and bodies. Everything unknown is refused.

Identifiers are checked by the domain's own parsers, so that all wrong fields of a request are reported at once; the
texts are passed on as they came, and services parse them into the values they work with.
"""

import re
from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import Header, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from handlers.api.new_accounts import CreateBody
from handlers.api.problems import Problem
from shared.domain import identifiers
from shared.domain.identifiers import HostNotAllowed, KeyIdentifier, MalformedIdentifier, StorageAccountId

VAULT_RESOURCE_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourcegroups/[^/]{1,90}/providers/microsoft\.keyvault/vaults/[0-9a-z-]{3,24}",
    re.IGNORECASE,
)
EXAMPLE_RESOURCE_ID = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"
    "/providers/Microsoft.Storage/storageAccounts/contosodata"
)
OPERATION_ID = re.compile(r"[0-9a-z-]{1,64}")


def _checked(parse: Callable[[str], object], problem: Problem) -> AfterValidator:
    """Let a domain parser judge a text, and keep the text."""

    def check(text: str) -> str:
        try:
            parse(text)
        except HostNotAllowed as error:
            raise PydanticCustomError(Problem.VAULT_HOST_NOT_ALLOWED, "{rule}", {"rule": str(error)}) from error
        except MalformedIdentifier as error:
            raise PydanticCustomError(problem, "{rule}", {"rule": str(error)}) from error
        return text

    return AfterValidator(check)


def _like(pattern: re.Pattern[str], rule: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if not pattern.fullmatch(text):
            raise MalformedIdentifier(rule)

    return check


def _display_name(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise PydanticCustomError(Problem.INVALID_VALUE, "must be printable text, and not only blanks")
    return text


_NAME = _checked(identifiers.object_name, Problem.NAME_MALFORMED)
_OPERATION = _like(OPERATION_ID, "must be an operation id as this API gave it")
_VAULT = _like(
    VAULT_RESOURCE_ID,
    "must be /subscriptions/<guid>/resourceGroups/<group>/providers/Microsoft.KeyVault/vaults/<name>",
)

type CustomerId = Annotated[
    str,
    Path(alias="customerId", description="3 to 63 lower-case letters, digits or hyphens."),
    _checked(identifiers.customer_id, Problem.CUSTOMER_ID_MALFORMED),
]
type KeyName = Annotated[
    str, Path(alias="keyName", description="1 to 63 lower-case letters, digits or hyphens."), _NAME
]
type ResourceName = Annotated[
    str, Path(alias="resourceName", description="1 to 63 lower-case letters, digits or hyphens."), _NAME
]
type OperationId = Annotated[
    str,
    Path(alias="operationId", description="As `Operation-Location` named it."),
    _checked(_OPERATION, Problem.OPERATION_ID_MALFORMED),
]
type IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=256, description="Write only if the object still has this ETag."),
]
type Top = Annotated[int, Query(ge=1, le=100, description="How many items at most.")]
type ContinuationToken = Annotated[
    str | None, Query(alias="continuationToken", max_length=512, description="As `nextLink` holds it.")
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, frozen=True)


class CustomerBody(_Body):
    """A Microsoft Entra tenant to serve."""

    display_name: Annotated[
        str, Field(min_length=1, max_length=200, examples=["Contoso"]), AfterValidator(_display_name)
    ]
    tenant_id: Annotated[
        str,
        Field(description="The customer's Microsoft Entra tenant.", examples=["72f988bf-86f1-41af-91ab-2d7cd011db47"]),
        _checked(identifiers.guid, Problem.GUID_MALFORMED),
    ]


class AbandonBody(_Body):
    """The confirmation that a customer's keys are given up: its id, typed once more."""

    confirm: Annotated[str, Field(max_length=63, examples=["contoso"])]


class KeyBody(_Body):
    """A key in a vault of the customer's tenant."""

    key_identifier: Annotated[
        str,
        Field(
            description="With a version only when `versionPolicy` is `pinned`.",
            examples=["https://contoso.vault.azure.net/keys/cmk"],
        ),
        _checked(KeyIdentifier.parse, Problem.KEY_IDENTIFIER_MALFORMED),
    ]
    version_policy: Annotated[
        Literal["latest", "pinned"], Field(description="Follow new versions, or stay on one.")
    ] = "latest"
    vault_resource_id: Annotated[
        Annotated[str, _checked(_VAULT, Problem.VAULT_RESOURCE_ID_MALFORMED)] | None,
        Field(description="The vault's ARM id, for exact commands in remedies."),
    ] = None


class AttestationBody(_Body):
    """Why an operator answers for it that a key is the customer's."""

    reason: Annotated[
        str,
        Field(
            min_length=10,
            max_length=500,
            description="Kept in the timeline with your name.",
            examples=["Confirmed by telephone with Contoso's security officer."],
        ),
        AfterValidator(_display_name),
    ]


class ResourceBody(_Body):
    """A storage account to protect with a key."""

    resource_id: Annotated[
        str,
        Field(
            description="ARM id of the storage account.",
            examples=[EXAMPLE_RESOURCE_ID],
        ),
        _checked(StorageAccountId.parse, Problem.RESOURCE_ID_MALFORMED),
    ]
    key: Annotated[str, Field(description="Name of the customer's key.", examples=["primary"]), _NAME]
    drift_policy: Annotated[
        Literal["repair", "report"], Field(description="What to do when somebody else changes the encryption.")
    ] = "repair"
    identity: Annotated[
        Literal["userAssigned", "systemAssigned"],
        Field(
            description="As whom the account uses the key: CrossKey's identity, or its own, which must be there. "
            "`systemAssigned` only for customers of the provider's own tenant."
        ),
    ] = "userAssigned"
    create: CreateBody | None = None
