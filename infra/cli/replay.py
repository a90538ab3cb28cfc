"""Quarantined rows as a file to mend, and that file's way back, once.

The file has the form in which the rows came.

What looks like a spreadsheet's formula is not escaped: the rows come back as they are, and must not hold more than they did.
"""

import codecs
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from functions.shared.batches.quarantined import raw_bytes
from functions.shared.domain import layout
from functions.shared.domain.errors import InputError, NotFoundError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.rejections import FileCode
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.reading.encodings import is_utf8
from functions.shared.reading.file_formats import TAKEN
from functions.shared.reading.formats import detect_format
from functions.shared.reading.header import header_of
from functions.shared.reading.readable import LocalFile
from functions.shared.reading.text import GZIP_MAGIC, Notes, utf8_chunks
from functions.shared.repositories.manifests import file_of

_TEXTS = {".csv", ".jsonl"}


def quarantined_file(manifest: Manifest, *, inbox: ObjectStore, store: ObjectStore) -> tuple[str, bytes]:
    """Return the rows that a batch set aside, in UTF-8, as its file had them.

    That is delimited text with the header, or JSON lines. It begins with the mark of UTF-8, so that nobody takes it for text in the
    encoding of the model's files.

    Returns:
        The file's ending, and its bytes.

    Raises:
        InputError: if the batch set no row aside, or those have expired; or its file is gone and its header was not kept.
    """
    if not manifest.quarantine:
        message = f"batch {manifest.batch_id[:8]} has no quarantined row"
        raise InputError(message, remedy=f"`everscore status {manifest.model}` shows which batches have", code="no_rows")
    bodies = [file_of(manifest, file.key, store) for file in manifest.quarantine]
    texts = [raw_bytes(json.loads(line)) for body in bodies for line in _unexpired(body, manifest).splitlines()]
    header = _header(manifest, inbox)
    lines = [header.encode(), *texts] if header else texts
    return ".csv" if header else ".jsonl", codecs.BOM_UTF8 + b"".join(line + b"\n" for line in lines)


def _header(manifest: Manifest, inbox: ObjectStore) -> str:
    """Return the header of a batch's file; earlier Everscores did not keep it."""
    if manifest.header is not None:
        return manifest.header
    source = manifest.source
    try:
        return header_of(inbox.open(source.key, source.version_id), source.key, manifest.encoding)
    except NotFoundError as error:
        message = f"the file of batch {manifest.batch_id[:8]} is gone, and with it the names of its columns"
        remedy = f"read the rows in the store at {manifest.quarantine[0].key}, write them to a file with a header, and score that file"
        raise InputError(message, remedy=remedy, code=FileCode.UPLOAD_GONE) from error


def refuse_other_format(out: Path, ending: str) -> None:
    """Check that the name of a file to mend is not that of another format.

    Under such a name its way back would fail.
    """
    own = ending.removeprefix(".")
    others = {other for form in TAKEN if own not in form.endings for other in form.endings}
    if (named := out.suffix.lower()).removeprefix(".") in others:
        message = f"{out} cannot hold the rows to mend, which are written as {ending} and not as {named}"
        raise InputError(message, remedy=f"name it {out.with_suffix(ending)}", code="unknown_ending")


def _unexpired(body: bytes | None, manifest: Manifest) -> bytes:
    if body is None:
        message = f"the quarantined rows of batch {manifest.batch_id[:8]} have expired: the stack keeps them for QuarantineDays"
        remedy = (
            f"`everscore rescore {manifest.model} {manifest.batch_id[:8]}` sets them aside again, if the upload is kept; replay that batch"
        )
        raise InputError(message, remedy=remedy, code="rows_expired")
    return body


def replayed(
    batch: Manifest,
    file: Path,
    *,
    inbox: ObjectStore,
    manifest_of: Callable[[ObjectInfo], Manifest],
    encoding: str | None = None,
    again: bool = False,
) -> tuple[Manifest, bool]:
    """Score the mended rows of a batch once, however often they are sent.

    Several people may send them at a time.

    They are uploaded under the digest of their rows, where nobody can upload a second time: the same rows in another order, with
    other line ends or in another encoding are the same replay. What failed is sent under the next name. Text is sent in UTF-8 with its
    mark.

    Args:
        encoding: that of the model's files, in which an editor may have saved rows of a batch in UTF-8.
        manifest_of: waits for what becomes of an upload.
        again: score them once more, although they were scored.

    Returns:
        What became of them, and whether they had been sent before.

    Raises:
        BatchRejectedError: if the file is in no format that can be read, or in an encoding that is in doubt.
    """
    body, ending = file.read_bytes(), _ending(file)
    is_text = ending in _TEXTS
    text = _in_utf8(body, _own_encoding(batch) or encoding, detect=ending == ".csv") if is_text else body
    sent = codecs.BOM_UTF8 + text if is_text else body
    if text != body and not again:
        known = _scored(_keys(batch, body, ending), inbox, manifest_of)
        if known:
            return known, True
    keys = _keys(batch, text, ending)
    while True:
        key = next(keys)
        is_new = inbox.create(key, sent)
        if is_new or not again:
            manifest = manifest_of(inbox.info(key))
            if is_new or manifest.status is not Status.FAILED:
                return manifest, not is_new


def _keys(batch: Manifest, body: bytes, ending: str) -> Iterator[str]:
    """Yield a replay's keys: its digest's, and the next after each failure."""
    name = hashlib.sha256(_in_one_order(body, has_header=ending == ".csv")).hexdigest()[:32]
    yield layout.replay_key(batch.model, batch.batch_id, name + ending)
    for turn in count(2):
        yield layout.replay_key(batch.model, batch.batch_id, f"{name}-{turn}{ending}")


def _scored(keys: Iterator[str], inbox: ObjectStore, manifest_of: Callable[[ObjectInfo], Manifest]) -> Manifest | None:
    """Return what became of the first upload that did not fail, if there is one.

    Earlier Everscores took the digest of the bytes, in whatever encoding they came.
    """
    with suppress(NotFoundError):
        for key in keys:
            manifest = manifest_of(inbox.info(key))
            if manifest.status is not Status.FAILED:
                return manifest
    return None


def _own_encoding(batch: Manifest) -> str | None:
    """Return the encoding of a batch's file, if other texts do not reveal it."""
    return batch.encoding if Notes(batch.encoding).needs_naming else None


def _in_utf8(body: bytes, encoding: str | None, *, detect: bool) -> bytes:
    """Return text as UTF-8 without a mark, read as the functions would read it.

    An editor may save rows in the encoding of their batch or not.
    """
    return b"".join(utf8_chunks(iter([body]), encoding, detect=detect)).removeprefix(codecs.BOM_UTF8)


def _in_one_order(body: bytes, *, has_header: bool) -> bytes:
    """Return text with sorted rows and plain line ends.

    Other bytes, and text with rows of several lines, stay as they are.
    """
    lines = body.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    if not is_utf8(body) or any(line.count(b'"') % 2 for line in lines):
        return body
    rows_from = 1 if has_header else 0
    return b"\n".join([*lines[:rows_from], *sorted(lines[rows_from:])])


def _ending(file: Path) -> str:
    """Return the ending that says how a file is to be read, whatever it is called."""
    source = LocalFile(file)
    is_gzip = source.read_at(0, len(GZIP_MAGIC)) == GZIP_MAGIC
    return f".{detect_format(source, file.name)}" + (".gz" if is_gzip else "")
