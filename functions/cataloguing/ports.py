"""What cataloguing needs of the outside world."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

from functions.cataloguing.columns import Columns
from functions.shared.ports import VersionedStore

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class TableFile:
    """A Parquet file of a table: its key in the store, and its partition.

    `day` is the table's period: the day of arrival, the event day, or the first of the event month. `batch` is empty in tables that are
    not parted by batches, and of a file that has rows of many. `rows` is known of files that a table shows.
    """

    key: str
    day: date
    batch: str = ""
    rows: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that comes into a table.

    It is described by its rows, its size, and each column's least and greatest time in microseconds.
    """

    file: TableFile
    rows: int
    bytes: int
    bounds: Mapping[str, tuple[int, int]]


class Table(Protocol):
    """A table as it stood when it was opened."""

    @property
    def identity(self) -> str:
        """A name that no other table has, not even one made again under its name."""

    @property
    def columns(self) -> Columns:
        """Its columns."""

    @property
    def file_schema(self) -> "pa.Schema":
        """The columns of a file that has rows of many batches.

        They are those of files, under their names there, and the batch at the end.
        """

    def files(self, days: Collection[date] | None = None) -> Sequence[TableFile]:
        """Return the files of some periods, or all."""

    def named(self) -> set[str]:
        """Return the keys below `tables/` that a kept state of the table needs."""

    def commit(self, columns: Columns, *, added: Sequence[NewFile], removed: Collection[TableFile], forget: bool = False) -> None:
        """Change columns and files at once; raise ConflictError if another did first.

        Args:
            added: files of batches, or of many batches each.
            removed: files that the table shows no longer; they stay where they are.
            forget: whether nobody may ask for an earlier state any more.
        """


class Tables(Protocol):
    """The tables of a stack."""

    def open(self, model: str, kind: str) -> Table:
        """Return a model's table as it stands now. A new one has no columns."""

    def exists(self, model: str, kind: str) -> bool:
        """Return whether a model has a table."""

    def forget(self, model: str, kind: str) -> None:
        """Take any such table out of the catalogue; its files stay."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Store and tables."""

    store: VersionedStore
    tables: Tables
