"""The rule for each known column of a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from functions.shared.domain.formats import PLAIN, Formats
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec
from functions.shared.reading.numbers import is_dressed


class ColumnKind(StrEnum):
    """How a column is read, and its Arrow type.

    `time`: timestamp[us, UTC]. `number`: float64. `category`: dictionary of int32 to string. `boolean`: bool.
    `id`, `carried`: string from text formats, the file's own type from Parquet.
    """

    ID = "id"
    TIME = "time"
    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    CARRIED = "carried"


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions on the values of one column.

    `possible` holds the inclusive bounds of a number, and `sign` the currency or percent sign of its texts. `canonical` is for categories.
    """

    kind: ColumnKind
    nullable: bool = True
    possible: tuple[float, float] | None = None
    canonical: bool = False
    sign: str = ""


CARRIED = Rule(ColumnKind.CARRIED)


@dataclass(frozen=True, slots=True)
class Rules:
    """The required columns of a file by name, its formats, and its default time zone."""

    columns: Mapping[str, Rule]
    zone: ZoneInfo
    formats: Formats = PLAIN

    def of(self, name: str) -> Rule:
        """Return the rule of a column; an unknown column is carried."""
        return self.columns.get(name, CARRIED)

    def plainly(self, name: str) -> ColumnKind:
        """Return the kind to parse plain texts as; columns in other notations stay texts."""
        rule, formats = self.of(name), self.formats
        is_dressed_number = rule.kind is ColumnKind.NUMBER and is_dressed(formats, rule.sign)
        is_dressed_time = rule.kind is ColumnKind.TIME and formats.time_format is not None
        return ColumnKind.CARRIED if is_dressed_number or is_dressed_time else rule.kind


def scoring_rules(spec: ModelSpec, contract: RowContract) -> Rules:
    """Return the rules of a batch: the model's features, id, and any time column."""
    columns = {feature.name: feature_rule(feature, contract.ranges.get(feature.name)) for feature in spec.features}
    if spec.time_column is not None:
        columns[spec.time_column] = Rule(ColumnKind.TIME, nullable=False)
    columns[spec.id_column] = Rule(ColumnKind.ID, nullable=False)
    return Rules(columns, ZoneInfo(spec.timezone), spec.formats)


def feature_rule(feature: Feature, possible: tuple[float, float] | None = None) -> Rule:
    """Return the rule for a feature's values."""
    return Rule(_KINDS[feature.kind], feature.nullable, possible, feature.canonical, feature.sign)


def table_rules(columns: Mapping[str, ColumnKind | Rule], timezone: str, formats: Formats = PLAIN) -> Rules:
    """Return rules for some columns; each row must have its ids and times."""
    required = (ColumnKind.ID, ColumnKind.TIME)
    rules = {name: found if isinstance(found, Rule) else Rule(found, found not in required) for name, found in columns.items()}
    return Rules(rules, ZoneInfo(timezone), formats)


_KINDS = {
    FeatureKind.NUMBER: ColumnKind.NUMBER,
    FeatureKind.CATEGORY: ColumnKind.CATEGORY,
    FeatureKind.BOOLEAN: ColumnKind.BOOLEAN,
}
