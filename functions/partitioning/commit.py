"""Combine the results of all partitions into one manifest, as of an uncut upload."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime

from functions.shared.batches.lifecycle import committed
from functions.shared.batches.quarantined import numbered_on
from functions.shared.domain import layout
from functions.shared.domain.counts import counted_manifest, merge_counts
from functions.shared.domain.errors import NotFoundError
from functions.shared.domain.manifest import Manifest, PinnedRelease, Source, StoredFile
from functions.shared.domain.partition import Partition, PartitionResult
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectStore
from functions.shared.reading.formats import empty_file
from functions.shared.reading.header import header_of
from functions.shared.reading.text import stored_chunks
from functions.shared.repositories.releases import Releases

_CHUNK_BYTES = 2**20
_FILES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Unnumbered:
    """Quarantined rows of a partition, and the count of rows and lines before it."""

    file: StoredFile
    rows: int
    lines: int


def commit_whole(
    draft: Manifest,
    plan: Sequence[Partition],
    results: Sequence[PartitionResult],
    *,
    inbox: ObjectStore,
    store: ObjectStore,
    now: Callable[[], datetime],
) -> Manifest:
    """Commit a batch, given the results of its partitions in order.

    Returns:
        The committed manifest.

    Raises:
        BatchRejectedError: `empty_file`, if no partition has a row.
        ConservationError: if rows were lost or duplicated.
    """
    counts = merge_counts(result.counts for result in results)
    if not counts.rows_in:
        raise empty_file("the file has no rows")
    quarantine, encoding = _numbered(draft, results, store), results[0].encoding
    header = _header(draft.source, encoding, inbox) if quarantine else None
    took_s = (now() - plan[0].planned_at).total_seconds()
    timings = counts.timings.model_copy(update={"total_s": took_s, "functions_s": counts.timings.total_s})
    counted = counted_manifest(
        draft.model_copy(
            update={
                "release": _release(results),
                "partitions": len(results),
                "encoding": encoding,
                "header": header,
                "created_at": now(),
            }
        ),
        counts.model_copy(update={"timings": timings}),
        contract=Releases(store).at(draft.model, plan[0].release_seq).policy.row_contract,
        outputs=tuple(file for result in results for file in result.outputs),
        quarantine=quarantine,
    )
    return committed(counted, store)


def _header(source: Source, encoding: str | None, inbox: ObjectStore) -> str | None:
    """Return the upload's header; None if the upload is gone."""
    with suppress(NotFoundError):
        return header_of(inbox.open(source.key, source.version_id), source.key, encoding)
    return None


def _release(results: Sequence[PartitionResult]) -> PinnedRelease | None:
    """Return the partitions' release, with the challenger only if it scored all."""
    releases = [result.release for result in results if result.release]
    return next((release for release in releases if release.challenger_suspended), releases[0])


def _numbered(draft: Manifest, results: Sequence[PartitionResult], store: ObjectStore) -> tuple[StoredFile, ...]:
    """Write the quarantined rows of all partitions, numbered in the whole file."""

    def numbered(item: tuple[int, _Unnumbered]) -> StoredFile:
        part, quarantined = item
        return _number(quarantined, layout.quarantine_key(draft.model, draft.batch_id, draft.attempt, part), store)

    return tuple(map_ahead(numbered, enumerate(_unnumbered(results)), threads=_FILES_AT_ONCE))


def _unnumbered(results: Sequence[PartitionResult]) -> Iterator[_Unnumbered]:
    rows = lines = 0
    for result in results:
        yield from (_Unnumbered(file, rows, lines) for file in result.quarantine)
        rows += result.counts.rows_in
        lines += result.lines


def _number(quarantined: _Unnumbered, key: str, store: ObjectStore) -> StoredFile:
    source = store.open(quarantined.file.key)
    with store.upload(key) as upload, closing(stored_chunks(source, _CHUNK_BYTES)) as chunks:
        rest = b""
        for chunk in chunks:
            whole, end, rest = (rest + chunk).rpartition(b"\n")
            upload.write(numbered_on(whole + end, rows=quarantined.rows, text_lines=quarantined.lines))
        return upload.finish(rows=quarantined.file.rows)
