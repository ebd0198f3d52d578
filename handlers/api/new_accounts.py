"""The part of a request that asks for a new storage account, and the same in answers.

Only what Azure's own rules allow is taken, so that a wrong value is refused here and not an hour later by Azure.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from handlers.api.problems import Problem
from shared.domain.resource_details import NewAccount

LOCATION = re.compile(r"[a-z][a-z0-9]{1,49}")
TAG_NAME = re.compile(r"[^<>*%&:\\?/+\x00-\x1f]{1,128}")
MAX_TAGS = 50
MAX_TAG_VALUE = 256

type Sku = Literal[
    "Standard_LRS",
    "Standard_ZRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "Premium_LRS",
    "Premium_ZRS",
]
type Kind = Literal["StorageV2", "BlockBlobStorage", "FileStorage"]
type Tls = Literal["TLS1_2", "TLS1_3"]


def _location(text: str) -> str:
    if not LOCATION.fullmatch(text):
        raise PydanticCustomError(Problem.INVALID_VALUE, "must be a region's name such as westeurope")
    return text


def _coverage(services: list[str]) -> list[str]:
    if len(set(services)) < len(services):
        raise PydanticCustomError(Problem.INVALID_VALUE, "must not name a service twice")
    return services


def _tags(tags: dict[str, str]) -> dict[str, str]:
    fits = all(
        TAG_NAME.fullmatch(name) and len(value) <= MAX_TAG_VALUE and (value.isprintable() or not value)
        for name, value in tags.items()
    )
    if len(tags) > MAX_TAGS or not fits or len({name.lower() for name in tags}) < len(tags):
        raise PydanticCustomError(
            Problem.INVALID_VALUE,
            "must be at most 50 tags with distinct names of 1 to 128 characters and values of at most 256",
        )
    return tags


class CreateBody(BaseModel):
    """How to make the storage account if there is none; it is on the key before anything is stored in it."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel, frozen=True)

    location: Annotated[str, Field(examples=["westeurope"]), AfterValidator(_location)]
    sku: Sku
    kind: Kind
    coverage: Annotated[
        list[Literal["queue", "table"]],
        Field(description="Encrypt queues or tables with the key, too; can be chosen only now, and for StorageV2."),
        AfterValidator(_coverage),
    ] = []
    minimum_tls_version: Tls = "TLS1_2"
    tags: Annotated[dict[str, str], AfterValidator(_tags)] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> "CreateBody":
        if self.coverage and self.kind != "StorageV2":
            raise PydanticCustomError(Problem.INVALID_VALUE, "only StorageV2 has queues and tables to cover")
        if self.kind != "StorageV2" and not self.sku.startswith("Premium"):
            raise PydanticCustomError(Problem.INVALID_VALUE, "the kind needs a Premium sku")
        return self

    def read(self) -> NewAccount:
        """The domain's value."""
        return NewAccount(
            location=self.location,
            sku=self.sku,
            kind=self.kind,
            coverage=tuple(sorted(self.coverage)),
            minimum_tls_version=self.minimum_tls_version,
            tags=tuple(sorted(self.tags.items())),
        )


class CreateAnswer(BaseModel):
    """How the account is made, or was wished to be made."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True)

    location: str
    sku: str
    kind: str
    coverage: list[str]
    minimum_tls_version: str
    tags: dict[str, str]

    @classmethod
    def of(cls, account: NewAccount | None) -> "CreateAnswer | None":
        """Fill it from the domain's value; None where the account was there."""
        if account is None:
            return None
        return cls(
            location=account.location,
            sku=account.sku,
            kind=account.kind,
            coverage=list(account.coverage),
            minimum_tls_version=account.minimum_tls_version,
            tags=dict(account.tags),
        )
