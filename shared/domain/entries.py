"""Timeline entries and notifications: what is written down, what is announced, and the hash that chains entries.

Every commit leaves exactly one entry. Those whose type is a `Notification` are also published as CloudEvents,
under an id that is the committed row and its revision, so that a repeated delivery is recognisable.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

GENESIS = "0" * 64
EVENT_ACTOR = "key-vault"
SWEEP_CAUSE = "sweep"
"""What the origin of work that an event, or the sweep, brought about is known by."""


class Notification(StrEnum):
    """Types announced on the provider's topic as `CrossKey.<value>`; `MEANINGS` explains each."""

    CUSTOMER_ONBOARDED = "CustomerOnboarded"
    KEY_VERIFIED = "KeyVerified"
    KEY_NEW_VERSION = "KeyNewVersion"
    KEY_VERSION_RETIRABLE = "KeyVersionRetirable"
    KEY_EXPIRING = "KeyExpiring"
    KEY_EXPIRED = "KeyExpired"
    KEY_ACCESS_LOST = "KeyAccessLost"
    KEY_ACCESS_RESTORED = "KeyAccessRestored"
    RESOURCE_PROTECTED = "ResourceProtected"
    RESOURCE_ROTATED = "ResourceRotated"
    RESOURCE_DRIFTED = "ResourceDrifted"
    RESOURCE_FAILED = "ResourceFailed"
    RESOURCE_RELEASED = "ResourceReleased"
    RESOURCE_GONE = "ResourceGone"
    CUSTOMER_OFFBOARDED = "CustomerOffboarded"
    ATTENTION_NEEDED = "AttentionNeeded"


class Record(StrEnum):
    """Types that stand in the timeline only; `MEANINGS` explains each."""

    CUSTOMER_REGISTERED = "CustomerRegistered"
    CUSTOMER_CHANGED = "CustomerChanged"
    CUSTOMER_LEAVING = "CustomerLeaving"
    CUSTOMER_ABANDONED = "CustomerAbandoned"
    CONSENT_LINK_ISSUED = "ConsentLinkIssued"
    CONSENT_LINK_ANSWERED = "ConsentLinkAnswered"
    CONSENT_OBSERVED = "ConsentObserved"
    KEY_REGISTERED = "KeyRegistered"
    KEY_CHANGED = "KeyChanged"
    KEY_OWNERSHIP_ATTESTED = "KeyOwnershipAttested"
    KEY_OBSERVED = "KeyObserved"
    KEY_REMOVING = "KeyRemoving"
    KEY_REMOVED = "KeyRemoved"
    OPERATION_REQUESTED = "OperationRequested"
    OPERATION_FINISHED = "OperationFinished"
    OPERATION_REMOVED = "OperationRemoved"
    RESOURCE_REGISTERED = "ResourceRegistered"
    RESOURCE_CHANGED = "ResourceChanged"
    RESOURCE_CREATING = "ResourceCreating"
    RESOURCE_CREATION_ACCEPTED = "ResourceCreationAccepted"
    RESOURCE_APPLYING = "ResourceApplying"
    RESOURCE_UPDATING = "ResourceUpdating"
    RESOURCE_ROTATING = "ResourceRotating"
    RESOURCE_RELEASING = "ResourceReleasing"
    RESOURCE_INTERRUPTED = "ResourceInterrupted"
    RESOURCE_POSTPONED = "ResourcePostponed"
    RESOURCE_OBSERVED = "ResourceObserved"
    RESOURCE_STRANDED = "ResourceStranded"
    RESOURCE_REMOVED = "ResourceRemoved"


type EntryType = Notification | Record

MEANINGS: dict[EntryType, str] = {
    Notification.CUSTOMER_ONBOARDED: "Consent is confirmed and the customer's first key is verified.",
    Notification.KEY_VERIFIED: "Every check of the key passed; resources may be protected with it.",
    Notification.KEY_NEW_VERSION: "A newer version of the key passed every check; its resources are being moved.",
    Notification.KEY_VERSION_RETIRABLE: (
        "No resource known to CrossKey uses an older version of the key any more, encryption scopes included."
    ),
    Notification.KEY_EXPIRING: "The key version in use expires soon.",
    Notification.KEY_EXPIRED: "The key version in use has expired; data stays readable, new wraps are refused.",
    Notification.KEY_ACCESS_LOST: "The key was found revoked twice: disabled, deleted, access or consent withdrawn.",
    Notification.KEY_ACCESS_RESTORED: "The key can be used again.",
    Notification.RESOURCE_PROTECTED: "Resource Manager confirmed that the resource is encrypted with the key.",
    Notification.RESOURCE_ROTATED: "Resource Manager confirmed that the resource is on another version of the key.",
    Notification.RESOURCE_DRIFTED: "Somebody else changed the resource's encryption.",
    Notification.RESOURCE_FAILED: "Azure refused what was wanted for the resource.",
    Notification.RESOURCE_RELEASED: (
        "The resource no longer depends on the customer's key, as Resource Manager confirmed; "
        "`keySource` says what protects it now."
    ),
    Notification.RESOURCE_GONE: "The resource was deleted in Azure.",
    Notification.CUSTOMER_OFFBOARDED: "Nothing depends on the customer's keys any more; consent and roles may go.",
    Notification.ATTENTION_NEEDED: "CrossKey cannot go on by itself; a person is needed.",
    Record.CUSTOMER_REGISTERED: "An operator registered the customer.",
    Record.CUSTOMER_CHANGED: "An operator changed the customer.",
    Record.CUSTOMER_LEAVING: "An operator asked for the customer's offboarding; every resource is being released.",
    Record.CUSTOMER_ABANDONED: "An administrator gave the customer's keys up; what still depends on them is stranded.",
    Record.CONSENT_LINK_ISSUED: "A consent link was made for the customer's administrator.",
    Record.CONSENT_LINK_ANSWERED: "The consent link was answered; consent itself is confirmed by a token.",
    Record.CONSENT_OBSERVED: "A token request showed whether the application may act in the customer's tenant.",
    Record.KEY_REGISTERED: "A key was registered.",
    Record.KEY_CHANGED: "A key's registration was changed.",
    Record.KEY_OWNERSHIP_ATTESTED: "An operator answers for it that the key is the customer's; `reason` says why.",
    Record.KEY_OBSERVED: "A check of the key had another outcome than the one before.",
    Record.KEY_REMOVING: "A key's registration is about to be removed; nothing new is encrypted with it.",
    Record.KEY_REMOVED: "A key's registration was removed.",
    Record.OPERATION_REQUESTED: "Somebody asked for an operation.",
    Record.OPERATION_FINISHED: "An operation ended.",
    Record.OPERATION_REMOVED: "The row of an operation that ended thirty days ago was removed.",
    Record.RESOURCE_REGISTERED: "A resource was registered to be protected.",
    Record.RESOURCE_CHANGED: "A resource's registration was changed.",
    Record.RESOURCE_CREATING: "Resource Manager is about to be asked to make the resource; recorded first.",
    Record.RESOURCE_CREATION_ACCEPTED: "Resource Manager is making the resource; its answer is asked for later.",
    Record.RESOURCE_APPLYING: "An update of the resource is about to be sent; recorded first.",
    Record.RESOURCE_UPDATING: "Work on the resource that was begun earlier goes on; recorded first.",
    Record.RESOURCE_ROTATING: "A move to a newer version by pinning is about to be sent; recorded first.",
    Record.RESOURCE_RELEASING: "The resource's release was asked for.",
    Record.RESOURCE_INTERRUPTED: "An update's answer was lost or asked to wait; the resource is read again.",
    Record.RESOURCE_POSTPONED: "Azure asked to wait; work on the resource goes on later.",
    Record.RESOURCE_OBSERVED: "The resource was observed in another state than recorded.",
    Record.RESOURCE_STRANDED: "The resource still depends on a key that was given up; its data may be lost.",
    Record.RESOURCE_REMOVED: "The row of a released resource was removed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Why something happens: the request, event or sweep it goes back to. It is on every log line and entry."""

    request_id: str
    cause: str
    actor: str = "crosskey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a commit says of itself. `data` holds JSON values only."""

    type: EntryType
    data: dict[str, Any] = field(default_factory=dict)
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A committed entry on its way to the timeline. `row_key` orders the outbox, `entry_id` is `{row}/{revision}`."""

    row_key: str
    entry_id: str
    recorded_at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """An entry in the timeline: `hash` covers the entry and the hash before it."""

    sequence: int
    entry_id: str
    type: str
    recorded_at: datetime
    origin: Origin
    data: dict[str, Any]
    hash: str

    @property
    def notification(self) -> Notification | None:
        """The type to announce it under; None for entries that stand in the timeline only."""
        return Notification(self.type) if self.type in set(Notification) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineHead:
    """The end of a timeline, and the batch that may not be announced yet."""

    sequence: int = 0
    hash: str = GENESIS
    batch: tuple[str, ...] = ()
    batch_start: int = 0
    owner: str | None = None
    owned_until: datetime | None = None


def chain(previous_hash: str, sequence: int, row: OutboxRow) -> TimelineEntry:
    """Give an outbox row its sequence and hash."""
    unsealed = TimelineEntry(
        sequence=sequence,
        entry_id=row.entry_id,
        type=str(row.entry.type),
        recorded_at=row.recorded_at,
        origin=row.entry.origin,
        data=row.entry.data,
        hash="",
    )
    return TimelineEntry(
        sequence=sequence,
        entry_id=row.entry_id,
        type=unsealed.type,
        recorded_at=row.recorded_at,
        origin=row.entry.origin,
        data=row.entry.data,
        hash=entry_hash(previous_hash, unsealed),
    )


def entry_hash(previous_hash: str, entry: TimelineEntry) -> str:
    """SHA-256 over the previous hash and the entry's canonical JSON, as 64 hexadecimal digits."""
    canonical = json.dumps(
        {
            "previous": previous_hash,
            "sequence": entry.sequence,
            "id": entry.entry_id,
            "type": entry.type,
            "recordedAt": entry.recorded_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "requestId": entry.origin.request_id,
            "cause": entry.origin.cause,
            "actor": entry.origin.actor,
            "data": entry.data,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
