"""`python -m local`: its arguments, and the token command against a control API that is there, refuses, or is gone."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from local import token_command
from local.__main__ import main, parse


class Control(BaseHTTPRequestHandler):
    """A control API that knows the provider's tenant only."""

    requests: list[Any]

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, request))
        known = request["tenant"] == "provider"
        body = json.dumps({"accessToken": "a.b.c"} if known else {"detail": "no such tenant"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def ready_file(tmp_path: Path) -> Iterator[Path]:
    Control.requests = []
    with HTTPServer(("127.0.0.1", 0), Control) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        file = tmp_path / "ready.json"
        file.write_text(json.dumps({"control": f"http://127.0.0.1:{server.server_port}"}), encoding="utf-8")
        yield file
        server.shutdown()
        thread.join()


def test_a_token_is_printed_for_the_named_roles(ready_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["token", "--tenant", "provider", "--role", "CrossKey.Operator", "--role", "Reader"]
    assert main([*command, "--ready-file", str(ready_file)]) == 0
    assert capsys.readouterr().out == "a.b.c\n"
    assert Control.requests == [("/tokens", {"tenant": "provider", "roles": ["CrossKey.Operator", "CrossKey.Reader"]})]


def test_a_proxy_of_the_environment_does_not_come_between(ready_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert token_command.run(ready_file, tenant="provider", roles=["Reader"]) == 0


def test_a_refusal_is_shown_and_ends_with_an_error(ready_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert token_command.run(ready_file, tenant="Nobody", roles=["Reader"]) == 1
    assert "no such tenant" in capsys.readouterr().err


def test_without_a_running_world_the_command_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert token_command.run(tmp_path / "ready.json", tenant="provider", roles=["Reader"]) == 1
    assert "./dev start" in capsys.readouterr().err


def test_a_world_that_died_leaves_a_file_behind_and_is_reported_as_gone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ready.json"
    file.write_text('{"control": "http://127.0.0.1:9"}', encoding="utf-8")
    assert token_command.run(file, tenant="provider", roles=["Reader"]) == 1
    assert "does not answer" in capsys.readouterr().err


def test_a_role_that_the_api_does_not_define_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["token", "--tenant", "provider", "--role", "Owner"])
    assert "KeyAdministrator" in capsys.readouterr().err
