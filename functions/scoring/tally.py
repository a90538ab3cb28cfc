"""Counts of rows and times, collected while rows are scored."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from functions.scoring.block import ScoredBlock
from functions.shared.domain.counts import Counts
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.drift.profile import Profile, merge_profiles, unseen_rows
from functions.shared.domain.manifest import Timings
from functions.shared.domain.release import Role
from functions.shared.domain.rollout.agreement import Agreement, merge_agreements
from functions.shared.reading.rows import Block


@dataclass
class BatchTally:
    """Rows by outcome, and seconds by stage."""

    rows_in: int = 0
    scored: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    days: Counter[date] = field(default_factory=Counter)
    served: Counter[Role] = field(default_factory=Counter)
    profiles: dict[Role, Profile] = field(default_factory=dict)
    agreement: Agreement | None = None
    read_s: float = 0.0
    predict_s: float = 0.0
    challenger_predict_s: float = 0.0
    write_s: float = 0.0

    def timed_reading(self, blocks: Iterator[Block], *, since: float) -> Iterator[Block]:
        """Yield the same blocks, and add up the time spent waiting, from `since` on."""
        for block in blocks:
            self.read_s += time.perf_counter() - since
            yield block
            since = time.perf_counter()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Add the time of a `with` block to writing."""
        started = time.perf_counter()
        yield
        self.write_s += time.perf_counter() - started

    def add(self, block: ScoredBlock) -> None:
        """Count a block; profiles add up in order, so a file always gives the same sums."""
        self.rows_in += block.rows.num_rows + len(block.rejected)
        self.scored += block.rows.num_rows
        self.reasons.update(rejected.code for rejected in block.rejected)
        self.days.update(block.days)
        self.served.update(block.served)
        self.predict_s += block.predict_s
        self.challenger_predict_s += block.challenger_predict_s
        for role, profile in block.profiles.items():
            self.profiles[role] = merge_profiles([self.profiles[role], profile]) if role in self.profiles else profile
        if block.agreement is not None:
            self.agreement = merge_agreements([self.agreement, block.agreement]) if self.agreement else block.agreement

    def counts(self, total_s: float, baseline: Baseline) -> Counts:
        """Return all counts; `total_s` is wall time, and `baseline` is the champion's."""
        champion = self.profiles.get(Role.CHAMPION, Profile())
        return Counts(
            rows_in=self.rows_in,
            rows_scored=self.scored,
            quarantined_by_reason=dict(self.reasons),
            served={role: rows for role, rows in self.served.items() if rows},
            profiles=self.profiles,
            agreement=self.agreement,
            event_days={day: rows for day, rows in sorted(self.days.items()) if rows},
            unseen=unseen_rows(baseline, champion),
            timings=Timings(
                read_s=self.read_s,
                predict_s=self.predict_s,
                challenger_predict_s=self.challenger_predict_s,
                write_s=self.write_s,
                total_s=total_s,
            ),
        )
