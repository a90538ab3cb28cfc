"""Hurts the function in whose package a copy of this module lies, at its requests to S3: it dies, is refused, or loses an answer.

How often is in `odds.json` of the folder that `FOLDER` names; each fault is a line of `faults` there. A file whose name holds
`DEADLY` kills whoever reads it to score it, every time.
"""

import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from botocore.httpsession import URLLib3Session
from botocore.retries.standard import ExponentialBackoff

FOLDER = ""
"""Set in the copy."""
DEADLY = "kills-its-scorer"
SCORERS = ("scoring", "partitioning")
LONGEST_DELAY_S = 0.3
BACK_OFF = 0.1
"""The share of its usual pauses for which the client waits before it repeats a request."""

_drawn = random.Random()
_send = URLLib3Session.send
_pause_s = ExponentialBackoff.delay_amount


class _Body:
    """What botocore reads an answer from."""

    def stream(self) -> list[bytes]:
        return [b"<Error><Code>SlowDown</Code><Message>as asked</Message></Error>"]


def hurt(session: URLLib3Session, request: Any) -> Any:
    """Send a request, unless a fault is drawn for it."""
    if b"/s3/aws4_request" not in _bytes(request.headers.get("Authorization", b"")):
        return _send(session, request)
    if request.method == "GET" and DEADLY in request.url and os.environ["POWERTOOLS_SERVICE_NAME"] in SCORERS:
        _die("killed by its file")
    match _fault():
        case "killed before a request":
            _die("killed before a request")
        case "killed after a request":
            _send(session, request)
            _die("killed after a request")
        case "answer lost":
            _send(session, request)
            _note("answer lost")
            raise ConnectionClosedError(endpoint_url=request.url, request=request)
        case "connection refused":
            _note("connection refused")
            raise EndpointConnectionError(endpoint_url=request.url, error="as asked")
        case "request refused (503)":
            _note("request refused (503)")
            return AWSResponse(request.url, 503, HTTPHeaders(), _Body())
        case "request delayed":
            _note("request delayed")
            time.sleep(LONGEST_DELAY_S * _drawn.random())
    return _send(session, request)


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _fault() -> str | None:
    try:
        odds: dict[str, float] = json.loads(Path(FOLDER, "odds.json").read_bytes())
    except FileNotFoundError:
        return None
    draw = _drawn.random()
    for fault, share in odds.items():
        draw -= share
        if draw < 0:
            return fault
    return None


def _die(fault: str) -> None:
    _note(fault)
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()


def _note(fault: str) -> None:
    with Path(FOLDER, "faults").open("a") as faults:
        faults.write(f"{fault}\n")


if FOLDER:
    URLLib3Session.send = hurt  # type: ignore[assignment,method-assign]
    ExponentialBackoff.delay_amount = lambda backoff, context: BACK_OFF * _pause_s(backoff, context)  # type: ignore[method-assign]
