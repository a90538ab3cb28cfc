"""Send samples to Prometheus by remote write 1.0; signed for Amazon's service.

Source: the Prometheus documentation's "Remote-Write 1.0 specification" and its `prompb/types.proto`.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import boto3
import pyarrow as pa
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.text_format import Parse
from prometheus_client import Metric as Family

from functions.shared.adapters.user_secret import UserSecret
from functions.shared.domain.errors import RemoteWriteError

TIMEOUT_S = 10
_AMAZON = re.compile(r"aps-workspaces(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)")
_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": "everscore",
}

_PROTOCOL = """
name: "everscore/remote_write.proto" package: "prometheus" syntax: "proto3"
message_type { name: "Label"
  field { number: 1 name: "name" type: TYPE_STRING label: LABEL_OPTIONAL }
  field { number: 2 name: "value" type: TYPE_STRING label: LABEL_OPTIONAL } }
message_type { name: "Sample"
  field { number: 1 name: "value" type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { number: 2 name: "timestamp" type: TYPE_INT64 label: LABEL_OPTIONAL } }
message_type { name: "TimeSeries"
  field { number: 1 name: "labels" type: TYPE_MESSAGE type_name: ".prometheus.Label" label: LABEL_REPEATED }
  field { number: 2 name: "samples" type: TYPE_MESSAGE type_name: ".prometheus.Sample" label: LABEL_REPEATED } }
message_type { name: "WriteRequest"
  field { number: 1 name: "timeseries" type: TYPE_MESSAGE type_name: ".prometheus.TimeSeries" label: LABEL_REPEATED } }
"""
"""The protocol's messages, with the fields that are used here."""


class RemoteWrite:
    """One server, by the URL to which samples are sent.

    A user and password, of a secret or else in the URL, are sent as HTTP's basic authentication. A workspace of Amazon Managed Service for
    Prometheus gets requests signed with the process's AWS credentials (Signature Version 4).
    """

    def __init__(self, url: str, secret: UserSecret | None = None) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit(parts._replace(netloc=host))
        self._secret = secret
        self._in_url = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        self._amazon = _AMAZON.fullmatch(host)

    def send(self, families: Iterable[Family], at: datetime) -> None:
        """Send each family's samples with this time.

        Raises:
            RemoteWriteError: if the server refuses them or cannot be reached, or the secret cannot be read.
        """
        body = pa.compress(_write_request(families, at), codec="snappy", asbytes=True)
        request = AWSRequest("POST", self._url, headers=_HEADERS | self._authorization(), data=body)
        if self._amazon:
            SigV4Auth(_credentials(), "aps", self._amazon[1]).add_auth(request)
        session = URLLib3Session(timeout=TIMEOUT_S, proxies=get_environ_proxies(self._url))
        try:
            response = session.send(request.prepare())
        except BotoCoreError as error:
            message = f"{self._url} cannot be reached: {error}"
            raise RemoteWriteError(message) from error
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            message = f"{self._url} answered {response.status_code}: {response.text.strip()[:500]}"
            raise RemoteWriteError(message)

    def _authorization(self) -> dict[str, str]:
        shown = self._secret.user_and_password() if self._secret else self._in_url
        return {} if shown is None else {"Authorization": f"Basic {b64encode(':'.join(shown).encode()).decode()}"}


def _credentials() -> Credentials:
    found = boto3.Session().get_credentials()
    if found is None:
        message = "there are no AWS credentials to sign a remote write with"
        raise RemoteWriteError(message)
    return found


def _write_request(families: Iterable[Family], at: datetime) -> bytes:
    """Serialize a `WriteRequest`; labels are sorted, as the protocol requires."""
    request, milliseconds = _message("WriteRequest")(), round(at.timestamp() * 1000)
    for sample in (sample for family in families for sample in family.samples):
        series = request.timeseries.add()
        for name, value in sorted({"__name__": sample.name, **sample.labels}.items()):
            series.labels.add(name=name, value=value)
        series.samples.add(value=sample.value, timestamp=milliseconds)
    serialized: bytes = request.SerializeToString()
    return serialized


@cache
def _message(name: str) -> Any:
    """Return the class of one of the protocol's messages."""
    pool = DescriptorPool()
    pool.Add(Parse(_PROTOCOL, FileDescriptorProto()))
    return GetMessageClass(pool.FindMessageTypeByName(f"prometheus.{name}"))
