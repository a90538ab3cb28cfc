"""What is counted of scored rows.

Counts add up: those of a batch are the sum of its partitions'.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date

from pydantic import Field

from functions.shared.domain.document import Value
from functions.shared.domain.drift.profile import Profile, merge_profiles
from functions.shared.domain.errors import ConservationError
from functions.shared.domain.manifest import Manifest, Status, StoredFile, Timings
from functions.shared.domain.policy import RowContract
from functions.shared.domain.release import Role
from functions.shared.domain.rollout.agreement import Agreement, merge_agreements


class Counts(Value):
    """Rows by what became of them, their profiles by role, and seconds by stage.

    `served` and `event_days` count scored rows, by who answered and by event day; `unseen` those whose category the champion
    does not know, by feature.
    """

    rows_in: int = 0
    rows_scored: int = 0
    quarantined_by_reason: Mapping[str, int] = Field(default_factory=dict)
    served: Mapping[Role, int] = Field(default_factory=dict)
    profiles: Mapping[Role, Profile] = Field(default_factory=dict)
    agreement: Agreement | None = None
    event_days: Mapping[date, int] = Field(default_factory=dict)
    unseen: Mapping[str, int] = Field(default_factory=dict)
    timings: Timings = Timings()

    @property
    def rows_quarantined(self) -> int:
        """Rows that were set aside, whatever the reason."""
        return sum(self.quarantined_by_reason.values())


def merge_counts(parts: Iterable[Counts]) -> Counts:
    """Return the counts of all rows of `parts`; of none, zeros.

    Sums of floats are added in the order of the parts.
    """
    counted = list(parts)
    roles = list(dict.fromkeys(role for part in counted for role in part.profiles))
    agreements = [part.agreement for part in counted if part.agreement is not None]
    return Counts(
        rows_in=sum(part.rows_in for part in counted),
        rows_scored=sum(part.rows_scored for part in counted),
        quarantined_by_reason=_added(part.quarantined_by_reason for part in counted),
        served=_added(part.served for part in counted),
        profiles={role: merge_profiles(part.profiles[role] for part in counted if role in part.profiles) for role in roles},
        agreement=merge_agreements(agreements) if agreements else None,
        event_days=dict(sorted(_added(part.event_days for part in counted).items())),
        unseen=_added(part.unseen for part in counted),
        timings=Timings(
            read_s=sum(part.timings.read_s for part in counted),
            predict_s=sum(part.timings.predict_s for part in counted),
            challenger_predict_s=sum(part.timings.challenger_predict_s for part in counted),
            write_s=sum(part.timings.write_s for part in counted),
            total_s=sum(part.timings.total_s for part in counted),
        ),
    )


def counted_manifest(
    draft: Manifest, counts: Counts, *, contract: RowContract, outputs: tuple[StoredFile, ...], quarantine: tuple[StoredFile, ...]
) -> Manifest:
    """Return the draft with what was counted, if it adds up.

    Rows in must be scored plus quarantined, and these the rows in the files.

    Raises:
        ConservationError: if rows were lost or made up.
    """
    stored = _rows(outputs), _rows(quarantine)
    counted = counts.rows_scored, counts.rows_quarantined
    if stored != counted or counts.rows_in != sum(counted):
        message = (
            f"batch {draft.batch_id}: {counts.rows_in} rows in, {counted[0]} scored and {counted[1]} quarantined, "
            f"{stored[0]} and {stored[1]} stored"
        )
        raise ConservationError(message)
    over_budget = counts.rows_quarantined > contract.error_budget * counts.rows_in
    figures = {name: getattr(counts, name) for name in Counts.model_fields}
    return draft.model_copy(
        update={
            **figures,
            "status": Status.SUSPECT if over_budget else Status.SCORED,
            "rows_quarantined": counts.rows_quarantined,
            "outputs": outputs,
            "quarantine": quarantine,
        }
    )


def _added[Key](parts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    total: Counter[Key] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def _rows(files: tuple[StoredFile, ...]) -> int:
    return sum(file.rows for file in files)
