"""Where the files and models that scorers are timed on lie. `making` makes them; this module costs its importer no memory."""

from dataclasses import dataclass
from pathlib import Path

MILLION, FOREST_ROWS, LARGE_BYTES = 1_000_000, 200_000, 2 * 10**9
BROKEN = {
    "clean": "clean",
    "number": "a number that is none",
    "time": "a time that is none",
    "shape": "a field too many, or no closing brace",
}
"""Ways in which a row may be broken."""
WIDE_ROWS, WIDE_COLUMNS = 5_000, 10_000
KINDS = {
    "csv": "CSV",
    "csv.gz": "CSV, gzip",
    "jsonl": "JSON Lines",
    "parquet": "Parquet",
    "wide.csv": f"CSV of {WIDE_COLUMNS:,} columns, {WIDE_ROWS:,} rows",
    "texts.csv": "CSV with a text of 1,000 characters per row, 200,000 rows",
}
"""Kinds of files, by the ending of their names."""
AS_WE_WRITE = "as Everscore writes"


@dataclass(frozen=True, slots=True)
class World:
    """The folder that all is made in, once."""

    folder: Path

    def rows(self, count: int) -> Path:
        """A CSV of that many flights."""
        return self.folder / f"flights-{count}.csv"

    def broken(self, how: str, form: str) -> Path:
        """The million as CSV or JSON Lines (`form`), but every hundredth row is broken, in one of the ways of `BROKEN`."""
        return self.folder / f"flights-{how}.{form}"

    def of_kind(self, kind: str) -> Path:
        """The flights in a file of one of `KINDS`: a million rows where it does not say otherwise."""
        return {"csv": self.rows(MILLION), "jsonl": self.broken("clean", "jsonl")}.get(kind, self.folder / f"flights.{kind}")

    @property
    def large(self) -> Path:
        """The million over and over, 2 GB of it."""
        return self.folder / "flights-large.csv"

    @property
    def store(self) -> Path:
        """The bucket that serves every model, as a folder."""
        return self.folder / "store"

    def mlflow_model(self, name: str) -> Path:
        """Where MLflow has the same pipeline."""
        return self.folder / "mlflow" / name
