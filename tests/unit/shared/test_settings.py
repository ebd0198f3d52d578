"""Settings: everything wrong is reported at once, and secrets stay secret."""

import base64
import json

import pytest

from shared.errors import SettingsInvalid
from shared.settings import Settings

GUID = "10000000-0000-4000-8000-00000000000a"
IDENTITY = f"/subscriptions/{GUID}/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/keys"
SECRET = base64.b64encode(b"s" * 32).decode()
CONNECTION = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;"


def pool(**changes: object) -> str:
    one = {"name": "pool-a", "clientId": GUID, "identityClientId": GUID, "identityResourceId": IDENTITY}
    return json.dumps([{**one, **changes}])


def mapping(**changes: str | None) -> dict[str, str]:
    good = {
        "AzureWebJobsStorage": CONNECTION,
        "CROSSKEY_PROVIDER_TENANT_ID": GUID.upper(),
        "CROSSKEY_API_CLIENT_ID": GUID,
        "CROSSKEY_APPLICATIONS": pool(),
        "CROSSKEY_IDENTITY_CLIENT_ID": GUID,
        "CROSSKEY_TOPIC_ENDPOINT": "https://topic.westeurope-1.eventgrid.azure.net/api/events",
        "CROSSKEY_PUBLIC_URL": "https://crosskey.azurewebsites.net/",
        "CROSSKEY_SIGNING_KEY": SECRET,
        "CROSSKEY_SUBSCRIPTIONS": f"{GUID}, 20000000-0000-4000-8000-00000000000a,",
        "CROSSKEY_SWEEP_SCHEDULE": "0 */5 * * * *",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def problems(**changes: str | None) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as invalid:
        Settings.from_mapping(mapping(**changes))
    return invalid.value.problems


def test_good_settings_are_read_and_folded() -> None:
    settings = Settings.from_mapping(mapping())
    assert settings.provider_tenant_id == GUID
    assert settings.public_url == "https://crosskey.azurewebsites.net"
    assert settings.subscriptions == {GUID, "20000000-0000-4000-8000-00000000000a"}
    assert settings.signing_key == b"s" * 32
    assert settings.storage.connection_string == CONNECTION
    application = settings.application(GUID)
    assert application is not None
    assert application.identity_resource_id == IDENTITY
    assert settings.application("unknown") is None


def test_every_missing_name_is_reported_at_once() -> None:
    with pytest.raises(SettingsInvalid) as invalid:
        Settings.from_mapping({})
    text = str(invalid.value)
    assert all(name in text for name in mapping())
    assert len(invalid.value.problems) == len(mapping())


def test_missing_and_malformed_names_are_reported_together() -> None:
    found = problems(CROSSKEY_API_CLIENT_ID="nonsense", CROSSKEY_SWEEP_SCHEDULE=None)
    assert [problem.split()[0] for problem in found] == ["CROSSKEY_API_CLIENT_ID", "CROSSKEY_SWEEP_SCHEDULE"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CROSSKEY_PROVIDER_TENANT_ID", "contoso.onmicrosoft.com"),
        ("CROSSKEY_APPLICATIONS", "not json"),
        ("CROSSKEY_APPLICATIONS", "[]"),
        ("CROSSKEY_APPLICATIONS", "{}"),
        ("CROSSKEY_APPLICATIONS", "[1]"),
        ("CROSSKEY_APPLICATIONS", pool(name="")),
        ("CROSSKEY_APPLICATIONS", pool(clientId="nonsense")),
        ("CROSSKEY_APPLICATIONS", pool(surplus="x")),
        ("CROSSKEY_APPLICATIONS", pool(identityResourceId="/subscriptions/x")),
        ("CROSSKEY_APPLICATIONS", pool()[:-1] + "," + pool()[1:]),
        ("CROSSKEY_TOPIC_ENDPOINT", "http://topic.westeurope-1.eventgrid.azure.net/api/events"),
        ("CROSSKEY_TOPIC_ENDPOINT", "https://eventgrid.azure.net.evil.example/api/events"),
        ("CROSSKEY_PUBLIC_URL", "crosskey.azurewebsites.net"),
        ("CROSSKEY_PUBLIC_URL", "https://crosskey.azurewebsites.net/api"),
        ("CROSSKEY_PUBLIC_URL", "https://user@crosskey.azurewebsites.net"),
        ("CROSSKEY_PUBLIC_URL", "https://[broken"),
        ("CROSSKEY_SIGNING_KEY", "c2hvcnQ="),
        ("CROSSKEY_SIGNING_KEY", "not base64!"),
        ("CROSSKEY_WEBHOOK_KEYS", "c2hvcnQ="),
        ("CROSSKEY_WEBHOOK_KEYS", f"{SECRET},"),
        ("CROSSKEY_WEBHOOK_KEYS", f"{SECRET};{SECRET}"),
        ("CROSSKEY_SUBSCRIPTIONS", ","),
        ("CROSSKEY_SUBSCRIPTIONS", f"{GUID},nonsense"),
        ("CROSSKEY_SWEEP_SCHEDULE", "*/5 * * * *"),
    ],
)
def test_a_malformed_value_is_one_problem_that_names_the_setting(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(name)


def test_a_problem_never_quotes_a_secret() -> None:
    for name in ("CROSSKEY_SIGNING_KEY", "CROSSKEY_WEBHOOK_KEYS"):
        (problem,) = problems(**{name: "hunter2"})
        assert "hunter2" not in problem


def test_webhook_keys_are_optional_and_keep_their_order() -> None:
    first, second = b"a" * 32, b"b" * 40
    listed = f" {base64.b64encode(first).decode()} , {base64.b64encode(second).decode()}"
    settings = Settings.from_mapping(mapping(CROSSKEY_WEBHOOK_KEYS=listed))
    assert settings.webhook_keys == (first, second)
    assert "aaaa" not in repr(settings)
    assert Settings.from_mapping(mapping()).webhook_keys == ()
    assert Settings.from_mapping(mapping(CROSSKEY_WEBHOOK_KEYS=" ")).webhook_keys == ()


def test_secrets_redact_themselves() -> None:
    settings = Settings.from_mapping(mapping())
    shown = f"{settings!r} {settings.signing_key} {settings.signing_key!r} {settings.storage!r}"
    assert "AccountKey" not in shown
    assert "ssss" not in shown
    assert "<redacted>" in shown


def test_storage_by_managed_identity_needs_both_services() -> None:
    uris = {
        "AzureWebJobsStorage__tableServiceUri": "https://a.table.core.windows.net",
        "AzureWebJobsStorage__queueServiceUri": "https://a.queue.core.windows.net/",
        "AzureWebJobsStorage__clientId": GUID,
    }
    storage = Settings.from_mapping(mapping(AzureWebJobsStorage=None, **uris)).storage
    assert storage.connection_string is None
    assert storage.queue_service_uri == "https://a.queue.core.windows.net"
    assert storage.client_id == GUID
    (problem,) = problems(AzureWebJobsStorage=None, **{**uris, "AzureWebJobsStorage__queueServiceUri": None})
    assert problem.startswith("AzureWebJobsStorage__queueServiceUri")
