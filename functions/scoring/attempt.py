"""One attempt at a batch: its rows are read, scored and written; nothing counts before the manifest is committed."""

import time
from collections.abc import Iterator
from datetime import UTC
from functools import partial

from functions.scoring.block import score_block
from functions.scoring.output import AttemptOutputs
from functions.scoring.panel import Panel, assemble_panel
from functions.scoring.tally import Tally
from functions.shared.ahead import map_ahead
from functions.shared.domain.errors import BatchRejectedError, ConservationError
from functions.shared.domain.manifest import Manifest, PinnedChallenger, PinnedRelease, Source, StoredFile
from functions.shared.domain.policy import RowContract
from functions.shared.domain.release import Release
from functions.shared.ports import ObjectStore
from functions.shared.reading.rows import Block
from functions.shared.reading.service import read_blocks
from functions.shared.repositories.bundles import Bundles


def attempt_batch(draft: Manifest, release: Release, *, inbox: ObjectStore, store: ObjectStore, bundles: Bundles) -> Manifest:
    """Score a drafted batch by a release, and write its files.

    Returns:
        The draft with all that a commit needs.

    Raises:
        BatchRejectedError: if the batch as a whole cannot be scored.
        ConservationError: if rows were lost or made up.
    """
    contract = release.policy.row_contract
    started = time.perf_counter()
    whole, damaged = assemble_panel(release, bundles)
    reading_since = time.perf_counter()
    panel, blocks, lacking = _opened(draft.source, inbox, whole, contract)
    tally = Tally()
    score = partial(score_block, panel=panel, contract=contract, arrival=draft.source.last_modified.astimezone(UTC).date())
    with AttemptOutputs(store, draft.model, draft.batch_id, draft.attempt) as outputs:
        for block in map_ahead(score, tally.timed_reading(blocks, since=reading_since)):
            tally.add(block)
            with tally.writing():
                outputs.add_scored(block.rows)
                outputs.add_quarantined(block.rejected)
        with tally.writing():
            scored, quarantined = outputs.finish()
    pinned = PinnedRelease(
        seq=release.seq,
        champion=release.champion.version,
        challenger=_pinned_challenger(release),
        challenger_suspended=damaged or lacking,
    )
    manifest = draft.model_copy(
        update={
            **tally.figures(contract),
            "release": pinned,
            "outputs": scored,
            "quarantine": quarantined,
            "timings": tally.timings(time.perf_counter() - started),
        }
    )
    return _conserved(manifest)


def _pinned_challenger(release: Release) -> PinnedChallenger | None:
    challenger = release.challenger
    return PinnedChallenger(version=challenger.version, share=challenger.share) if challenger else None


def _opened(source: Source, inbox: ObjectStore, panel: Panel, contract: RowContract) -> tuple[Panel, Iterator[Block], str | None]:
    """Begin to read. A batch that lacks a column of the challenger's only is scored by the champion alone."""

    def begin(spec_panel: Panel) -> Iterator[Block]:
        data = inbox.open(source.key, source.version_id)
        blocks = read_blocks(data, key=source.key, spec=spec_panel.reading_spec, contract=contract)
        return _with_first(next(blocks), blocks)

    try:
        return panel, begin(panel), None
    except BatchRejectedError as rejected:
        if rejected.code != "missing_column" or panel.reading_spec == panel.champion.spec:
            raise
        alone = panel.without_challenger()
        return alone, begin(alone), str(rejected)


def _with_first(first: Block, others: Iterator[Block]) -> Iterator[Block]:
    yield first
    yield from others


def _conserved(manifest: Manifest) -> Manifest:
    """The manifest itself, if its rows add up: in = scored + quarantined = rows in its files."""
    stored = _rows(manifest.outputs), _rows(manifest.quarantine)
    counted = manifest.rows_scored, manifest.rows_quarantined
    if stored != counted or manifest.rows_in != sum(counted):
        message = (
            f"batch {manifest.batch_id}: {manifest.rows_in} rows in, {counted[0]} scored and {counted[1]} quarantined, "
            f"{stored[0]} and {stored[1]} stored"
        )
        raise ConservationError(message)
    return manifest


def _rows(files: tuple[StoredFile, ...]) -> int:
    return sum(file.rows for file in files)
