"""What is mended of ministack's S3, without ministack."""

import json
from collections.abc import Coroutine, Mapping, MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.mended_ministack import Cut, Receive, Send, _answer, confined, positions, versioned, with_ranged_versions

BODY = b"0123456789"


def finished(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that awaits nothing real."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def answer(query: str, wanted: str | None, *, method: str = "GET", status: int = 200) -> tuple[int, dict[str, str], bytes]:
    """What a client gets of an application that answers every request with the whole of BODY."""
    sent: list[MutableMapping[str, Any]] = []

    async def whole(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        headers = [(b"ETag", b'"e"'), (b"Content-Length", b"10"), (b"x-amz-checksum-crc32", b"AAAA"), (b"x-amz-version-id", b"v1")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": BODY[:4], "more_body": True})
        await send({"type": "http.response.body", "body": BODY[4:]})

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [] if wanted is None else [(b"range", wanted.encode())]
    scope = {"type": "http", "method": method, "query_string": query.encode(), "headers": headers}
    finished(with_ranged_versions(whole)(scope, receive, send))
    body = b"".join(message["body"] for message in sent[1:])
    return sent[0]["status"], {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}, body


def test_a_range_of_a_version_is_cut_out_and_named() -> None:
    status, headers, body = answer("versionId=v1", "bytes=2-4")
    assert (status, body) == (206, b"234")
    assert headers == {"etag": '"e"', "x-amz-version-id": "v1", "content-length": "3", "content-range": "bytes 2-4/10"}


def test_a_range_beyond_the_end_of_a_version_is_refused() -> None:
    status, headers, body = answer("versionId=v1", "bytes=10-12")
    assert (status, headers["content-range"]) == (416, "bytes */10")
    assert b"<Code>InvalidRange</Code>" in body


@pytest.mark.parametrize(
    ("query", "wanted", "method"),
    [("", "bytes=2-4", "GET"), ("versionId=v1", None, "GET"), ("versionId=v1", "bytes=2-4", "HEAD"), ("versionId=v1", "bytes=-", "GET")],
)
def test_any_other_request_passes_untouched(query: str, wanted: str | None, method: str) -> None:
    status, headers, body = answer(query, wanted, method=method)
    assert (status, headers["x-amz-checksum-crc32"], body) == (200, "AAAA", BODY)


def test_an_error_answer_to_a_ranged_request_passes_untouched() -> None:
    assert answer("versionId=none", "bytes=2-4", status=404)[::2] == (404, BODY)


@given(st.binary(max_size=12), st.none() | st.integers(0, 15), st.none() | st.integers(0, 15))
def test_positions_are_those_of_the_bytes_that_the_range_names(body: bytes, first: int | None, last: int | None) -> None:
    if first is None and last is None:
        return
    if first is None:
        named = [index for index in range(len(body)) if len(body) - index <= (last or 0)]
    else:
        named = [index for index in range(len(body)) if first <= index and (last is None or index <= last)]
    cut = positions(b"" if first is None else b"%d" % first, b"" if last is None else b"%d" % last, len(body))
    assert (list(range(*cut)) if cut else []) == named


def event(source: str) -> Mapping[str, Any]:
    return {"Source": source, "Detail": json.dumps({"object": {"key": "batches/m/a.csv"}}), "Region": "r"}


def test_an_event_of_s3_names_the_version_of_its_object() -> None:
    named = versioned(event("aws.s3"), "v1")
    assert json.loads(named["Detail"]) == {"object": {"key": "batches/m/a.csv", "version-id": "v1"}}
    assert named["Region"] == "r"


@pytest.mark.parametrize(("source", "version"), [("everscore", "v1"), ("aws.s3", None)])
def test_an_event_of_another_source_or_of_an_unversioned_object_stays_as_it_is(source: str, version: str | None) -> None:
    assert versioned(event(source), version) == event(source)


def test_a_container_gets_its_functions_memory_its_share_of_the_processors_and_nothing_to_write_to_but_tmp() -> None:
    given = {"environment": {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3538"}, "labels": {"ministack": "lambda"}, "detach": True}
    options = confined(given, "/state/everscore", 4)
    assert (options["mem_limit"], options["memswap_limit"], options["nano_cpus"]) == ("3538m", "3538m", 2_000_000_000)
    assert (options["user"], options["read_only"], list(options["tmpfs"])) == ("993:990", True, ["/tmp"])
    assert options["labels"] == {"ministack": "lambda", "everscore.stack": "/state/everscore"}
    assert options["detach"] is True


def test_a_container_gets_no_more_processors_than_there_are() -> None:
    options = confined({"environment": {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "10240"}}, "/state", 2)
    assert options["nano_cpus"] == 2_000_000_000


@given(st.binary(max_size=12), st.integers(0, 15), st.integers(0, 15))
def test_a_part_cut_out_early_is_answered_as_one_that_is_cut_out_late(body: bytes, first: int, last: int) -> None:
    wanted = b"%d" % first, b"%d" % last
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    early = Cut(wanted)
    assert _answer(start, early.of(body), early) == _answer(start, body, Cut(wanted))
