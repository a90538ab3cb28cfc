"""Objects in S3: versioned and ranged reads, conditional writes, large uploads."""

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import batched
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import ClientError

from functions.shared.adapters.bodies import read_whole
from functions.shared.domain.errors import ConflictError, NotDeletedError, NotForgottenError, NotFoundError
from functions.shared.domain.manifest import StoredFile
from functions.shared.ports import ObjectInfo, StoredVersion

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef, ObjectIdentifierTypeDef

PART_BYTES = 8 * 1024 * 1024
"""Size of a multipart part: 10,000 parts make 80 GB, far more than one Lambda writes."""

_ABSENT = {"NoSuchKey", "NoSuchVersion", "404", "NotFound"}
_CONFLICT_ATTEMPTS = 5


def s3_client() -> "S3Client":
    """Return a client that retries throttling and lost connections.

    It keeps enough connections for concurrent parts.
    """
    from botocore.config import Config

    from functions.shared.adapters.clients import client

    config = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60, max_pool_connections=16)
    made: S3Client = client("s3", config=config)
    return made


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class S3ObjectStore:
    """`ObjectStore` over one S3 bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return self._bucket

    def _named(self, key: str, version_id: str | None) -> dict[str, Any]:
        named = {"Bucket": self._bucket, "Key": key}
        return named if version_id is None else {**named, "VersionId": version_id}

    def info(self, key: str, version_id: str | None = None) -> ObjectInfo:
        """Describe an object, or raise NotFoundError."""
        try:
            head = self._client.head_object(**self._named(key, version_id))
        except ClientError as error:
            raise self._translated(error, key) from error
        return ObjectInfo(
            key=key,
            bytes=head["ContentLength"],
            etag=head["ETag"].strip('"'),
            version_id=head.get("VersionId", "null"),
            last_modified=head["LastModified"],
        )

    def read(self, key: str, version_id: str | None = None) -> bytes:
        """Return all bytes of a small object, or raise NotFoundError."""
        return self._read(key, version_id)[0]

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        """Return the newest version's bytes and ETag together, or raise NotFoundError."""
        return self._read(key, None)

    def _read(self, key: str, version_id: str | None) -> tuple[bytes, str]:
        """Return an object's bytes, all of one version, and its ETag."""
        named = self._named(key, version_id)

        def opened(offset: int) -> "StreamingBody":
            answer = self._client.get_object(**named | ({"Range": f"bytes={offset}-"} if offset else {}))
            named.update({"IfMatch": answer["ETag"], "VersionId": answer.get("VersionId", "null")})
            return answer["Body"]

        try:
            return read_whole(opened), named["IfMatch"].strip('"')
        except ClientError as error:
            raise self._translated(error, key) from error

    def open(self, key: str, version_id: str | None = None) -> "S3Source":
        """Open an object for random access, or raise NotFoundError.

        All reads are of the version that was current when it was opened.
        """
        info = self.info(key, version_id)
        return S3Source(self._client, self._named(key, info.version_id), info.bytes)

    def write(self, key: str, body: bytes) -> ObjectInfo:
        """Write an object, and replace any earlier version."""
        answer = self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
        return self.info(key, answer.get("VersionId"))

    def create(self, key: str, body: bytes) -> bool:
        """Write an object unless one exists; return whether it was written.

        After a retried request, the existing object may be our own. S3 answers 409 while another conditional write of the key is in
        progress; the write is then tried again.
        """
        return self._conditional(key, lambda named: self._client.put_object(**named, Body=body, IfNoneMatch="*"))

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        """Write an object if its newest version has this ETag, or raise ConflictError."""
        if not self._conditional(key, lambda named: self._client.put_object(**named, Body=body, IfMatch=etag)):
            message = f"s3://{self._bucket}/{key} was changed by another writer"
            raise ConflictError(message)

    def _conditional(self, key: str, ask: Callable[[dict[str, Any]], object]) -> bool:
        """Ask for a conditional write or deletion; return whether it was done."""
        for _ in range(_CONFLICT_ATTEMPTS):
            try:
                ask(self._named(key, None))
            except ClientError as error:
                if _code(error) == "PreconditionFailed" or _code(error) in _ABSENT:
                    return False
                if _code(error) != "ConditionalRequestConflict":
                    raise
            else:
                return True
        message = f"s3://{self._bucket}/{key}: {_CONFLICT_ATTEMPTS} conditional requests met another one"
        raise ConflictError(message)

    def upload(self, key: str) -> "S3Upload":
        """Start the upload of a large file."""
        return S3Upload(self._client, self._bucket, key)

    def list(self, prefix: str, *, after: str = "", most: int | None = None) -> Iterator[ObjectInfo]:
        """List the newest versions below a prefix by key; version ids are unknown (`""`)."""
        start: Any = {"StartAfter": after} if after else {}
        limits: Any = {} if most is None else {"MaxItems": most, "PageSize": min(most, 1000)}
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, PaginationConfig=limits, **start):
            for found in page.get("Contents", []):
                yield ObjectInfo(found["Key"], found["Size"], found["ETag"].strip('"'), "", found["LastModified"])

    def folders(self, prefix: str) -> Iterator[str]:
        """List the folders one level below a prefix that ends in a slash."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            for found in page.get("CommonPrefixes", []):
                yield found["Prefix"].removeprefix(prefix).rstrip("/")

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; absent ones are no error.

        Raises:
            NotDeletedError: if S3 keeps one of them.
        """
        for some in batched(keys, 1000, strict=False):
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True})
            for kept in answer.get("Errors", []):
                message = f"s3://{self._bucket}/{kept.get('Key')} cannot be deleted: {kept.get('Message')}"
                raise NotDeletedError(message)

    def delete_unchanged(self, key: str, *, etag: str) -> bool:
        """Delete an object if its newest version has this ETag; return whether it did."""
        return self._conditional(key, lambda named: self._client.delete_object(**named, IfMatch=etag))

    def versions(self, prefix: str) -> Iterator[StoredVersion]:
        """List all versions of all objects below a prefix by key, without delete markers."""
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix):
            for found in page.get("Versions", []):
                info = ObjectInfo(found["Key"], found["Size"], found["ETag"].strip('"'), found["VersionId"], found["LastModified"])
                yield StoredVersion(info, newest=found["IsLatest"])

    def forget(self, versions: Iterable[ObjectInfo]) -> None:
        """Delete versions permanently; absent ones are no error.

        Raises:
            NotForgottenError: if S3 refuses one of them.
        """
        for some in batched(versions, 1000, strict=False):
            named: list[ObjectIdentifierTypeDef] = [{"Key": info.key, "VersionId": info.version_id} for info in some]
            answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": named, "Quiet": True})
            for refused in answer.get("Errors", []):
                message = f"s3://{self._bucket}/{refused.get('Key')} cannot be removed for good: {refused.get('Message')}"
                raise NotForgottenError(message)

    def _translated(self, error: ClientError, key: str) -> Exception:
        if _code(error) in _ABSENT:
            return NotFoundError(f"s3://{self._bucket}/{key} does not exist")
        return error


class S3Source:
    """`Readable` over one version of an object: a read is a ranged GET, with retries."""

    def __init__(self, client: "S3Client", named: dict[str, Any], size: int) -> None:
        self._client = client
        self._named = named
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        return read_whole(lambda done: self._client.get_object(**self._named, Range=f"bytes={offset + done}-{end - 1}")["Body"])


class S3Upload:
    """`Upload` of one object: one PUT if small, else parts sent by a thread.

    The checksum of each part and the size of all are declared, so S3 refuses an object that was not put together as it was written.
    """

    def __init__(self, client: "S3Client", bucket: str, key: str) -> None:
        self._client = client
        self._named: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._upload_id: str | None = None
        self._sender = ThreadPoolExecutor(max_workers=1)
        self._parts: list[Future[CompletedPartTypeDef]] = []
        self._finished = False

    def write(self, data: bytes) -> int:
        """Append bytes; wait while a part is sent, so memory holds at most two parts."""
        self._digest.update(data)
        self._bytes += len(data)
        self._buffer += data
        if len(self._buffer) >= PART_BYTES:
            self._send_part()
        return len(data)

    def _send_part(self) -> None:
        if self._upload_id is None:
            self._upload_id = self._client.create_multipart_upload(**self._named, ChecksumAlgorithm="CRC32")["UploadId"]
        if self._parts:
            self._parts[-1].result()
        body, self._buffer = bytes(self._buffer), bytearray()
        self._parts.append(self._sender.submit(self._put_part, len(self._parts) + 1, body))

    def _put_part(self, number: int, body: bytes) -> "CompletedPartTypeDef":
        assert self._upload_id is not None
        crc32 = _crc32_text(zlib.crc32(body))
        sent = self._client.upload_part(**self._named, UploadId=self._upload_id, PartNumber=number, Body=body, ChecksumCRC32=crc32)
        return {"PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32": crc32}

    def finish(self, *, rows: int) -> StoredFile:
        """Make the file visible and describe it."""
        if self._upload_id is None:
            self._client.put_object(**self._named, Body=bytes(self._buffer))
        else:
            if self._buffer:
                self._send_part()
            parts = [part.result() for part in self._parts]
            self._client.complete_multipart_upload(
                **self._named,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": parts},
                MpuObjectSize=self._bytes,
            )
        self._finished = True
        return StoredFile(key=self._named["Key"], rows=rows, bytes=self._bytes, sha256=self._digest.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Discard the upload, unless `finish` was reached."""
        self._sender.shutdown(wait=True)
        if not self._finished and self._upload_id is not None:
            self._client.abort_multipart_upload(**self._named, UploadId=self._upload_id)


def _crc32_text(checksum: int) -> str:
    """Return a CRC-32 as S3's requests hold it.

    >>> _crc32_text(zlib.crc32(b"123456789"))
    'y/Q5Jg=='
    """
    return b64encode(checksum.to_bytes(4, "big")).decode()
