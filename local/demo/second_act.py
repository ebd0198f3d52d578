"""The demo's second act, on another account: what becomes of a key and an account with time, until the customer leaves.

The key is lost and restored, the encryption changed by hand, an old version left for good, an end comes near, a version
is pinned.

Hours and weeks pass by moving the world's clock, which the app, the services and Azurite follow. What was announced
is read where subscribers of the topic receive it.
"""

from datetime import datetime, timedelta
from typing import Any

from local.actors import NotReached, announced_about, last_call, wait_until
from local.demo.stage import ARCHIVE_ID, Facts, Stage, account_record, change_account, must

KEY = "/customers/contoso/keys/primary"
ARCHIVE = "/customers/contoso/resources/contosoarchive"
# A loss is announced when it is seen again after this time.
CONFIRMATION = timedelta(seconds=31)
SWEEP = timedelta(minutes=5, seconds=1)
DAY = timedelta(days=1)
FAR, NEAR = timedelta(days=80), timedelta(days=25)


def lose_key(stage: Stage) -> Facts:
    """Contoso disables the version in use: suspected at first, announced when seen again; and its end at once."""
    stage.control.put_storage_account(ARCHIVE_ID)
    body = {"resourceId": ARCHIVE_ID, "key": "primary"}
    operation = stage.portal.finish(stage.portal.begin("PUT", ARCHIVE, body))
    must(operation["status"] == "Succeeded", f"The operation ended {operation}.")
    admin = stage.administrator
    admin.update_key("cmk", stage.second_version, attributes={"enabled": False})
    at_first = stage.portal.call("POST", f"{KEY}/verify")
    found = {check["reason"] for check in at_first["verification"]["checks"] if check["result"] == "fail"}
    must("KeyDisabled" in found, f"The findings are {sorted(found)}.")
    must(not _announced(stage, "KeyAccessLost"), "The loss was announced when it was seen for the first time.")
    stage.control.advance(CONFIRMATION)
    lost = _wait_for(stage, "KeyAccessLost")["data"]
    health = stage.portal.call("GET", KEY)
    must(health["health"]["state"] == "disabled", f"The key is {health['health']}.")
    must(health["consequences"]["resources"] == ["contosoarchive"], f"It concerns {health['consequences']}.")
    admin.update_key("cmk", stage.second_version, attributes={"enabled": True})
    restored = stage.portal.call("POST", f"{KEY}/verify")["health"]["state"]
    must(restored == "healthy", f"The key enabled again is {restored}.")
    _wait_for(stage, "KeyAccessRestored")
    return {
        "atFirst": at_first["health"]["state"],
        "secondsUntilSeenAgain": int(CONFIRMATION.total_seconds()),
        "announced": lost["health"],
        "concerned": health["consequences"]["resources"],
        "failingOperations": len(health["consequences"]["failingOperations"]),
        "enabledAgain": restored,
    }


def repair_drift(stage: Stage) -> Facts:
    """Somebody takes the account off the key by hand. Nobody tells CrossKey: its next sweep finds and mends it."""
    by_hand = {"keySource": "Microsoft.Storage", "services": {"blob": {"enabled": True}, "file": {"enabled": True}}}
    changed = change_account(stage, ARCHIVE_ID, {"properties": {"encryption": by_hand}})
    drifted = changed["properties"]["encryption"]["keySource"]
    must(drifted == "Microsoft.Storage", f"The account changed by hand is on {drifted}.")
    stage.control.advance(SWEEP)
    _wait_for(stage, "ResourceDrifted")

    def repaired() -> Any:
        resource = stage.portal.call("GET", ARCHIVE)
        drifted = any(finding["reason"] == "Drifted" for finding in resource["findings"])
        return resource if resource["state"] == "protected" and not drifted else None

    wait_until(repaired, "the account to be protected again")
    encryption = account_record(stage, ARCHIVE_ID)["properties"]["encryption"]
    must(encryption["keySource"] == "Microsoft.Keyvault", f"ARM shows {encryption}.")
    used = str(encryption["keyvaultproperties"]["currentVersionedKeyIdentifier"])
    must(used.endswith(stage.second_version), f"ARM shows {used}.")
    return {"changedByHandTo": drifted, "keySource": encryption["keySource"], "keyInUse": used}


def old_version(stage: Stage) -> Facts:
    """The version before the rotation may go, once nothing was seen on it for a day: read again, then said once."""
    for days in range(1, 4):
        # The day counts from the sweep that first saw the version left.
        stage.control.advance(DAY + SWEEP)
        try:
            event = _wait_for(stage, "KeyVersionRetirable", within_seconds=5.0)
        except NotReached:
            continue
        key = stage.portal.call("GET", KEY)
        must(key["retirableVersions"] == [stage.first_version], f"May go: {key['retirableVersions']}.")
        must(key["versionsInUse"] == [stage.second_version], f"In use: {key['versionsInUse']}.")
        return {"retirable": event["data"]["version"], "inUse": key["versionsInUse"], "days": days}
    raise NotReached("Nothing was said of the version that was left days ago.")


def near_expiry(stage: Stage) -> Facts:
    """Contoso gives the version an end; each step of the ladder towards it is announced once."""
    expires = stage.control.now() + FAR
    stage.administrator.update_key("cmk", stage.second_version, attributes={"exp": int(expires.timestamp())})
    stage.portal.call("POST", f"{KEY}/verify")
    _wait_for(stage, "KeyExpiring")
    stage.control.advance(FAR - NEAR)
    _wait_for(stage, "KeyExpiring", times=2)
    key = stage.portal.call("POST", f"{KEY}/verify")
    must(key["health"]["state"] == "expiring", f"The key is {key['health']}.")
    must(key["verification"]["state"] == "verified", f"The key is {key['verification']['state']}.")
    events = _announced(stage, "KeyExpiring")
    must(len(events) == 2, f"The end was announced {len(events)} times.")
    left = [_days_left(event) for event in events]
    must(left == [FAR.days, NEAR.days], f"The end was announced {left} days before it.")
    return {"daysLeftWhenAnnounced": left, "health": key["health"]["state"], "expiresAt": key["expiresAt"]}


def _days_left(event: dict[str, Any]) -> int:
    left = datetime.fromisoformat(event["data"]["expiresAt"]) - datetime.fromisoformat(event["time"])
    return round(left / DAY)


def pinned_version(stage: Stage) -> Facts:
    """The key is pinned: a rotation moves nothing until the operator accepts the new version."""
    _pin(stage, stage.second_version)
    _wait_for_setting(stage, stage.second_version)
    accepted = stage.administrator.rotate_key("cmk")
    stage.portal.call("POST", f"{KEY}/verify")
    rotated = last_call(stage.control)
    stage.portal.call("POST", f"{ARCHIVE}/reconcile")
    wait_until(lambda: "GET" in _methods(stage, after=rotated), "the account to be looked at")
    after_rotation = _version_in_use(stage)
    must(after_rotation == stage.second_version, f"The pinned account went to {after_rotation} by itself.")
    stage.control.advance(SWEEP)
    must("PATCH" not in _methods(stage, after=rotated), "The pinned account was updated.")
    rotations = len(_announced(stage, "ResourceRotated"))
    _pin(stage, accepted)
    _wait_for_setting(stage, accepted)
    _wait_for(stage, "ResourceRotated", times=rotations + 1)
    observed = stage.portal.call("GET", ARCHIVE)["observed"]["versionInUse"]
    must(observed == accepted, f"CrossKey shows {observed}.")
    return {"afterRotation": after_rotation, "accepted": accepted, "versionInUse": observed}


def _methods(stage: Stage, *, after: int) -> list[str]:
    """How Resource Manager was asked for the account; the reads of the demo itself are not yet among them."""
    calls = stage.control.calls(after=after, service="arm")
    return [call["method"] for call in calls if call["path"].casefold() == ARCHIVE_ID.casefold()]


def _pin(stage: Stage, version: str) -> None:
    body = {
        "keyIdentifier": f"{stage.administrator.vault_uri}/keys/cmk/{version}",
        "versionPolicy": "pinned",
        "vaultResourceId": stage.administrator.vault_id,
    }
    stage.portal.call("PUT", KEY, body)


def _wait_for_setting(stage: Stage, version: str) -> None:
    def pinned() -> bool:
        properties = account_record(stage, ARCHIVE_ID)["properties"]["encryption"]["keyvaultproperties"]
        used = properties["currentVersionedKeyIdentifier"].rpartition("/")[2]
        return bool(used == properties.get("keyversion") == version)

    wait_until(pinned, "the account to be pinned")


def _version_in_use(stage: Stage) -> str:
    properties = account_record(stage, ARCHIVE_ID)["properties"]["encryption"]["keyvaultproperties"]
    return str(properties["currentVersionedKeyIdentifier"]).rpartition("/")[2]


def leave(stage: Stage) -> Facts:
    """Contoso leaves: everything is released and verified; the statement says what was protected by what, and when."""
    operation = stage.portal.finish(stage.portal.begin("DELETE", "/customers/contoso"))
    must(operation["status"] == "Succeeded", f"The operation ended {operation}.")
    must(operation["percentComplete"] == 100, f"The operation is at {operation['percentComplete']} percent.")
    source = account_record(stage, ARCHIVE_ID)["properties"]["encryption"]["keySource"]
    must(source == "Microsoft.Storage", f"ARM shows {source}.")
    _wait_for(stage, "CustomerOffboarded")
    gone = stage.portal.http.get("/customers/contoso").status_code
    must(gone == 404, f"The customer who left is answered {gone}.")
    statement = stage.portal.call("GET", "/customers/contoso/statement")
    must(statement["everyResourceReleased"], f"The statement says {statement}.")
    protected_by = {each["name"]: [span["version"] for span in each["protectedBy"]] for each in statement["resources"]}
    must(
        protected_by["contosodata"] == [stage.first_version, stage.second_version],
        f"The statement says {protected_by}.",
    )
    return {
        "percentComplete": operation["percentComplete"],
        "customer": gone,
        "keySource": source,
        "protectedBy": protected_by,
        "headHash": statement["timeline"]["hash"],
        "upToEntry": statement["timeline"]["sequence"],
    }


def _announced(stage: Stage, kind: str) -> list[dict[str, Any]]:
    return [each for each in announced_about(stage.control, "contoso") if each["type"] == f"CrossKey.{kind}"]


def _wait_for(stage: Stage, kind: str, *, times: int = 1, within_seconds: float = 30.0) -> dict[str, Any]:
    """Wait until a notification was received so many times; answers the last."""

    def received() -> dict[str, Any] | None:
        events = _announced(stage, kind)
        return events[-1] if len(events) >= times else None

    return wait_until(received, f"{kind} to be announced", within_seconds=within_seconds)
