"""HTTP triggers through a running host: routing, keys, translation both ways, and functions that misbehave."""

import asyncio

import pytest

from tests.contract.functions_host.harness import HostUnderTest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_request_arrives_as_azure_hands_it_over(host: HostUnderTest) -> None:
    async with host.client() as client:
        answer = await client.post("/API/Echo/a%2Fb/C%20d?x=1&x=2&empty=", content=b"hi", headers={"X-Upper": "Yes"})
    seen = answer.json()
    assert seen["method"] == "POST"
    assert seen["body"] == "hi"
    assert seen["params"] == {"x": "1,2"}
    assert seen["route"] == {"path": "a%2Fb/C d"}
    assert seen["headers"]["x-upper"] == "Yes"
    assert seen["url"] == str(answer.url)


async def test_the_public_scheme_and_name_are_in_the_url(host: HostUnderTest) -> None:
    headers = {"Host": "crosskey.azurewebsites.net", "X-Forwarded-Proto": "https"}
    async with host.client() as client:
        answer = await client.get("/api/echo/x", headers=headers)
    assert answer.json()["url"] == "https://crosskey.azurewebsites.net/api/echo/x"


async def test_status_content_type_and_each_cookie_reach_the_caller(host: HostUnderTest) -> None:
    async with host.client() as client:
        answer = await client.get("/api/echo/")
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.headers.get_list("set-cookie")) == 2


async def test_text_is_an_answer_too(host: HostUnderTest) -> None:
    async with host.client() as client:
        answer = await client.get("/api/items/7")
    assert (answer.status_code, answer.text) == (200, "item 7")
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/items/seven"), ("POST", "/api/items/7"), ("GET", "/items/7"), ("GET", "/api/none"), ("GET", "/")],
)
async def test_no_route_and_a_wrong_method_are_both_404(host: HostUnderTest, method: str, path: str) -> None:
    async with host.client() as client:
        assert (await client.request(method, path)).status_code == 404


@pytest.mark.parametrize(
    ("header", "code", "status"),
    [
        ("of-guarded", "", 200),
        ("of-the-host", "", 200),
        ("master", "", 200),
        ("", "of-guarded", 200),
        ("", "", 401),
        ("of-item", "", 401),
        ("of-event-grid", "", 401),
        ("wrong", "of-guarded", 401),
    ],
)
async def test_a_guarded_function_wants_a_key(host: HostUnderTest, header: str, code: str, status: int) -> None:
    async with host.client() as client:
        answer = await client.get(
            "/api/guarded", params={"code": code} if code else {}, headers={"x-functions-key": header} if header else {}
        )
    assert answer.status_code == status
    assert answer.content == b"" or status == 200


@pytest.mark.parametrize("how", ["raise", "exit", "cancel"])
async def test_a_function_that_ends_abnormally_is_a_500_and_the_host_lives_on(host: HostUnderTest, how: str) -> None:
    async with host.client() as client:
        answer = await client.get("/api/fail", params={"how": how})
        assert (answer.status_code, answer.content) == (500, b"")
        assert (await client.get("/api/items/1")).status_code == 200


async def test_a_function_over_its_time_is_a_500(host: HostUnderTest) -> None:
    async with host.client() as client:
        assert (await client.get("/api/fail", params={"how": "hang"})).status_code == 500
    assert any("did not end within functionTimeout" in line["message"] for line in host.log())


async def test_a_function_that_blocks_does_not_stop_the_front(host: HostUnderTest) -> None:
    async with host.client() as client:
        blocking = asyncio.create_task(client.get("/api/fail", params={"how": "block"}))
        await asyncio.sleep(0)
        assert (await client.get("/api/none")).status_code == 404
        assert not blocking.done()
        assert (await blocking).status_code == 500


async def test_log_lines_of_the_app_carry_the_invocation(host: HostUnderTest) -> None:
    async with host.client() as client:
        seen = (await client.get("/api/echo/logged")).json()
    line = next(line for line in host.log() if line["logger"] == "sample" and line["path"] == "logged")
    assert line["message"] == "echoing"
    assert line["level"] == "INFO"
    assert line["invocationId"] == seen["invocationId"]


async def test_running_a_function_by_hand_wants_the_master_key(host: HostUnderTest) -> None:
    body = {"input": '{"id": "by-hand"}'}
    async with host.client() as client:
        assert (await client.post("/admin/functions/sweep", json=body)).status_code == 401
        master = {"x-functions-key": "master"}
        assert (await client.post("/admin/functions/none", json=body, headers=master)).status_code == 404
        assert (await client.post("/admin/functions/work", content=b"", headers=master)).status_code == 400
        assert (await client.post("/admin/functions/Work", json=body, headers=master)).status_code == 202
    seen = await host.until_seen("worked")
    assert seen[0]["body"] == {"id": "by-hand"}


async def test_the_ping_needs_no_key(host: HostUnderTest) -> None:
    async with host.client() as client:
        assert (await client.get("/admin/host/ping")).status_code == 200
