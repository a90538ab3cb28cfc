"""Where the files and models that scorers are timed on lie. `making` makes them; this module costs its importer no memory."""

from dataclasses import dataclass
from pathlib import Path

MILLION, FOREST_ROWS, LARGE_BYTES = 1_000_000, 200_000, 2 * 10**9


@dataclass(frozen=True, slots=True)
class World:
    """The folder that all is made in, once."""

    folder: Path

    def rows(self, count: int) -> Path:
        """A CSV of so many flights."""
        return self.folder / f"flights-{count}.csv"

    @property
    def bad_rows(self) -> Path:
        """The million, but every hundredth row has a number that is none."""
        return self.folder / "flights-bad.csv"

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
