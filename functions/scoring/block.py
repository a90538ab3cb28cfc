"""One block of rows: scored, laid out as it will be stored, and counted."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from functions.scoring.output import scored_rows
from functions.scoring.scorers import Scorers, answer_columns
from functions.shared.domain.calendar import count_days, day_of
from functions.shared.domain.drift.profile import Profile, profile_batch
from functions.shared.domain.policy import RowContract
from functions.shared.domain.release import Role
from functions.shared.domain.rollout.agreement import Agreement, compare_scores
from functions.shared.domain.spec import Task
from functions.shared.reading.rows import Block, RejectedRow


@dataclass(frozen=True, slots=True)
class ScoredBlock:
    """A block ready to be stored, with counts of its scored rows.

    `served` counts them by role, `days` by event day.
    """

    rows: pa.RecordBatch
    rejected: tuple[RejectedRow, ...]
    days: Mapping[date, int]
    served: Mapping[Role, int]
    profiles: Mapping[Role, Profile]
    agreement: Agreement | None
    predict_s: float
    challenger_predict_s: float


def score_block(block: Block, *, scorers: Scorers, contract: RowContract, arrived: datetime) -> ScoredBlock:
    """Score a block; safe to call from several threads.

    Args:
        block: the rows.
        panel: the models that score.
        contract: the row contract.
        arrived: when the rows arrived; their event day, if the model has no time column.
    """
    rows, champion = block.rows, scorers.champion
    started = time.perf_counter()
    answers = scorers.score(rows)
    predict_s = time.perf_counter() - started
    predicted = answers.champion_predicts if champion.spec.task is Task.BINARY else None
    profiles = {Role.CHAMPION: profile_batch(champion.baseline, rows, answers.champion, predicted)}
    agreement = None
    if scorers.challenge is not None and answers.challenger is not None:
        profiles[Role.CHALLENGER] = profile_batch(scorers.challenge.model.baseline, rows, answers.challenger)
        agreement = compare_scores(champion.baseline, answers.champion, answers.challenger)
    by_challenger = 0 if answers.by_challenger is None else int(answers.by_challenger.sum())
    time_column, zone = champion.spec.time_column, champion.spec.day_zone
    return ScoredBlock(
        rows=scored_rows(rows, answer_columns(scorers, answers), champion.spec, contract),
        rejected=block.rejected,
        days=count_days(rows.column(time_column), zone) if time_column else {day_of(arrived, zone): rows.num_rows},
        served={Role.CHAMPION: rows.num_rows - by_challenger, Role.CHALLENGER: by_challenger},
        profiles=profiles,
        agreement=agreement,
        predict_s=predict_s,
        challenger_predict_s=answers.challenger_s,
    )
