"""What answers about keys hold; `answers` has the rest, and the rules that are common to all."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from handlers.api.answers import Answer, AttentionAnswer


class HealthAnswer(Answer):
    """Health of a key as CrossKey can see it."""

    state: str
    since: datetime | None
    reasons: list[str]


class CheckAnswer(Answer):
    """One check of a key."""

    check: str
    result: Literal["pass", "fail", "warn", "skipped"]
    reason: str | None
    owner: Literal["customer", "provider"] | None
    message: str
    remedy: str | None = Field(description="The exact command that mends it.")


class VerificationAnswer(Answer):
    """The last full report on a key."""

    state: Literal["pending", "verified", "limited", "failed"]
    checked_at: datetime | None
    checks: list[CheckAnswer]


class Tag(Answer):
    """A tag on the key in its vault."""

    name: str
    value: str


class OwnershipAnswer(Answer):
    """Whether the customer proved control of the key; `tag` is what proves it."""

    state: Literal["unproven", "proven", "attested"]
    since: datetime | None
    tag: Tag


class KeyAnswer(Answer):
    """A customer's key."""

    name: str
    key_identifier: str
    version_policy: Literal["latest", "pinned"]
    vault_resource_id: str | None
    health: HealthAnswer
    verification: VerificationAnswer
    ownership: OwnershipAnswer
    latest_version: str | None
    pinned_version: str | None
    versions_in_use: list[str]
    retirable_versions: list[str] = Field(description="Older versions that no resource known to CrossKey uses.")
    consequences: dict[str, Any] | None = Field(description="While the key is lost: what fails, where, what restores.")
    expires_at: datetime | None
    registered_at: datetime
    attention: AttentionAnswer | None
