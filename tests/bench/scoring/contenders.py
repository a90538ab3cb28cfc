"""The ways to score a file that are compared, each a process of its own.

python -m tests.bench.scoring.contenders NAME MODEL FILE OUT FOLDER
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

# Imports stand inside: what a contender need not import must not cost it time.


def everscore(model: str, file: Path, out: Path, folder: Path) -> None:
    """This scorer, end to end: contract, scores, profile, checksums, manifest."""
    from infra.cli.local_folder import LocalFolder
    from infra.cli.offline import score_offline

    manifest = score_offline(model, file, out, releases=LocalFolder(folder / "store"))
    assert manifest.error is None, manifest.error


def pyfunc(model: str, file: Path, out: Path, folder: Path) -> None:
    """`pandas.read_csv`, `mlflow.pyfunc`, `to_parquet`."""
    import mlflow.pyfunc
    import pandas as pd

    rows = pd.read_csv(file)
    loaded = mlflow.pyfunc.load_model(str(folder / "mlflow" / model))
    rows["score"] = loaded.predict(rows)[:, 1]
    rows.to_parquet(out)


CONTENDERS: Mapping[str, Callable[[str, Path, Path, Path], None]] = {made.__name__: made for made in (everscore, pyfunc)}


if __name__ == "__main__":
    name, model, file, out, folder = sys.argv[1:]
    CONTENDERS[name](model, Path(file), Path(out), Path(folder))
