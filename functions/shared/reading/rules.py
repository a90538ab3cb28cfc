"""What each known column of a file has to be."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import FeatureKind, ModelSpec


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
    """What the values of one column must satisfy. `possible` holds a number's inclusive bounds; `canonical` is of categories."""

    kind: ColumnKind
    nullable: bool = True
    possible: tuple[float, float] | None = None
    canonical: bool = False


CARRIED = Rule(ColumnKind.CARRIED)


@dataclass(frozen=True, slots=True)
class Rules:
    """The known columns of a file by name, all of which it must have, and the time zone that naive times are in."""

    columns: Mapping[str, Rule]
    zone: ZoneInfo

    def of(self, name: str) -> Rule:
        """The rule of a column; one that is not known is carried."""
        return self.columns.get(name, CARRIED)


def scoring_rules(spec: ModelSpec, contract: RowContract) -> Rules:
    """What a batch for this model must satisfy: its features, its id, and its time column if it has one."""
    columns = {
        feature.name: Rule(_KINDS[feature.kind], feature.nullable, contract.ranges.get(feature.name), feature.canonical)
        for feature in spec.features
    }
    if spec.time_column is not None:
        columns[spec.time_column] = Rule(ColumnKind.TIME, nullable=False)
    columns[spec.id_column] = Rule(ColumnKind.ID, nullable=False)
    return Rules(columns, ZoneInfo(spec.timezone))


def table_rules(columns: Mapping[str, ColumnKind], timezone: str, *, canonical: bool = False) -> Rules:
    """What a file must satisfy of which only some columns are known: ids and times must not be missing, others may."""
    required = (ColumnKind.ID, ColumnKind.TIME)
    rules = {name: Rule(kind, kind not in required, canonical=canonical) for name, kind in columns.items()}
    return Rules(rules, ZoneInfo(timezone))


_KINDS = {
    FeatureKind.NUMBER: ColumnKind.NUMBER,
    FeatureKind.CATEGORY: ColumnKind.CATEGORY,
    FeatureKind.BOOLEAN: ColumnKind.BOOLEAN,
}
