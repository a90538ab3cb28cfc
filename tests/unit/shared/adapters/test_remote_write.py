"""A request of Prometheus' remote-write protocol, and how it is signed."""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import EndpointConnectionError
from prometheus_client.core import GaugeMetricFamily

from functions.shared.adapters import remote_write
from functions.shared.adapters.remote_write import RemoteWrite
from functions.shared.domain.errors import RemoteWriteError

WORKSPACE = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
AT = datetime(2024, 6, 1, 12, tzinfo=UTC)


@dataclass
class Answer:
    status_code: int = 204
    text: str = ""


@dataclass
class Wire:
    """What would go over the wire."""

    answer: Answer = field(default_factory=Answer)
    requests: list[AWSPreparedRequest] = field(default_factory=list)

    def session(self, **_: Any) -> "Wire":
        return self

    def send(self, request: AWSPreparedRequest) -> Answer:
        self.requests.append(request)
        return self.answer


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    wire = Wire()
    monkeypatch.setattr(remote_write, "URLLib3Session", wire.session)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    return wire


def gauge() -> GaugeMetricFamily:
    family = GaugeMetricFamily("up", "help", labels=["zone", "Area"])
    family.add_metric(["a", "b"], 1.5)
    return family


def uncompressed(body: bytes) -> bytes:
    """Snappy's block format begins with the length of what it holds, a varint."""
    length = shift = 0
    for byte in body:
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return bytes(pa.decompress(body, length, codec="snappy", asbytes=True))


def test_a_request_is_the_protocols_message_with_labels_in_order(wire: Wire) -> None:
    RemoteWrite("http://prometheus:9090/api/v1/write").send([gauge()], AT)
    [request] = wire.requests
    assert (request.method, request.url) == ("POST", "http://prometheus:9090/api/v1/write")
    assert request.headers["Content-Encoding"] == "snappy"
    assert request.headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert "Authorization" not in request.headers
    # By hand: field number and wire type in one byte, length, content; a double's eight bytes, a varint's seven bits a byte.
    labels = b"".join(
        b"\x0a" + bytes([len(name) + len(value) + 4]) + b"\x0a" + bytes([len(name)]) + name + b"\x12" + bytes([len(value)]) + value
        for name, value in ((b"Area", b"b"), (b"__name__", b"up"), (b"zone", b"a"))
    )
    sample = b"\x09" + bytes.fromhex("000000000000f83f") + b"\x10" + varint(1717243200000)
    series = labels + b"\x12" + bytes([len(sample)]) + sample
    assert uncompressed(request.body) == b"\x0a" + bytes([len(series)]) + series


def varint(number: int) -> bytes:
    if number < 128:
        return bytes([number])
    return bytes([number & 127 | 128]) + varint(number >> 7)


def test_a_user_and_a_password_are_sent_as_such_and_never_named(wire: Wire) -> None:
    wire.answer = Answer(401, "no\n")
    with pytest.raises(RemoteWriteError) as refused:
        RemoteWrite("https://me:p%40ss@host/push").send([gauge()], AT)
    [request] = wire.requests
    assert request.headers["Authorization"] == f"Basic {b64encode(b'me:p@ss').decode()}"
    assert str(refused.value) == "https://host/push answered 401: no"


def test_a_server_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, wire: Wire) -> None:
    def fail(_: AWSPreparedRequest) -> Answer:
        raise EndpointConnectionError(endpoint_url="http://host")

    monkeypatch.setattr(wire, "send", fail)
    with pytest.raises(RemoteWriteError, match="http://host/push cannot be reached"):
        RemoteWrite("http://host/push").send([gauge()], AT)


def test_amazons_workspace_gets_a_request_that_is_signed_as_its_documents_say(wire: Wire) -> None:
    RemoteWrite(WORKSPACE).send([gauge()], AT)
    [request] = wire.requests
    algorithm, credential, signed, signature = request.headers["Authorization"].replace(",", "").split()
    names = signed.removeprefix("SignedHeaders=").split(";")
    stamp = request.headers["X-Amz-Date"]
    scope = f"{stamp[:8]}/eu-west-1/aps/aws4_request"
    assert (algorithm, credential) == ("AWS4-HMAC-SHA256", f"Credential=AKID/{scope}")
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(names)
    values = {name.lower(): value for name, value in request.headers.items()} | {"host": "aps-workspaces.eu-west-1.amazonaws.com"}
    canonical = "\n".join(
        [
            *("POST", "/workspaces/ws-1/api/v1/remote_write", ""),
            *(f"{name}:{values[name]}" for name in names),
            *("", ";".join(names), hashlib.sha256(request.body).hexdigest()),
        ]
    )
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4secret"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert signature == f"Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"


def test_a_host_that_only_looks_like_amazons_gets_no_signature(wire: Wire) -> None:
    RemoteWrite(WORKSPACE.replace("amazonaws.com", "amazonaws.com.example.org")).send([gauge()], AT)
    assert "Authorization" not in wire.requests[0].headers


def test_without_credentials_nothing_is_sent_to_amazon(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_write.boto3.Session, "get_credentials", lambda _: None)
    with pytest.raises(RemoteWriteError, match="no AWS credentials"):
        RemoteWrite(WORKSPACE).send([gauge()], AT)
    assert wire.requests == []
