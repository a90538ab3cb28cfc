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


@dataclass(frozen=True, slots=True)
class World:
    """The folder that all is made in, once."""

    folder: Path

    def rows(self, count: int) -> Path:
        """A CSV of so many flights."""
        return self.folder / f"flights-{count}.csv"

    def broken(self, how: str, form: str) -> Path:
        """The million as CSV or JSON Lines (`form`), but every hundredth row is broken, in one of the ways of `BROKEN`."""
        return self.folder / f"flights-{how}.{form}"

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
