"""host.json, local.settings.json and the look-up of settings."""

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.functions_host.errors import AppRefused
from local.functions_host.settings import (
    HostOptions,
    QueueOptions,
    apply_local_settings,
    is_disabled,
    read_host_options,
    resolve,
    storage_connection,
)


def _read(folder: Path, content: dict[str, Any], environment: dict[str, str] | None = None) -> HostOptions:
    (folder / "host.json").write_text(json.dumps({"version": "2.0", **content}))
    return read_host_options(folder, environment or {})


def test_an_empty_host_json_means_azures_defaults(tmp_path: Path) -> None:
    assert _read(tmp_path, {}) == HostOptions(
        route_prefix="api",
        function_timeout=timedelta(minutes=30),
        log_level=logging.INFO,
        queues=QueueOptions(16, 8, 5, timedelta(0), base64=True, max_polling_interval=timedelta(minutes=1)),
    )


def test_what_host_json_says_is_read(tmp_path: Path) -> None:
    queues = {
        "batchSize": 8,
        "maxDequeueCount": 2,
        "visibilityTimeout": "00:00:30",
        "messageEncoding": "none",
        "maxPollingInterval": "00:00:00.5",
    }
    options = _read(
        tmp_path,
        {
            "functionTimeout": "1.02:03:04",
            "logging": {"logLevel": {"default": "Warning"}},
            "extensions": {"http": {"routePrefix": "/v1/"}, "queues": queues},
        },
    )
    assert options.queues == QueueOptions(
        8, 4, 2, timedelta(seconds=30), base64=False, max_polling_interval=timedelta(milliseconds=500)
    )
    assert options.route_prefix == "v1"
    assert options.function_timeout == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert options.log_level == logging.WARNING


def test_no_limit_of_time_is_minus_one(tmp_path: Path) -> None:
    assert _read(tmp_path, {"functionTimeout": "-1"}).function_timeout is None


def test_a_setting_overrides_host_json(tmp_path: Path) -> None:
    name = "AzureFunctionsJobHost__extensions__queues__batchSize"
    assert _read(tmp_path, {}, {name: "3"}).queues.batch_size == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"version": "1"}, "version"),
        ({"functionTimeout": "soon"}, "functionTimeout"),
        ({"functionTimeout": 5}, "functionTimeout"),
        ({"extensions": {"queues": {"batchsize": 1}}}, "batchsize"),
        ({"extensions": {"queues": {"batchSize": 33}}}, "from 1 to 32"),
        ({"extensions": {"queues": {"messageEncoding": "utf8"}}}, "base64 or none"),
        ({"extensions": {"queues": {"maxDequeueCount": 0}}}, "at least 1"),
        ({"extensions": {"http": {"routePrefix": "admin"}}}, "keeps for itself"),
        ({"logging": {"logLevel": {"default": "Loud"}}}, "loud"),
    ],
)
def test_what_is_wrong_in_host_json_is_named(tmp_path: Path, content: dict[str, Any], reason: str) -> None:
    with pytest.raises(AppRefused, match=reason):
        _read(tmp_path, content)


def test_a_missing_or_malformed_host_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AppRefused, match=r"no host\.json"):
        read_host_options(tmp_path, {})
    (tmp_path / "host.json").write_text("{")
    with pytest.raises(AppRefused, match="not JSON"):
        read_host_options(tmp_path, {})


def test_local_settings_fill_in_what_the_environment_lacks(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": {"A": "file", "B": "file"}}))
    environment = {"A": "environment"}
    apply_local_settings(tmp_path, environment)
    assert environment == {"A": "environment", "B": "file"}


def test_no_local_settings_is_fine(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    apply_local_settings(tmp_path, environment)
    assert environment == {}


def test_encrypted_local_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{"IsEncrypted": true}')
    with pytest.raises(AppRefused, match="encrypted"):
        apply_local_settings(tmp_path, {})


def test_settings_are_looked_up_in_bindings() -> None:
    assert resolve("%A%-%B%", {"A": "1", "B": "2"}) == "1-2"
    assert resolve("0 */5 * * * *", {}) == "0 */5 * * * *"
    with pytest.raises(AppRefused, match="there is no app setting MISSING"):
        resolve("%MISSING%", {})


@pytest.mark.parametrize(
    ("value", "disabled"), [("true", True), ("True", True), ("1", True), ("false", False), ("", False)]
)
def test_a_function_is_disabled_by_a_setting(value: str, disabled: bool) -> None:
    assert is_disabled("sweep", {"AzureWebJobs.sweep.Disabled": value}) is disabled
    assert is_disabled("sweep", {"AzureWebJobs_sweep_Disabled": value}) is disabled
    assert not is_disabled("other", {"AzureWebJobs.sweep.Disabled": value})


def test_a_connection_is_found_by_its_setting() -> None:
    assert storage_connection("", {"AzureWebJobsStorage": "s"}) == "s"
    assert storage_connection("Storage", {"AzureWebJobsStorage": "s"}) == "s"
    assert storage_connection("Other", {"Other": "o"}) == "o"


def test_a_connection_that_is_not_there_or_not_imitated_is_refused() -> None:
    with pytest.raises(AppRefused, match="needs the app setting Other"):
        storage_connection("Other", {})
    with pytest.raises(AppRefused, match="identity-based"):
        storage_connection("Other", {"Other__queueServiceUri": "https://x"})
