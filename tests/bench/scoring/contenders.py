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


def floor(model: str, file: Path, out: Path, folder: Path) -> None:
    """The same reader and writer and nothing else: no model, no profile, no checksum."""
    import pyarrow.parquet as pq

    from functions.shared.domain.policy import RowContract
    from functions.shared.domain.spec import ModelSpec
    from functions.shared.engines.bundle import SPEC
    from functions.shared.reading.files import read_blocks
    from functions.shared.reading.readable import LocalFile

    spec = ModelSpec.from_json((folder / "store" / "releases" / model / "versions" / "1" / SPEC).read_bytes())
    writer = None
    for block in read_blocks(LocalFile(file), key=file.name, spec=spec, contract=RowContract()):
        writer = writer or pq.ParquetWriter(out, block.rows.schema)
        writer.write_batch(block.rows)
    assert writer is not None
    writer.close()


def arrow(model: str, file: Path, out: Path, folder: Path) -> None:
    """Bare pyarrow, CSV to Parquet: types guessed from the first block, nothing checked."""
    import pyarrow.csv
    import pyarrow.parquet as pq

    with (
        pyarrow.csv.open_csv(file, read_options=pyarrow.csv.ReadOptions(block_size=8 * 2**20)) as blocks,
        pq.ParquetWriter(out, blocks.schema) as writer,
    ):
        for block in blocks:
            writer.write_batch(block)


def pyfunc(model: str, file: Path, out: Path, folder: Path) -> None:
    """`pandas.read_csv`, `mlflow.pyfunc`, `to_parquet`."""
    import mlflow.pyfunc
    import pandas as pd

    rows = pd.read_csv(file)
    loaded = mlflow.pyfunc.load_model(str(folder / "mlflow" / model))
    rows["score"] = loaded.predict(rows)[:, 1]
    rows.to_parquet(out)


CONTENDERS: Mapping[str, Callable[[str, Path, Path, Path], None]] = {made.__name__: made for made in (everscore, floor, arrow, pyfunc)}


if __name__ == "__main__":
    name, model, file, out, folder = sys.argv[1:]
    CONTENDERS[name](model, Path(file), Path(out), Path(folder))
