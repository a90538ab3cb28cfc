"""What each known column of a file has to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from functions.shared.domain.formats import PLAIN, Formats
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec
from functions.shared.reading.numbers import is_dressed


class ColumnKind(StrEnum):
    """How a column is read, and the Arrow type it gets.

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
    """What the values of one column must satisfy.

    `possible` holds a number's inclusive bounds and `sign` what its texts bear; `canonical` is of categories.
    """

    kind: ColumnKind
    nullable: bool = True
    possible: tuple[float, float] | None = None
    canonical: bool = False
    sign: str = ""


CARRIED = Rule(ColumnKind.CARRIED)


@dataclass(frozen=True, slots=True)
class Rules:
    """The known columns of a file by name, all of which it must have, how it is written, and the zone of times that name none."""

    columns: Mapping[str, Rule]
    zone: ZoneInfo
    formats: Formats = PLAIN

    def of(self, name: str) -> Rule:
        """The rule of a column; one that is not known is carried."""
        return self.columns.get(name, CARRIED)

    def plainly(self, name: str) -> ColumnKind:
        """What a parser may take a column's plain texts for; those of numbers in another dress are texts to it."""
        rule = self.of(name)
        dressed = rule.kind is ColumnKind.NUMBER and is_dressed(self.formats, rule.sign)
        return ColumnKind.CARRIED if dressed else rule.kind


def scoring_rules(spec: ModelSpec, contract: RowContract) -> Rules:
    """What a batch for this model must satisfy: its features, its id, and its time column if it has one."""
    columns = {feature.name: feature_rule(feature, contract.ranges.get(feature.name)) for feature in spec.features}
    if spec.time_column is not None:
        columns[spec.time_column] = Rule(ColumnKind.TIME, nullable=False)
    columns[spec.id_column] = Rule(ColumnKind.ID, nullable=False)
    return Rules(columns, ZoneInfo(spec.timezone), spec.formats)


def feature_rule(feature: Feature, possible: tuple[float, float] | None = None) -> Rule:
    """What a feature's values must satisfy."""
    return Rule(_KINDS[feature.kind], feature.nullable, possible, feature.canonical, feature.sign)


def table_rules(columns: Mapping[str, ColumnKind | Rule], timezone: str, formats: Formats = PLAIN) -> Rules:
    """What a file must satisfy of which only some columns are known: ids and times must not be missing, others may."""
    required = (ColumnKind.ID, ColumnKind.TIME)
    rules = {name: found if isinstance(found, Rule) else Rule(found, found not in required) for name, found in columns.items()}
    return Rules(rules, ZoneInfo(timezone), formats)


_KINDS = {
    FeatureKind.NUMBER: ColumnKind.NUMBER,
    FeatureKind.CATEGORY: ColumnKind.CATEGORY,
    FeatureKind.BOOLEAN: ColumnKind.BOOLEAN,
}
