"""Score one batch: pin the release, stream the rows, commit one manifest."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

from functions.scoring.block import ScoredBlock, score_block
from functions.scoring.output import AttemptOutputs
from functions.scoring.panel import Panel, assemble_panel
from functions.shared.ahead import map_ahead
from functions.shared.domain import layout
from functions.shared.domain.agreement import merge_agreements
from functions.shared.domain.errors import BatchRejectedError, ConservationError, InputError
from functions.shared.domain.manifest import (
    BatchError,
    Manifest,
    PinnedChallenger,
    PinnedRelease,
    Source,
    Status,
    StoredFile,
    Timings,
)
from functions.shared.domain.policy import RowContract
from functions.shared.domain.profile import Agreement, Profile
from functions.shared.domain.profiling import merge_profiles
from functions.shared.domain.release import Release, Role
from functions.shared.envelopes import StoredObject
from functions.shared.ports import ObjectStore
from functions.shared.reading.rows import Block
from functions.shared.reading.service import read_blocks
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.releases import Releases


def score_batch(
    created: StoredObject,
    *,
    inbox: ObjectStore,
    store: ObjectStore,
    bundles: Bundles,
    new_attempt: Callable[[], str],
    now: Callable[[], datetime],
) -> Manifest:
    """Score one version of one uploaded object, exactly once however often it is asked.

    Returns:
        The manifest that stands for the batch: this attempt's, or the one another attempt committed first.

    Raises:
        NotFoundError: if the object's version is gone.
        ConservationError: if rows were lost or made up; nothing is committed.
    """
    source = source_of(inbox.bucket, inbox.info(created.key, created.version_id))
    draft = Manifest(
        batch_id=layout.batch_id(source.bucket, source.key, source.version_id),
        model=layout.model_or_unnamed(created.key),
        status=Status.FAILED,
        source=source,
        replays=layout.replayed_batch(created.key),
        attempt=new_attempt(),
        created_at=now(),
    )
    if standing := Manifests(store).find(draft.model, draft.batch_id, source):
        return standing
    try:
        ended = _scored(draft, _pinned_release(store, draft), inbox=inbox, store=store, bundles=bundles)
    except BatchRejectedError as rejected:
        error = BatchError(code=rejected.code, message=str(rejected), remedy=rejected.remedy)
        ended = draft.model_copy(update={"error": error})
    return _committed(ended, store, now())


def rescore_batch(
    model: str,
    batch_id: str,
    *,
    inbox: ObjectStore,
    store: ObjectStore,
    bundles: Bundles,
    new_attempt: Callable[[], str],
    now: Callable[[], datetime],
) -> Manifest:
    """Score a batch again by what is served now. The new manifest supersedes the old one, whose files are kept.

    A batch that cannot be scored now keeps the manifest that it has.

    Returns:
        The manifest that stands for this batch and this release; asked again, the same one.

    Raises:
        BatchRejectedError: if the model serves nothing, or the batch as a whole cannot be scored by it.
        NotFoundError: if there is no such batch, or the upload's version is gone.
    """
    batch = Manifests(store).named(model, batch_id)
    release, source = _pinned_release(store, batch), batch.source
    purpose = f"rescore:{release.seq}"
    draft = Manifest(
        batch_id=layout.batch_id(source.bucket, source.key, source.version_id, purpose),
        model=model,
        status=Status.FAILED,
        source=source,
        purpose=purpose,
        supersedes=batch_id,
        replays=batch.replays,
        attempt=new_attempt(),
        created_at=now(),
    )
    if standing := Manifests(store).find(model, draft.batch_id, source):
        return standing
    return _committed(_scored(draft, release, inbox=inbox, store=store, bundles=bundles), store, now())


def verify_batch(
    model: str, batch_id: str, *, inbox: ObjectStore, store: ObjectStore, bundles: Bundles, new_attempt: Callable[[], str]
) -> tuple[str, ...]:
    """Score a batch again by the release that scored it, and keep nothing.

    Returns:
        Keys of the standing files that came out with other bytes; none if the batch was reproduced.

    Raises:
        InputError: if the batch had failed.
        NotFoundError: if there is no such batch, or the upload's version, the release or a bundle is gone.
    """
    batch = Manifests(store).named(model, batch_id)
    if batch.release is None:
        message = f"batch {batch.batch_id} failed, so there is nothing to compare with"
        raise InputError(message)
    draft = batch.model_copy(update={"attempt": new_attempt()})
    release = Releases(store).at(batch.model, batch.release.seq)
    again = _scored(draft, release, inbox=inbox, store=store, bundles=bundles)
    store.delete(file.key for file in (*again.outputs, *again.quarantine))
    standing, made = ((*manifest.outputs, *manifest.quarantine) for manifest in (batch, again))
    digests = [file.sha256 for file in made]
    return tuple(file.key for place, file in enumerate(standing) if file.sha256 != (digests[place] if place < len(digests) else None))


def _committed(ended: Manifest, store: ObjectStore, now: datetime) -> Manifest:
    """The manifest that stands for a batch: this one, or another attempt's that was first."""
    standing = Manifests(store).commit(ended.model_copy(update={"created_at": now}))
    _clear_lost_attempts(store, standing, ended.attempt)
    return standing


def _scored(draft: Manifest, release: Release, *, inbox: ObjectStore, store: ObjectStore, bundles: Bundles) -> Manifest:
    """The manifest of a batch whose rows were scored and whose files are written, or raise BatchRejectedError."""
    contract = release.policy.row_contract
    started = time.perf_counter()
    whole, damaged = assemble_panel(release, bundles)
    reading_since = time.perf_counter()
    panel, blocks, lacking = _opened(draft.source, inbox, whole, contract)
    tally = _Tally()
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


def _pinned_release(store: ObjectStore, draft: Manifest) -> Release:
    if draft.model == layout.UNNAMED_MODEL:
        layout_error = f"the key {draft.source.key!r} names no model"
        raise BatchRejectedError("no_model", layout_error, "upload to batches/<model>/<file>")
    release = Releases(store).current(draft.model)
    if release is None:
        message = f"model {draft.model!r} serves nothing yet"
        raise BatchRejectedError("no_release", message, f"everscore train {draft.model} …, then upload the file again")
    if release.retired:
        message = f"model {draft.model!r} was retired: {release.reason}"
        raise BatchRejectedError("retired", message, f"everscore promote {draft.model} VERSION, then upload the file again")
    return release


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


@dataclass
class _Tally:
    """What is counted while a batch streams by."""

    rows_in: int = 0
    scored: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    days: Counter[date] = field(default_factory=Counter)
    served: Counter[Role] = field(default_factory=Counter)
    profiles: dict[Role, Profile] = field(default_factory=dict)
    agreement: Agreement | None = None
    read_s: float = 0.0
    predict_s: float = 0.0
    write_s: float = 0.0

    def timed_reading(self, blocks: Iterator[Block], *, since: float) -> Iterator[Block]:
        """The same blocks; the time that their reader lets one wait, from `since` on, is added up."""
        for block in blocks:
            self.read_s += time.perf_counter() - since
            yield block
            since = time.perf_counter()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Times a `with` block as writing."""
        started = time.perf_counter()
        yield
        self.write_s += time.perf_counter() - started

    def add(self, block: ScoredBlock) -> None:
        """Count a block; profiles add up in the order of blocks, so that the same file gives the same sums."""
        self.rows_in += block.rows.num_rows + len(block.rejected)
        self.scored += block.rows.num_rows
        self.reasons.update(rejected.code for rejected in block.rejected)
        self.days.update(block.days)
        self.served.update(block.served)
        self.predict_s += block.predict_s
        for role, profile in block.profiles.items():
            self.profiles[role] = merge_profiles([self.profiles[role], profile]) if role in self.profiles else profile
        if block.agreement is not None:
            self.agreement = merge_agreements([self.agreement, block.agreement]) if self.agreement else block.agreement

    def figures(self, contract: RowContract) -> dict[str, object]:
        """The manifest's fields that were counted."""
        quarantined = sum(self.reasons.values())
        over_budget = quarantined > contract.error_budget * self.rows_in
        return {
            "status": Status.SUSPECT if over_budget else Status.SCORED,
            "rows_in": self.rows_in,
            "rows_scored": self.scored,
            "rows_quarantined": quarantined,
            "quarantined_by_reason": dict(self.reasons),
            "served": {role: rows for role, rows in self.served.items() if rows},
            "profiles": self.profiles,
            "agreement": self.agreement,
            "event_days": {day: rows for day, rows in sorted(self.days.items()) if rows},
        }

    def timings(self, total_s: float) -> Timings:
        """Seconds by stage."""
        return Timings(read_s=self.read_s, predict_s=self.predict_s, write_s=self.write_s, total_s=total_s)


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


def _clear_lost_attempts(store: ObjectStore, standing: Manifest, attempt: str) -> None:
    """Delete what no manifest names: after winning all siblings' files, after losing only our own."""
    for prefix in (layout.scored_prefix(standing.model, standing.batch_id), layout.quarantine_prefix(standing.model, standing.batch_id)):
        found = [info.key for info in store.list(prefix)]
        if standing.attempt == attempt:
            store.delete(key for key in found if not key.startswith(f"{prefix}{attempt}/"))
        else:
            store.delete(key for key in found if key.startswith(f"{prefix}{attempt}/"))
