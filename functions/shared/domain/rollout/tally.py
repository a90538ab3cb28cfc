"""What the batches of a rollout add up to.

So a step is decided without reading them all again.

Sums are exact: floats add up as fractions, so batches may come in any order, and one that was superseded is taken away as if it had
never counted.
"""

from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from itertools import zip_longest
from typing import Literal

from pydantic import Field

from functions.shared.domain.document import Document, Value
from functions.shared.domain.errors import InputError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.rollout.agreement import Agreement
from functions.shared.domain.rollout.guardrails import Traffic


class Sums(Value):
    """What became of some batches.

    It is the traffic, and how champion and challenger agreed on their rows.
    """

    batches: int = 0
    failed: int = 0
    suspended: int = 0
    mismatched: int = 0
    rows_in: int = 0
    rows_quarantined: int = 0
    predict_s: Fraction = Fraction(0)
    compared_rows: int = 0
    counts: tuple[tuple[int, ...], ...] = ()
    difference_sum: Fraction = Fraction(0)
    difference_squares: Fraction = Fraction(0)

    @classmethod
    def of(cls, manifest: Manifest) -> "Sums":
        """Return one batch."""
        release, agreement = manifest.release, manifest.agreement or Agreement()
        return cls(
            batches=1,
            failed=int(manifest.status is Status.FAILED),
            suspended=int(release is not None and release.challenger_suspended is not None),
            mismatched=int(release is not None and release.challenger_damaged),
            rows_in=manifest.rows_in,
            rows_quarantined=manifest.rows_quarantined,
            predict_s=Fraction(manifest.timings.predict_s),
            compared_rows=agreement.rows,
            counts=agreement.counts,
            difference_sum=Fraction(agreement.difference_sum),
            difference_squares=Fraction(agreement.difference_squares),
        )

    def plus(self, other: "Sums", sign: Literal[1, -1] = 1) -> "Sums":
        """Return the batches of both or, with the sign -1, without those of the other.

        Raises:
            InputError: if scores were compared in bins of different champions.
        """
        if self.counts and other.counts and len(self.counts) != len(other.counts):
            message = "agreements counted in different bins do not add up: merge those of one champion only"
            raise InputError(message)
        return Sums(
            **{name: getattr(self, name) + sign * getattr(other, name) for name in Sums.model_fields if name != "counts"},
            counts=tuple(
                tuple(ours + sign * theirs for ours, theirs in zip_longest(row, more, fillvalue=0))
                for row, more in zip_longest(self.counts, other.counts, fillvalue=())
            ),
        )

    @property
    def traffic(self) -> Traffic:
        """What guardrails compare."""
        return Traffic(
            batches=self.batches,
            failed=self.failed,
            suspended=self.suspended,
            mismatched=self.mismatched,
            rows_in=self.rows_in,
            rows_quarantined=self.rows_quarantined,
            predict_s=float(self.predict_s),
        )

    @property
    def agreement(self) -> Agreement:
        """How the two models agreed; the empty one if no row was compared."""
        if not self.compared_rows:
            return Agreement()
        sums = {"difference_sum": float(self.difference_sum), "difference_squares": float(self.difference_squares)}
        return Agreement(rows=self.compared_rows, counts=self.counts, **sums)


class Tally(Document):
    """The batches of a rollout by the release that scored them.

    `counted` names them; `reached` is how far event time has come.

    `before` are the last batches that a champion scored alone before the rollout; None until they were looked for.
    """

    counted: tuple[str, ...] = ()
    by_release: Mapping[int, Sums] = Field(default_factory=dict)
    before: Sums | None = None
    reached: date | None = None

    def plus(self, manifest: Manifest, seq: int, sign: Literal[1, -1] = 1) -> "Tally":
        """With one more batch, which a release scored, or without one that was counted."""
        sums = {**self.by_release, seq: self.by_release.get(seq, Sums()).plus(Sums.of(manifest), sign)}
        others = tuple(batch for batch in self.counted if batch != manifest.batch_id)
        counted = (*others, manifest.batch_id) if sign == 1 else others
        return self.model_copy(update={"by_release": sums, "counted": counted})

    def since(self, seq: int) -> Sums:
        """Return the batches that a release or a later one scored."""
        total = Sums()
        for scored_by, sums in self.by_release.items():
            if scored_by >= seq:
                total = total.plus(sums)
        return total
