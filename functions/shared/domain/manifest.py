"""The manifest: the commit of a batch, and all that others need to know of it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from pydantic import Field

from functions.shared.domain.decision_rule import DecisionRule
from functions.shared.domain.document import Document, Value
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.policy import Share
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Role
from functions.shared.domain.rollout.agreement import Agreement

_RESUMED_FOR = timedelta(days=15)
"""For so long what is known of its partitions is kept; an execution can be redriven for fourteen days."""


class Status(StrEnum):
    """How a batch ended.

    `suspect`: it was scored, but more rows were quarantined than the error budget allows.
    """

    SCORED = "scored"
    SUSPECT = "suspect"
    FAILED = "failed"


class Source(Value):
    """One version of one object in the inbox."""

    bucket: str
    key: str
    version_id: str
    etag: str
    bytes: int
    last_modified: datetime


class StoredFile(Value):
    """A file that a batch wrote.

    It has a key in the store, rows, a size in bytes, and the sha-256 of its bytes in hex.
    """

    key: str
    rows: int
    bytes: int
    sha256: str


class BatchError(Value):
    """Why a batch failed."""

    code: str
    message: str
    remedy: str


class PinnedChallenger(Value):
    """The challenger that scored along."""

    version: str
    share: Share


class PinnedRelease(Value):
    """The release a batch was scored by, chosen when it started.

    `challenger_suspended` says why the challenger did not score along; `challenger_damaged` that it could not be loaded as released.
    `means` holds by role the backend that computed the scores: `kernel` (compiled loops), `numpy` or a library; `decision_rules` how they
    became predictions, which batches of a regression and of earlier do not have.
    """

    seq: int
    champion: str
    challenger: PinnedChallenger | None = None
    challenger_suspended: str | None = None
    challenger_damaged: bool = False
    means: Mapping[Role, str] = Field(default_factory=dict)
    decision_rules: Mapping[Role, DecisionRule] = Field(default_factory=dict)


class Timings(Value):
    """Seconds of wall time by stage.

    The stages are: waiting for the reader, predicting (added up over threads), writing, and all of it.

    Stages overlap, so their sum may exceed `total_s`. `challenger_predict_s` is the part of `predict_s` that a second model cost.
    `functions_s` is what all functions took together, where partitions were scored at once.
    """

    read_s: float = 0.0
    predict_s: float = 0.0
    challenger_predict_s: float = 0.0
    write_s: float = 0.0
    total_s: float = 0.0
    functions_s: float | None = None


class Manifest(Document):
    """What became of a batch.

    Its existence is the commit: outputs that no manifest names do not count.

    `event_days` counts scored rows by event day (arrival day where the model has no time column); `served` counts them by the
    role that answered; `unseen` counts, by feature, those whose category the champion does not know. `replays` is the batch
    whose quarantined rows, mended, this one brings.
    `encoding` is that of text which was not UTF-8.
    `partitions` is how many the object was scored in; None if it was scored whole.

    `rows_in` = `rows_scored` + `rows_quarantined` + `rows_erased`. An erasure moves rows from the first two to the third, so that
    they count what the files hold; what was measured of the batch (`served`, `event_days`, profiles, agreement) stays.
    `header` is the upload's line of column names, kept where rows are in quarantine, so that they can be mended without the upload;
    it is empty where the format has none, and None for batches of earlier.
    `ranges_seq` is the release whose possible ranges set rows aside, if that is not `release`: what is scored again keeps them.
    """

    batch_id: str
    model: str
    status: Status
    error: BatchError | None = None
    rows_in: int = 0
    rows_scored: int = 0
    rows_quarantined: int = 0
    rows_erased: int = 0
    quarantined_by_reason: Mapping[str, int] = Field(default_factory=dict)
    release: PinnedRelease | None = None
    outputs: tuple[StoredFile, ...] = ()
    quarantine: tuple[StoredFile, ...] = ()
    source: Source
    purpose: str = "score"
    supersedes: str | None = None
    replays: str | None = None
    attempt: str
    encoding: str | None = None
    partitions: int | None = None
    served: Mapping[Role, int] = Field(default_factory=dict)
    profiles: Mapping[Role, Profile] = Field(default_factory=dict)
    agreement: Agreement | None = None
    event_days: Mapping[date, int] = Field(default_factory=dict)
    unseen: Mapping[str, int] = Field(default_factory=dict)
    header: str | None = None
    ranges_seq: int | None = None
    timings: Timings = Timings()
    created_at: datetime

    @property
    def unseen_shares(self) -> dict[str, float]:
        """Shares of scored rows whose category the champion does not know.

        They are given by feature, the largest first.
        """
        scored = sum(self.served.values())
        return {feature: rows / scored for feature, rows in sorted(self.unseen.items(), key=lambda item: (-item[1], item[0]))}

    @property
    def predicted_positive(self) -> float | None:
        """The share of the scored rows that the champion predicts positive.

        It is None if the model is not binary, and for batches of earlier versions.
        """
        profile = self.profiles.get(Role.CHAMPION)
        return profile.positives / profile.rows if profile and profile.rows and profile.positives is not None else None

    @property
    def log_fields(self) -> dict[str, object]:
        """What a function's log says of the batch."""
        return {
            "batch_id": self.batch_id,
            "model": self.model,
            "status": self.status,
            "rows_in": self.rows_in,
            "rows_quarantined": self.rows_quarantined,
            "error": self.error.message if self.error else None,
            "total_s": self.timings.total_s,
        }

    @property
    def resumable(self) -> bool:
        """Return whether the batch stopped half-way, so another manifest may follow."""
        return self.error is not None and self.error.code == FileCode.PARTITIONS_FAILED

    @property
    def may_resume_until(self) -> datetime:
        """Return until when a batch that stopped half-way may still be completed."""
        return self.created_at + _RESUMED_FOR if self.resumable else datetime.min.replace(tzinfo=UTC)

    def may_resume(self, now: datetime) -> bool:
        """Return whether a batch that failed half-way may still be resumed.

        It failed so lately that what its partitions wrote may yet become its own.
        """
        return self.resumable and now < self.may_resume_until
