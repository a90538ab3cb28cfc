"""What a long run saw, as JSON, and what is made of it in docs/security.md."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.document_table import replace_measured
from tests.chaos.play import Played

FIGURES = Path(__file__).with_name("figures.json")
PAGE = Path(__file__).parents[2] / "docs" / "security.md"


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts by kind, and how long the run took, with its beginning and its audit."""

    on: str
    seed: int
    minutes: float
    faults: dict[str, int]
    sent_back: dict[str, int]
    acts: dict[str, int]
    batches: dict[str, int]
    rows: dict[str, int]
    uploads: int
    scores: int
    largest_difference: float
    labels: int
    rows_in_tables: dict[str, int]
    people_erased: int
    objects: int
    unnamed_files: int

    @classmethod
    def of(cls, played: Played, *, seed: int, minutes: float) -> "Figures":
        """Of a run that found nothing amiss."""
        found = played.found
        return cls(
            on=f"{datetime.now(UTC):%Y-%m-%d}",
            seed=seed,
            minutes=round(minutes, 1),
            faults=played.faults,
            sent_back=played.sent_back,
            acts=played.acts,
            batches=dict(found.batches),
            rows=dict(found.rows),
            uploads=found.uploads,
            scores=found.scores,
            largest_difference=found.largest_difference,
            labels=found.labels,
            rows_in_tables=dict(found.rows_in_tables),
            people_erased=played.people_erased,
            objects=found.objects,
            unnamed_files=found.unnamed_files,
        )


def render(figures: Figures) -> None:
    """Write figures, and the page's part."""
    FIGURES.write_text(json.dumps(asdict(figures), indent=2, sort_keys=True) + "\n")
    replace_measured(PAGE, "chaos", "\n\n".join([_summary(figures), _list(figures)]))


def _summary(figures: Figures) -> str:
    rows, batches, tables = figures.rows, figures.batches, figures.rows_in_tables
    return (
        f"The last run, of {figures.on}, took {figures.minutes:g} minutes (seed {figures.seed}): {sum(figures.faults.values()):,} faults, "
        f"{figures.uploads:,} uploaded versions.\n"
        f"Of {rows['uploaded']:,} rows {rows['scored']:,} are scored, {rows['quarantined']:,} set aside and {rows['erased']:,} erased. "
        f"{batches.get('scored again', 0):,} batches were scored again.\n"
        f"All {figures.scores:,} scores were computed again; the largest difference is {figures.largest_difference:.1e}. "
        f"{figures.labels:,} labels stand with their rows and count once each.\n"
        f"DuckDB finds just these in the tables: {tables['scored']:,} rows that stand, {tables['labelled']:,} labelled ones and "
        f"{tables['batches']:,} scorings.\n"
        f"None of {figures.people_erased:,} erased people is in any of {figures.objects:,} versions of objects. "
        f"Killed attempts left {figures.unnamed_files:,} files that no manifest names.\n"
        f"{sum(figures.sent_back.values()):,} messages failed at each try or were killed five times, and were sent back as "
        "[the runbook](runbook.md) says."
    )


def _list(figures: Figures) -> str:
    ordered = sorted(figures.faults.items(), key=lambda fault: -fault[1])
    return "\n".join(f"- {kind}: {times:,} times" for kind, times in ordered)
