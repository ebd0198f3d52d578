"""The evidence statement of an offboarded customer: what each version protected, from when to when, and how it ended.

Made from the timeline alone, so that an auditor can make it again from an export; it carries the sequence and hash of
the entry it goes up to. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.domain.entries import Notification, Record, TimelineEntry
from shared.domain.model import Customer

FORMAT = "crosskey-statement/1"

_BEGINS = frozenset({Notification.RESOURCE_PROTECTED.value, Notification.RESOURCE_ROTATED.value})
_ENDS = {
    Notification.RESOURCE_RELEASED.value: "released",
    Notification.RESOURCE_GONE.value: "gone",
    Record.RESOURCE_STRANDED.value: "stranded",
}


@dataclass(slots=True)
class _Span:
    """One resource on one key version."""

    key: str
    version: str | None
    since: datetime
    until: datetime | None = None


@dataclass(slots=True)
class _History:
    """What the timeline tells of one resource."""

    resource_id: str
    spans: list[_Span] = field(default_factory=list)
    end: str | None = None
    ended_at: datetime | None = None
    key_source: str | None = None

    def take(self, entry: TimelineEntry) -> None:
        data, at = entry.data, entry.recorded_at
        if entry.type in _BEGINS:
            self._close(at)
            self.end = self.ended_at = None
            self.spans.append(_Span(key=str(data.get("key")), version=data.get("version"), since=at))
        elif entry.type in _ENDS:
            self._close(at)
            self.end, self.ended_at, self.key_source = _ENDS[entry.type], at, data.get("keySource")

    def _close(self, at: datetime) -> None:
        if self.spans and self.spans[-1].until is None:
            self.spans[-1].until = at


def make_statement(customer: Customer, entries: Iterable[TimelineEntry], *, now: datetime) -> dict[str, Any]:
    """Make the statement as a JSON document. `entries` is the whole timeline in order."""
    histories: dict[str, _History] = {}
    keys: dict[str, str] = {}
    last: TimelineEntry | None = None
    for last in entries:
        if last.type == Record.KEY_REGISTERED.value:
            keys[str(last.data.get("key"))] = str(last.data.get("keyIdentifier"))
        if last.type in _BEGINS or last.type in _ENDS:
            name = str(last.data.get("resource"))
            histories.setdefault(name, _History(str(last.data.get("resourceId")))).take(last)
    return {
        "format": FORMAT,
        "customer": {
            "id": customer.customer_id,
            "displayName": customer.display_name,
            "tenantId": customer.tenant_id,
            "application": customer.application,
            "registeredAt": _time(customer.created_at),
        },
        "madeAt": _time(now),
        "keys": [{"name": name, "keyIdentifier": identifier} for name, identifier in sorted(keys.items())],
        "resources": [_show(name, history) for name, history in sorted(histories.items())],
        "everyResourceReleased": all(history.end in ("released", "gone") for history in histories.values()),
        "timeline": {"sequence": 0 if last is None else last.sequence, "hash": "" if last is None else last.hash},
    }


def _show(name: str, history: _History) -> Mapping[str, Any]:
    return {
        "name": name,
        "resourceId": history.resource_id,
        "protectedBy": [
            {
                "key": span.key,
                "version": span.version,
                "from": _time(span.since),
                "to": None if span.until is None else _time(span.until),
            }
            for span in history.spans
        ],
        "end": history.end,
        "endedAt": None if history.ended_at is None else _time(history.ended_at),
        "keySourceAfterwards": history.key_source,
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
