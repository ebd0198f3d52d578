"""The CONNECT proxy and TLS: what is reached through it, and that nothing else is."""

import asyncio
import socket
import ssl
from collections.abc import Iterator

import aiohttp
import httpx
import pytest
import requests

from local import names
from tests.running_world import RunningWorld

KEYS = f"https://{names.ENTRA_HOST}/common/discovery/v2.0/keys"


@pytest.fixture
def client(local_azure: RunningWorld) -> Iterator[httpx.Client]:
    with httpx.Client(proxy=local_azure.proxy_url, verify=local_azure.tls, trust_env=False) as made:
        yield made


def speak(local_azure: RunningWorld, text: bytes) -> bytes:
    """Say something to the proxy as raw bytes and read until it closes."""
    with socket.create_connection(("127.0.0.1", local_azure.local.proxy.port), timeout=10) as connection:
        connection.sendall(text)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_an_unknown_host_is_refused_and_recorded(client: httpx.Client, local_azure: RunningWorld) -> None:
    with pytest.raises(httpx.ProxyError, match="403"):
        client.get("https://example.com/")
    (call,) = local_azure.control.calls(service="proxy")
    assert (call["operation"], call["host"], call["status"]) == ("CONNECT", "example.com", 403)


@pytest.mark.parametrize(
    "host",
    [
        "vault.azure.net.example.com",
        "login.microsoftonline.com.example.com",
        "127.0.0.1",
        "localhost",
        "management.azure.com.",
    ],
)
def test_a_host_that_only_looks_like_azure_is_refused(local_azure: RunningWorld, host: str) -> None:
    answer = speak(local_azure, f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")


def test_a_known_host_at_another_port_is_refused(local_azure: RunningWorld) -> None:
    answer = speak(local_azure, f"CONNECT {names.ENTRA_HOST}:8443 HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")


def test_a_client_that_does_not_wait_for_the_tunnel_is_refused(local_azure: RunningWorld) -> None:
    answer = speak(local_azure, f"CONNECT {names.ENTRA_HOST}:443 HTTP/1.1\r\n\r\n\x16\x03\x01".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")


def test_plain_http_through_the_proxy_is_refused_and_recorded(local_azure: RunningWorld) -> None:
    answer = speak(local_azure, f"GET http://{names.ENTRA_HOST}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    (call,) = local_azure.control.calls(service="proxy")
    assert (call["method"], call["host"]) == ("GET", names.ENTRA_HOST)


@pytest.mark.parametrize("text", [b"\r\n\r\n", b"nonsense\r\n\r\n", b"\x16\x03\x01\x00\r\n\r\n", b"x" * 20_000])
def test_what_is_no_proxy_request_is_refused(local_azure: RunningWorld, text: bytes) -> None:
    assert speak(local_azure, text).startswith(b"HTTP/1.1 403 ")


def test_a_client_that_does_not_trust_the_authority_gets_no_answer(local_azure: RunningWorld) -> None:
    with (
        httpx.Client(proxy=local_azure.proxy_url, verify=ssl.create_default_context(), trust_env=False) as stranger,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        stranger.get(KEYS)
    assert local_azure.control.calls(service="entra") == []


def test_a_tunnel_to_one_host_cannot_reach_an_unknown_one(client: httpx.Client) -> None:
    assert client.get(KEYS, headers={"Host": "example.com"}).status_code == 421


def test_the_environment_alone_is_enough_for_requests(
    local_azure: RunningWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local_azure.local.client_environment().items():
        monkeypatch.setenv(name, value)
    with requests.Session() as session:
        assert session.get(KEYS, timeout=10).status_code == 200


def test_one_connection_carries_many_requests(client: httpx.Client, local_azure: RunningWorld) -> None:
    network: list[str] = []
    for _ in range(5):
        response = client.get(KEYS)
        network.append(str(response.extensions["network_stream"].get_extra_info("client_addr")))
    assert len(set(network)) == 1
    assert len(local_azure.control.calls(service="entra")) == 5


async def test_forty_connections_are_served_at_once(local_azure: RunningWorld) -> None:
    local_azure.control.add_fault("latency", service="entra", latencySeconds=0.3)
    connector = aiohttp.TCPConnector(ssl=local_azure.tls, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        loop = asyncio.get_running_loop()
        started = loop.time()

        async def ask() -> int:
            async with session.get(KEYS, proxy=local_azure.proxy_url) as response:
                await response.read()
                return response.status

        statuses = await asyncio.gather(*(ask() for _ in range(40)))
        seconds = loop.time() - started
    assert statuses == [200] * 40
    # One after the other they would take 12 s.
    assert seconds < 4
