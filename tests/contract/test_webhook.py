"""A real server on the loopback gets signed messages, refuses, hangs and redirects; some addresses are never spoken to."""

import hmac
import json
import logging
import socket
import threading
import time
import traceback
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.shared.adapters import targets
from functions.shared.adapters.chat import Chat
from functions.shared.adapters.targets import targets_in
from functions.shared.adapters.webhook import Webhook, signature
from functions.shared.domain.errors import InputError, NotSentError
from functions.shared.domain.message import Message
from tests.fakes.documents import NOW

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = Message("2013-04-01-silent", "churn", "silent", NOW, "prod, churn: silent", "churn: no batch for 30 hours, 漂移")


@dataclass
class Server:
    """What a person would run at the other end: it verifies each signature by itself."""

    answers: list[int] = field(default_factory=lambda: [204])
    hangs_s: float = 0.0
    got: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    signed: bool = True
    port: int = 0

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/hooks/0123token?team=ml"


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.paths.append(self.path)
            time.sleep(state.hangs_s)
            if not state.signed:
                state.got.append(json.loads(body))
                self.answer()
                return
            signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
            expected = hmac.new(b64decode(SECRET.removeprefix("whsec_")), signed, sha256).digest()
            assert self.headers["webhook-signature"] == f"v1,{b64encode(expected).decode()}"
            state.got.append({"id": self.headers["webhook-id"], "host": self.headers["Host"], **json.loads(body)})
            self.answer()

        def answer(self) -> None:
            self.send_response(state.answers.pop(0))
            self.send_header("Location", f"http://127.0.0.1:{state.port}/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = running.server_port
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    running.shutdown()
    running.server_close()
    thread.join()


def resolved_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Each name is at these addresses; the list has the names that were asked for."""
    asked: list[str] = []

    def find(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", find)
    return asked


def test_a_signature_is_the_one_that_the_specifications_libraries_make() -> None:
    known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}') == known


def test_a_server_gets_the_message_signed_with_an_id_that_stays_the_same(server: Server) -> None:
    server.answers = [200, 202]
    for _ in range(2):
        Webhook(server.url(), SECRET, guarded=False).send(MESSAGE)
    data = {"model": "churn", "kind": "silent", "subject": MESSAGE.subject, "text": MESSAGE.text}
    assert server.got[0]["data"] == data
    assert (server.got[0]["type"], server.got[0]["timestamp"]) == ("alert.silent", "2013-04-01T12:00:00+00:00")
    assert [got["id"] for got in server.got] == ["churn.2013-04-01-silent"] * 2
    assert server.paths == ["/hooks/0123token?team=ml"] * 2


@pytest.mark.parametrize("status", [400, 401, 410, 429, 500, 503])
def test_a_server_that_refuses_did_not_take_the_message(server: Server, status: int) -> None:
    server.answers = [status]
    with pytest.raises(NotSentError, match=f"127.0.0.1 answered {status}"):
        Webhook(server.url(), SECRET, guarded=False).send(MESSAGE)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(server: Server, status: int) -> None:
    server.answers = [status, 200]
    with pytest.raises(NotSentError, match=f"answered {status}"):
        Webhook(server.url(), SECRET, guarded=False).send(MESSAGE)
    assert server.paths == ["/hooks/0123token?team=ml"]


def test_a_server_that_hangs_is_waited_for_only_so_long(server: Server) -> None:
    server.hangs_s = 2.0
    started = time.monotonic()
    with pytest.raises(NotSentError, match="TimeoutError"):
        Webhook(server.url(), SECRET, guarded=False, timeout_s=0.2).send(MESSAGE)
    assert time.monotonic() - started < 1.5


def test_a_server_that_is_not_there_and_a_name_that_is_none_are_not_sent_to() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with pytest.raises(NotSentError, match="ConnectionRefusedError"):
        Webhook(url, SECRET, guarded=False).send(MESSAGE)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1%eth0", "::ffff:127.0.0.1", "fd00:ec2::254"])
def test_on_aws_no_name_leads_inside(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved_to(monkeypatch, "93.184.215.14", address)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    with pytest.raises(NotSentError, match="an address of this machine or its cloud"):
        Webhook("https://hooks.example.com/0123token", SECRET, guarded=True).send(MESSAGE)


def test_on_aws_nothing_goes_without_encryption(server: Server) -> None:
    with pytest.raises(NotSentError, match="by HTTPS only"):
        Webhook(server.url(), SECRET, guarded=True).send(MESSAGE)
    assert server.paths == []


def test_a_name_is_resolved_once_and_what_was_found_is_connected_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.create_connection
    asked = resolved_to(monkeypatch, "127.0.0.1")
    connected: list[Any] = []

    def connecting(address: Any, *, timeout: float) -> socket.socket:
        connected.append(address)
        monkeypatch.undo()
        return connect(address, timeout=timeout)

    monkeypatch.setattr(socket, "create_connection", connecting)
    Webhook(server.url("hooks.example.com"), SECRET, guarded=False).send(MESSAGE)
    assert (asked, connected) == (["hooks.example.com"], [("127.0.0.1", server.port)])
    assert server.got[0]["host"] == f"hooks.example.com:{server.port}"


# Chats


def slack_at(server: Server, monkeypatch: pytest.MonkeyPatch) -> Chat:
    """Slack, as if it were at the loopback."""
    server.signed = False
    monkeypatch.setattr("apprise.plugins.slack.NotifySlack.webhook_url", f"http://127.0.0.1:{server.port}/services")
    return Chat("slack://T1JJ3T3L2/A1BRTD4JD/0123token000000000000000/#alerts")


def test_a_chat_gets_the_message(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [200]
    slack_at(server, monkeypatch).send(MESSAGE)
    [got] = server.got
    assert got["channel"] == "#alerts"
    assert MESSAGE.subject in json.dumps(got)
    assert MESSAGE.text in json.dumps(got, ensure_ascii=False)


@pytest.mark.parametrize("status", [302, 403, 500])
def test_a_chat_that_refuses_or_redirects_did_not_take_the_message_and_its_url_is_not_said(
    server: Server, monkeypatch: pytest.MonkeyPatch, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [status] * 5
    with caplog.at_level(logging.DEBUG, "apprise"), pytest.raises(NotSentError, match="slack did not take the message") as refused:
        slack_at(server, monkeypatch).send(MESSAGE)
    assert all("elsewhere" not in path for path in server.paths)
    assert "0123token" not in "".join(traceback.format_exception(refused.value)) + caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/0123token",
        "gotify://169.254.169.254/0123token",
        "workflows://evil.example.com/0123token/0123token",
        "slack://0123token",
        "0123token",
    ],
)
def test_a_url_of_another_service_or_without_what_it_needs_is_refused_and_not_said(url: str) -> None:
    with pytest.raises(InputError) as refused:
        Chat(url)
    assert "0123token" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "dingtalk://" + "a" * 64,
        "wecombot://aaaaaaaaaa",
        "lark://abc-def-123456",
        "feishu://abc",
        "pagerduty://A1BRTD4JD@TIiajkdnlazkcOXrIdevi7F/source/component",
        "workflows://prod-1.westus.logic.azure.com/643e69f83c8944/b8ff6c1a",
    ],
)
def test_the_services_that_the_documents_name_are_taken(url: str) -> None:
    Chat(url)


# The secret


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    targets._client.cache_clear()
    with mock_aws():
        yield boto3.client("secretsmanager")
    targets._client.cache_clear()


def test_a_secret_names_webhooks_and_chats(secrets: Any) -> None:
    entry = {"url": "https://hooks.example.com/0123token", "secret": SECRET}
    chats = {"chat": {"apprise": "feishu://abc"}, "wrong": {"apprise": "json://localhost/0123token"}}
    secrets.create_secret(Name="hooks", SecretString=json.dumps({"pager": entry, **chats}))
    found = targets_in("hooks", guarded=True)
    assert found.keys() == {"pager", "chat", "wrong"}
    with pytest.raises(NotSentError, match="json:// is none of dingtalk, discord"):
        found["wrong"].send(MESSAGE)


@pytest.mark.parametrize(
    "text",
    [
        "0123token",
        '["0123token"]',
        '{"pager": {"url": "https://hooks.example.com/0123token"}}',
        '{"pager": {"url": "https://hooks.example.com/0123token", "secret": "whsec_0123token!"}}',
        '{"pager": {"url": "https://hooks.example.com", "secret": "whsec_", "0123token": 1}}',
    ],
)
def test_a_secret_that_cannot_be_read_holds_up_nothing_and_nothing_of_it_is_said(secrets: Any, text: str, caplog: Any) -> None:
    secrets.create_secret(Name="hooks", SecretString=text)
    [(name, target)] = targets_in("hooks", guarded=True).items()
    with caplog.at_level(logging.DEBUG), pytest.raises(NotSentError, match="the secret hooks is not of the form") as refused:
        target.send(MESSAGE)
    assert name == "secret"
    assert "0123token" not in "".join(traceback.format_exception(refused.value))
    assert "0123token" not in caplog.text


def test_a_secret_that_is_not_there_says_so(secrets: Any) -> None:
    [target] = targets_in("absent", guarded=True).values()
    with pytest.raises(NotSentError, match="the secret absent cannot be read: ResourceNotFoundException"):
        target.send(MESSAGE)


@pytest.mark.parametrize("answer", [500, 302])
def test_what_a_server_answers_is_said_without_its_url(server: Server, answer: int) -> None:
    server.answers = [answer]
    with pytest.raises(NotSentError) as refused:
        Webhook(server.url(), SECRET, guarded=False).send(MESSAGE)
    text = "".join(traceback.format_exception(refused.value))
    assert "0123token" not in text
    assert SECRET not in text
