"""One attempt to read, score and write the rows of a batch or a partition.

Its files have no effect before the manifest is committed.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain, islice

from functions.scoring.block import score_block
from functions.scoring.output import AttemptOutputs
from functions.scoring.ports import Ports
from functions.scoring.scorers import Scorers, load_scorers
from functions.scoring.tally import BatchTally
from functions.shared.domain import layout
from functions.shared.domain.counts import Counts, counted_manifest
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import Manifest, PinnedChallenger, PinnedRelease, StoredFile
from functions.shared.domain.release import Release
from functions.shared.domain.spec import ModelSpec
from functions.shared.foundation.ahead import map_ahead
from functions.shared.reading.files import read_blocks
from functions.shared.reading.header import header_of
from functions.shared.reading.rows import Block
from functions.shared.reading.text import Notes
from functions.shared.repositories.bundles import Bundles

type Read = Callable[[ModelSpec], Iterator[Block]]
"""Starts to read the rows for a model."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The result of scoring rows: counts, files, and the release that scored them."""

    counts: Counts
    outputs: tuple[StoredFile, ...]
    quarantine: tuple[StoredFile, ...]
    release: PinnedRelease


def attempt_batch(draft: Manifest, release: Release, ports: Ports) -> Manifest:
    """Score a drafted batch with a release, and write its files.

    Returns:
        The draft, completed for a commit.

    Raises:
        BatchRejectedError: if the batch as a whole cannot be scored.
        ConservationError: if rows were lost or duplicated.
    """
    contract, source, notes = release.policy.row_contract, draft.source, Notes()
    data = ports.inbox.open(source.key, source.version_id)

    def read(spec: ModelSpec) -> Iterator[Block]:
        return read_blocks(data, key=source.key, spec=spec, contract=contract, notes=notes)

    named = draft.model, draft.batch_id, draft.attempt, 0
    outputs = AttemptOutputs(ports.store, scored=layout.scored_key(*named), quarantine=layout.quarantine_key(*named))
    scored = score_rows(read, release, outputs, bundles=ports.bundles, arrived=source.last_modified)
    header = header_of(data, source.key, notes.encoding) if scored.quarantine else None
    pinned = draft.model_copy(update={"release": scored.release, "encoding": notes.encoding, "header": header})
    return counted_manifest(pinned, scored.counts, contract=contract, outputs=scored.outputs, quarantine=scored.quarantine)


def score_rows(read: Read, release: Release, outputs: AttemptOutputs, *, bundles: Bundles, arrived: datetime) -> Scored:
    """Score the rows of `read` with a release, and write files.

    Args:
        read: starts to read the rows.
        release: the release that scores.
        outputs: the files to write.
        bundles: loads versions.
        arrived: when the rows arrived.

    Raises:
        BatchRejectedError: if the rows as a whole cannot be scored.
    """
    contract = release.policy.row_contract
    started = time.perf_counter()
    whole, damaged = load_scorers(release, bundles)
    reading_since = time.perf_counter()
    scorers, blocks, lacking = _opened(read, whole)
    tally = BatchTally()
    score = partial(score_block, scorers=scorers, contract=contract, arrived=arrived)
    with outputs:
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
        challenger_damaged=damaged is not None,
        means=scorers.backends,
        decision_rules=scorers.decision_rules,
    )
    return Scored(tally.counts(time.perf_counter() - started, scorers.champion.baseline), scored, quarantined, pinned)


def _pinned_challenger(release: Release) -> PinnedChallenger | None:
    challenger = release.challenger
    return PinnedChallenger(version=challenger.version, share=challenger.share) if challenger else None


def _opened(read: Read, scorers: Scorers) -> tuple[Scorers, Iterator[Block], str | None]:
    """Start to read; without a column that only the challenger needs, leave that out."""
    try:
        return scorers, _begun(read(scorers.reading_spec)), None
    except BatchRejectedError as rejected:
        if rejected.code != "missing_column" or scorers.reading_spec == scorers.champion.spec:
            raise
        alone = scorers.without_challenger()
        return alone, _begun(read(alone.reading_spec)), rejected.message


def _begun(blocks: Iterator[Block]) -> Iterator[Block]:
    """Return the same blocks after reading the first, in which most refusals show."""
    return chain(list(islice(blocks, 1)), blocks)
