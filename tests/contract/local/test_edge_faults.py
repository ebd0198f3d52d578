"""Faults as a client meets them, before and after the handler took effect."""

import time
from collections.abc import Iterator

import httpx
import pytest

from local import names
from local.client import ControlRefused
from tests.running_world import RunningWorld

CONTOSO = "20000000-0000-4000-8000-000000000001"
KEYS = f"https://{names.ENTRA_HOST}/common/discovery/v2.0/keys"
CONSENT = f"https://{names.ENTRA_HOST}/{CONTOSO}/adminconsent"
QUERY = {"client_id": names.POOL_CLIENT_ID, "redirect_uri": names.CONSENT_REDIRECT_URI}


@pytest.fixture
def client(local_azure: RunningWorld) -> Iterator[httpx.Client]:
    local_azure.control.put_tenant(CONTOSO, "Contoso")
    with httpx.Client(proxy=local_azure.proxy_url, verify=local_azure.tls, trust_env=False, timeout=5) as made:
        yield made


def consent(client: httpx.Client) -> httpx.Response:
    return client.post(CONSENT, params=QUERY, data={"decision": "accept"})


def is_installed(local_azure: RunningWorld) -> bool:
    return local_azure.look(lambda world: names.POOL_CLIENT_ID in world.tenants[CONTOSO].service_principals)


def test_a_status_fault_answers_code_and_headers(client: httpx.Client, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault(
        "status", service="*", status=429, code="TooManyRequests", message="Slow down.", headers={"Retry-After": "7"}
    )
    answer = client.get(KEYS)
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.json() == {"error": {"code": "TooManyRequests", "message": "Slow down."}}


def test_a_status_fault_before_the_handler_has_no_effect(client: httpx.Client, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("status", status=500)
    assert consent(client).status_code == 500
    assert not is_installed(local_azure)


def test_a_status_fault_after_the_handler_hides_an_effect(client: httpx.Client, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("status", status=500, when="after")
    assert consent(client).status_code == 500
    assert is_installed(local_azure)


def test_a_connection_dropped_before_the_handler_has_no_effect(client: httpx.Client, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("drop", operation="AdminConsent.*")
    with pytest.raises(httpx.TransportError):
        consent(client)
    assert not is_installed(local_azure)
    assert local_azure.control.calls(service="entra")[-1]["status"] == 0


def test_a_connection_dropped_after_the_handler_hides_an_effect(
    client: httpx.Client, local_azure: RunningWorld
) -> None:
    local_azure.control.add_fault("drop", operation="AdminConsent.*", when="after")
    with pytest.raises(httpx.TransportError):
        consent(client)
    assert is_installed(local_azure)


def test_a_malformed_answer_cannot_be_read(client: httpx.Client, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("malformed", when="after", times=1)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        client.get(KEYS).json()
    assert client.get(KEYS).json()["keys"]


def test_a_hanging_call_ends_with_the_clients_patience(client: httpx.Client, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("hang", operation="Keys")
    with pytest.raises(httpx.ReadTimeout):
        client.get(KEYS, timeout=0.2)


def test_latency_delays_and_still_answers(client: httpx.Client, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("latency", latencySeconds=0.15)
    started = time.monotonic()
    assert client.get(KEYS).status_code == 200
    assert time.monotonic() - started >= 0.15


def test_a_counted_fault_strikes_that_often(client: httpx.Client, local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("status", status=503, times=2)
    assert [client.get(KEYS).status_code for _ in range(4)] == [503, 503, 200, 200]
    assert [(fault["remaining"], fault["struck"]) for fault in local_azure.control.faults()] == [(0, 2)]


def test_a_probable_fault_strikes_sometimes_and_repeatably(client: httpx.Client, local_azure: RunningWorld) -> None:
    runs = []
    for _ in range(2):
        local_azure.control.clear_faults()
        local_azure.control.add_fault("status", status=503, probability=0.5)
        runs.append([client.get(KEYS).status_code for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


@pytest.mark.parametrize(
    ("members", "strikes"),
    [
        ({"service": "entra"}, True),
        ({"service": "keyvault"}, False),
        ({"operation": "Key*"}, True),
        ({"operation": "Token"}, False),
        ({"host": "login.*"}, True),
        ({"host": "*.vault.azure.net"}, False),
    ],
)
def test_a_fault_strikes_only_what_it_names(
    client: httpx.Client, local_azure: RunningWorld, members: dict[str, str], *, strikes: bool
) -> None:
    local_azure.control.add_fault("status", status=418, **members)
    assert (client.get(KEYS).status_code == 418) is strikes


def test_a_removed_fault_no_longer_strikes(client: httpx.Client, local_azure: RunningWorld) -> None:
    identifier = local_azure.control.add_fault("status", status=503)
    local_azure.control.remove_fault(identifier)
    assert client.get(KEYS).status_code == 200
    with pytest.raises(ControlRefused, match="404"):
        local_azure.control.remove_fault(identifier)


def test_the_record_says_which_fault_struck(client: httpx.Client, local_azure: RunningWorld) -> None:
    identifier = local_azure.control.add_fault("status", status=503, times=1)
    client.get(KEYS)
    client.get(KEYS)
    calls = local_azure.control.calls(service="entra")
    assert [(call["status"], call["fault"]) for call in calls] == [(503, identifier), (200, None)]
