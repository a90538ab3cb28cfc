"""Columns of a table, from the columns of the files that lie in it.

A table has one column per name and one type per column, since its readers find a file's column by its name.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

import pyarrow as pa

from functions.shared.domain.document import Document, Value

DAY, BATCH = "arrived_on", "batch_id"
OWN: Mapping[str, tuple[str, ...]] = {
    "scored": (DAY, BATCH),
    "batches": (DAY,),
    "labelled": ("event_day",),
    "performance": ("event_month",),
}
"""Columns of each table that no file has: their values are those of the file's partition, of which the first is its period."""

NOTED = "everscore.columns"
"""The property of a table that has its columns as JSON."""

_UNKNOWN = "?"
"""Before the name of a type that no table holds."""
_WIDER: Mapping[tuple[str, ...], str] = {("int", "long"): "long", ("double", "float"): "double"}
"""Types that become one: what was stored as the narrower is read as the wider."""


class TableColumn(Value):
    """A column: its name in the table, and its type as Iceberg calls it."""

    name: str
    kind: str


class Columns(Document):
    """Columns of a table: its own, and the types of each column of its files.

    What has been met stays, so that columns do not depend on the order in which files came.
    """

    own: tuple[str, ...] = ()
    met: Mapping[str, tuple[str, ...]] = {}

    def with_files(self, schemas: Iterable[pa.Schema]) -> "Columns":
        """Return the columns with those of more files."""
        met = {source: set(kinds) for source, kinds in self.met.items()}
        for schema in schemas:
            for field in schema:
                met.setdefault(field.name, set()).add(kind_of(field.type) or f"{_UNKNOWN}{field.type}")
        return self.model_copy(update={"met": {source: tuple(sorted(kinds)) for source, kinds in met.items()}})

    def settled(self, source: str, kind: str) -> "Columns":
        """Return the columns of a table that has a column in one type only."""
        return self.model_copy(update={"met": {**self.met, source: (kind,)}})

    @cached_property
    def standing(self) -> Mapping[str, TableColumn]:
        """The columns that the table shows, by their names in files."""
        alike = Counter(source.lower() for source in self.met)
        names, shown = [*self.own], dict[str, TableColumn]()
        for source, kinds in self.met.items():
            names.append(free_name(plain_name(source), names))
            if (kind := _one(kinds)) is not None and alike[source.lower()] == 1:
                shown[source] = TableColumn(name=names[-1], kind=kind)
        return shown

    @property
    def left_out(self) -> dict[str, tuple[str, ...]]:
        """Columns that the table does not show, with their types.

        These differ, or not all readers know them, or the column's name is another's in other letters.
        """
        out = {source: kinds for source, kinds in self.met.items() if source not in self.standing}
        return {source: tuple(kind.removeprefix(_UNKNOWN) for kind in kinds) for source, kinds in out.items()}

    @property
    def renamed(self) -> dict[str, str]:
        """Columns whose name in the table is another than in the files."""
        return {source: column.name for source, column in self.standing.items() if source != column.name}


def kind_of(kind: pa.DataType) -> str | None:
    """Return Iceberg's name of a type.

    It is None for a type that not all readers of tables know.

    >>> kind_of(pa.int16()), kind_of(pa.timestamp("us", "UTC")), kind_of(pa.list_(pa.int8()))
    ('int', 'timestamptz', None)
    """
    match kind:
        case _ if pa.types.is_dictionary(kind):
            return kind_of(kind.value_type)
        case pa.UuidType():
            return "uuid"
        case _ if pa.types.is_timestamp(kind) and kind.unit == "us":
            return "timestamptz" if kind.tz else "timestamp"
        case _ if pa.types.is_decimal128(kind) and kind.scale >= 0:
            return f"decimal({kind.precision}, {kind.scale})"
    return _KINDS.get(kind)


_KINDS = {
    pa.bool_(): "boolean",
    pa.int8(): "int",
    pa.int16(): "int",
    pa.int32(): "int",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.large_string(): "string",
    pa.string_view(): "string",
    pa.date32(): "date",
}


def plain_name(name: str) -> str:
    """Return a name as Athena takes it.

    It has letters in lower case, digits, and `_` for each other sign.

    >>> plain_name("Time (local)"), plain_name("dep-delay"), plain_name("气温")
    ('time__local_', 'dep_delay', '气温')
    """
    return "".join(letter if letter.isalnum() else "_" for letter in name.lower()) or "_"


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that is not taken: this one, or with a number.

    >>> free_name("id", {"id", "id_2"})
    'id_3'
    """
    numbered = (name if number == 1 else f"{name}_{number}" for number in range(1, len(taken) + 2))
    return next(one for one in numbered if one not in taken)


def _one(kinds: tuple[str, ...]) -> str | None:
    """Return the one type that a table gives a column of these types, or None."""
    found = kinds[0] if len(kinds) == 1 else _WIDER.get(kinds)
    return None if found is None or found.startswith(_UNKNOWN) else found
