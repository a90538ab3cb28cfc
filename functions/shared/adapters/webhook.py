"""Send messages to a web server, signed by the Standard Webhooks specification.

Redirects are not followed.

Source: Standard Webhooks, "Specification", version 1. Its Python package brings an HTTP client and more for a signature of three lines.
"""

import hmac
import json
import socket
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

from functions.shared.domain.errors import NotSentError
from functions.shared.domain.message import DECISION, RELEASE, Message

TIMEOUT_S = 10.0
SECRET_PREFIX = "whsec_"  # noqa: S105 - what each secret begins with
_INSTANCE_METADATA = ip_address("fd00:ec2::254")

type Address = IPv4Address | IPv6Address


def signature(secret: str, identity: str, timestamp: int, body: bytes) -> str:
    """Sign a message by a secret of the form `whsec_` and base64."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    signed = hmac.digest(key, f"{identity}.{timestamp}.".encode() + body, sha256)
    return f"v1,{b64encode(signed).decode()}"


def is_inside(address: Address) -> bool:
    """Return whether an address is the function's machine or its cloud's metadata.

    That metadata includes the function's credentials.

    >>> [is_inside(ip_address(text)) for text in ("127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "fd00:ec2::254", "0.0.0.0")]
    [True, True, True, True, True]
    >>> [is_inside(ip_address(text)) for text in ("93.184.215.14", "10.0.0.7", "2606:2800:21f:cb07::1")]
    [False, False, False]
    """
    plain = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
    return plain.is_loopback or plain.is_link_local or plain.is_unspecified or plain.is_multicast or plain == _INSTANCE_METADATA


class Webhook:
    """`Target` that is a URL.

    Where it is `guarded`, as on AWS, only HTTPS is spoken, and with no address that `is_inside`: the name is resolved once, and what
    was checked is connected to. Errors name the host alone, since the rest of a URL may be secret.
    """

    def __init__(self, url: str, secret: str, *, guarded: bool, now: Callable[[], float] = time.time, timeout_s: float = TIMEOUT_S) -> None:
        self._url: SplitResult = urlsplit(url)
        self._secret, self._guarded, self._now, self._timeout_s = secret, guarded, now, timeout_s

    def send(self, message: Message) -> None:
        """Post a message.

        Raises:
            NotSentError: if the server cannot be reached in time, may not be, or does not answer that it took the message.
        """
        host = self._url.hostname or ""
        body = json.dumps(payload(message), ensure_ascii=False).encode()
        identity, timestamp = f"{message.model}.{message.id}", int(self._now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "everscore",
            "webhook-id": identity,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secret, identity, timestamp, body),
        }
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            connection = self._connection(host)
            try:
                connection.request("POST", path, body, headers)
                status = connection.getresponse().status
            finally:
                connection.close()
        except (OSError, HTTPException) as error:
            unreached = f"{host} cannot be reached: {type(error).__name__}"
            raise NotSentError(unreached) from None
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            refused = f"{host} answered {status}"
            raise NotSentError(refused)

    def _connection(self, host: str) -> HTTPConnection:
        """Connect to a host by an address that may be spoken to."""
        secure = self._url.scheme == "https"
        if self._guarded and not secure:
            message = f"{host} is spoken to by HTTPS only"
            raise NotSentError(message)
        port = self._url.port or (443 if secure else 80)
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if self._guarded and (inside := [address for address in found if is_inside(ip_address(address.partition("%")[0]))]):
            message = f"{host} is {inside[0]}, an address of this machine or its cloud, where no message goes"
            raise NotSentError(message)
        connection = HTTPSConnection(host, port) if secure else HTTPConnection(host, port)
        plain = socket.create_connection((found[0], port), timeout=self._timeout_s)
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
        return connection


def payload(message: Message) -> dict[str, object]:
    """Return the request body: the specification's type and time, and the message."""
    data = {"model": message.model, "kind": message.kind, "subject": message.subject, "text": message.text}
    kind = message.kind if message.kind in {DECISION, RELEASE} else f"alert.{message.kind}"
    return {"type": kind, "timestamp": message.since.isoformat(), "data": data}
