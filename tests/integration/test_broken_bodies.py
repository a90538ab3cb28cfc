"""S3 reads against a server that breaks bodies off, as a network does."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config

from functions.shared.adapters.bodies import BROKEN
from functions.shared.adapters.s3 import S3ObjectStore
from infra.places import ROOT

BODY = bytes(range(256)) * 12_000
MEBIBYTE = 2**20
PLACES = [0, 1, 255, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 2 * MEBIBYTE, len(BODY) - 1]
"""Bytes that come before a body ends: none, the first, those around the chunks that it is read by, all but the last."""


@dataclass
class Breaking:
    """How many bytes of each next answer are sent, and what was asked for."""

    limits: list[int] = field(default_factory=list)
    reset: bool = False
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)


@contextmanager
def breaking_server(breaking: Breaking) -> Iterator[S3ObjectStore]:
    class Server(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.describe(200, BODY)

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            breaking.asked.append((self.path, wanted, self.headers.get("If-Match")))
            first, _, last = (wanted or "bytes=0-").removeprefix("bytes=").partition("-")
            body = BODY[int(first) : int(last) + 1 if last else None]
            self.describe(206 if wanted else 200, body)
            limit = breaking.limits.pop(0) if breaking.limits else len(body)
            self.wfile.write(body[:limit])
            if limit < len(body):
                if breaking.reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True

        def describe(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", '"e"')
            self.send_header("x-amz-version-id", "v")
            self.send_header("Last-Modified", "Mon, 01 Apr 2013 00:00:00 GMT")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{server.server_port}",
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )
        yield S3ObjectStore(client, "b")
        server.shutdown()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_a_range_that_breaks_off_is_read_on_from_there(place: int, *, reset: bool) -> None:
    breaking = Breaking([place, 100, MEBIBYTE + 7], reset=reset)
    with breaking_server(breaking) as store:
        source = store.open("k")
        assert source.read_at(1000, len(BODY) - 2000) == BODY[1000:-1000]
        assert source.read_at(0, 10) == BODY[:10]
    assert {path for path, *_ in breaking.asked} == {"/b/k?versionId=v"}, "and always of the same version"


@pytest.mark.parametrize("place", PLACES)
def test_an_object_that_breaks_off_is_read_on_in_the_same_version(place: int) -> None:
    breaking = Breaking([place, 100])
    with breaking_server(breaking) as store:
        assert store.read_tagged("k") == (BODY, "e")
    assert breaking.asked[0] == ("/b/k", None, None)
    assert {(path, etag) for path, _, etag in breaking.asked[1:]} == {("/b/k?versionId=v", '"e"')}


def test_a_body_that_never_gets_on_is_given_up_and_one_that_does_is_not() -> None:
    breaking = Breaking([0] * 5)
    with breaking_server(breaking) as store, pytest.raises(BROKEN) as raised:
        store.read("k")
    assert raised.type.__name__ in (ROOT / "infra/state_machines/partitioned_scoring.asl.yaml").read_text(), "which tries once more"
    with breaking_server(Breaking([0, 0, 0, MEBIBYTE, 0, 0, 0])) as store:
        assert store.read("k") == BODY
