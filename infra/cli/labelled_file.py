"""Options of `train` and `adopt` about a first version's labelled rows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import available_timezones

import typer

from functions.shared.domain.errors import InputError
from functions.shared.domain.spec import FeatureKind
from infra.cli.converted import settled_encoding
from infra.cli.formats import Decimal, Encoding, Missing, Sheet, Thousands, TimeFormat, formats_of
from infra.cli.options import pairs

Target = Annotated[str, typer.Option(help="Column to predict.")]
IdColumn = Annotated[
    str,
    typer.Option(
        "--id",
        help="Column of row ids; with --time an id may come again at another time. Of rows that repeat both, only the last is learnt.",
    ),
]
TimeColumn = Annotated[str | None, typer.Option("--time", help="Column of event times.")]
Timezone = Annotated[str, typer.Option(help="Time zone of times without an offset, and of event days.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="COLUMN=number, =category or =boolean; repeatable.")]
Positive = Annotated[
    str | None, typer.Option(help="Of two classes, the one whose probability is the score (default: the second in sorted order).")
]
Threshold = Annotated[
    float | None, typer.Option(min=0, max=1, help="Score from which the positive class is predicted (policy: decision.threshold).")
]
Costs = Annotated[
    str | None,
    typer.Option(help="What wrong answers cost: false_positive=N and false_negative=N, a comma between (policy: decision.costs)."),
]
Metric = Annotated[str | None, typer.Option(help="Metric to show first, such as auc, log_loss or rmse; the gate itself compares losses.")]


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """Options of a file with labelled rows: columns, formats, and decisions.

    Decisions say how scores become predictions.
    """

    target: Target
    id_column: IdColumn
    time_column: TimeColumn = None
    timezone: Timezone = "UTC"
    kind: Kinds = None
    positive: Positive = None
    metric: Metric = None
    threshold: Threshold = None
    costs: Costs = None
    decimal: Decimal = "."
    thousands: Thousands = ""
    time_format: TimeFormat = None
    encoding: Encoding = None
    missing: Missing = None
    sheet: Sheet = None

    def request(self, file: Path) -> dict[str, Any]:
        """Return the columns and formats of `file` for a first version's request.

        Raises:
            InputError: if an option does not take its value.
        """
        formats = formats_of(
            decimal=self.decimal,
            thousands=self.thousands,
            time_format=self.time_format,
            encoding=self.encoding or settled_encoding(file),
            missing=self.missing,
        )
        if self.timezone not in available_timezones():
            raise InputError(f"--timezone {self.timezone} is no time zone", remedy="write it as in Europe/Berlin", code="usage")
        columns = {"target": self.target, "id_column": self.id_column, "time_column": self.time_column, "kinds": self._kinds()}
        return columns | {"timezone": self.timezone, "formats": formats, "positive": self.positive, "metric": self.metric}

    def decision(self) -> dict[str, object]:
        """Return how options turn scores into predictions, as a policy's thresholds."""
        asked = {"decision.threshold": self.threshold, "decision.costs": self.costs}
        return {name: value for name, value in asked.items() if value is not None}

    def _kinds(self) -> dict[str, object]:
        kinds = pairs(self.kind, example="plan=category")
        if unknown := [column for column, named in kinds.items() if named not in set(FeatureKind)]:
            remedy = "choose number, category or boolean; --drop COLUMN leaves a column out"
            raise InputError(f"--kind {unknown[0]}={kinds[unknown[0]]}: there is no such kind", remedy=remedy, code="usage")
        return kinds
