"""A panel's question in the catalogue's words, for each data source."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.shared.domain.metrics import Kind, Metric

STEP = "$step"
"""The page's variable for the length of time that one point stands for."""

MODEL = {"model": "$model"}
"""What a model's page is about."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query of one metric.

    It asks by how much a counter grew in a step, a gauge's last value, or a quantile of a histogram.

    `where` fixes dimensions, to a value or one of the page's variables; each combination of the others is a line of its own,
    which `legend` names, `{column}` standing for that dimension's value.
    """

    metric: Metric
    legend: str
    where: Mapping[str, str] = field(default_factory=dict)
    quantile: float | None = None

    def __post_init__(self) -> None:
        """Check that the catalogue has what is asked for.

        Raises:
            ValueError: if a dimension is not the metric's, or a quantile is asked of what is no histogram, or none of one.
        """
        named = {*self.where, *re.findall(r"{(\w+)}", self.legend)}
        if not named <= set(self.metric.dimensions) or (self.quantile is None) is (self.metric.kind is Kind.HISTOGRAM):
            message = f"{self.metric.name} {dict(self.where)} {self.legend!r} {self.quantile}: not what the catalogue says"
            raise ValueError(message)

    @property
    def by(self) -> tuple[str, ...]:
        """Dimensions that keep lines apart."""
        return tuple(dimension for dimension in self.metric.dimensions if dimension not in self.where)
