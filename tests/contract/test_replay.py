"""`./dev replay` itself: over the recordings that lie beside the project, and over such as nobody ever recorded."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.contract.local import wire
from tests.replay.__main__ import main
from tests.replay.explained import EXPLAINED, NOT_COVERED

SUMMARY = re.compile(r"\d+ exchanges: \d+ read, \d+ alike, \d+ differ, \d+ not covered")
ACCOUNT = (
    "https://management.azure.com/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg"
    "/providers/Microsoft.Storage/storageAccounts/recorded?api-version=2023-05-01"
)
KEY: dict[str, dict[str, Any]] = {
    "key": {"kid": f"https://fakevault.local/keys/cmk/{'a' * 32}", "kty": "EC", "key_ops": ["sign"], "crv": "P-256"},
    "attributes": {
        "enabled": True,
        "created": 1,
        "updated": 1,
        "recoveryLevel": "Recoverable",
        "recoverableDays": 90,
        "exportable": False,
    },
}


def replay(folder: Path, capsys: pytest.CaptureFixture[str], *entries: dict[str, Any]) -> tuple[int, str]:
    """Write exchanges as recordings, replay them, and answer exit code and text."""
    for number, entry in enumerate(entries):
        document = {"kind": "recorded", **entry}
        (folder / f"{number}.json").write_text(json.dumps(document), encoding="utf-8")
    code = main([str(folder)])
    text = capsys.readouterr().out
    assert SUMMARY.fullmatch(text.splitlines()[-1])
    return code, text


def exchange(method: str, url: str, status: int, body: Any, *, sent: Any = None, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "request": {"method": method, "url": url, "headers": {}, "body": sent},
        "response": {"status": status, "headers": named, "body": body},
    }


def key(body: Any) -> dict[str, Any]:
    found = copy.deepcopy(body)
    found["key"] |= {"x": "AA", "y": "AA"}
    return exchange("GET", "https://fakevault.local/keys/cmk/?api-version=7.4", 200, found)


@pytest.mark.wire
def test_every_recording_is_read_and_answered_alike_or_explained(capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(wire.folder() / "recordings")])
    text = capsys.readouterr().out
    assert SUMMARY.fullmatch(text.splitlines()[-1])
    assert code == 0, "\n".join(line for line in text.splitlines() if line.startswith("unexplained"))


def test_a_recording_that_agrees_is_read_and_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = replay(tmp_path, capsys, key(KEY))
    assert code == 0, text
    assert text.endswith("1 exchanges: 1 read, 1 alike, 0 differ, 0 not covered\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"key": {"kidneys": 1}}, "$.key.kidneys: Azure alone"),
        ({"attributes": {"enabled": "yes"}}, "$.attributes.enabled: Azure has string, ours boolean"),
    ],
)
def test_a_member_or_type_that_the_local_azure_has_not_is_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, dict[str, Any]], told: str
) -> None:
    changed = {name: {**value, **change.get(name, {})} for name, value in KEY.items()}
    code, text = replay(tmp_path, capsys, key(changed))
    assert code == 1
    assert told in text


def test_a_refusal_with_other_codes_than_ours_is_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"error": {"code": "ResourceNotFound", "message": "x", "innererror": {"code": "Deeper"}}}
    code, text = replay(tmp_path, capsys, exchange("GET", ACCOUNT, 404, body))
    assert code == 1
    assert "inner code: Azure Deeper" in text


def test_an_answer_that_the_adapters_cannot_read_is_unread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = replay(tmp_path, capsys, exchange("GET", ACCOUNT, 200, {"value": "no account"}))
    assert code == 1
    assert "read   unread" in text


def test_a_member_that_the_app_spells_otherwise_is_a_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = {"properties": {"encryption": {"keySource": "Microsoft.Keyvault", "keyVaultProperties": {"keyName": "k"}}}}
    refused = {"error": {"code": "KeyVaultPolicyError", "message": "x"}}
    code, text = replay(tmp_path, capsys, exchange("PATCH", ACCOUNT, 400, refused, sent=sent))
    assert code == 1
    assert "$.properties.encryption.keyvaultproperties is spelt" in text


def test_what_nobody_ever_recorded_is_told_and_never_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = "https://{vault}.vault.azure.net"
    throttled = {"error": {"code": "TooManyRequests", "message": "x"}}
    code, text = replay(
        tmp_path,
        capsys,
        exchange("GET", f"{vault}/certificates/c/?api-version=7.4", 403, {"error": {"code": "Forbidden"}}),
        exchange("POST", f"{vault}/keys/k/sign?api-version=7.4", 200, {"kid": "x", "value": "y"}),
        exchange("PUT", "https://management.azure.com/subscriptions/{sub}/providers/A.B/c/d?api-version=1", 200, {}),
        exchange("GET", ACCOUNT, 429, throttled, Retry_After="7"),
        exchange("GET", "https://another.example/", 200, "text"),
        exchange("DELETE", "https://{hsm}.managedhsm.azure.net/keys/k", 200, {}),
        exchange("OPTIONS", "https://graph.microsoft.com/v1.0/applications", 204, None),
        {"request": {"method": "GET", "url": ACCOUNT}},
    )
    assert code == 0, text
    assert text.endswith("8 exchanges: 2 read, 1 alike, 0 differ, 7 not covered\n")


@pytest.mark.parametrize("text", ["{", "[]", '{"exchanges": [1]}', '{"request": {"method": 1, "url": "x"}}'])
def test_a_file_that_is_no_recording_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (tmp_path / "odd.json").write_text(text, encoding="utf-8")
    main([str(tmp_path)])
    assert SUMMARY.fullmatch(capsys.readouterr().out.splitlines()[-1])


def test_without_a_folder_it_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "./dev replay FOLDER" in capsys.readouterr().err


def test_every_reason_is_a_sentence() -> None:
    reasons = [*NOT_COVERED.values(), *(each.reason for each in EXPLAINED)]
    assert all(reason.endswith(".") for reason in reasons)
