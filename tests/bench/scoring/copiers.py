"""Copy a file to Parquet with a tool that scores nothing and checks nothing. Runs in `.peers`.

.peers/bin/python tests/bench/scoring/copiers.py duckdb|polars|pyarrow FILE OUT
"""

import sys
from pathlib import Path

# Imports stand inside: what a tool need not import must not cost it time.


def duckdb(file: Path, out: Path) -> None:
    """Copy as one statement, with its defaults."""
    import duckdb

    readers = {".csv": "read_csv", ".gz": "read_csv", ".jsonl": "read_json", ".parquet": "read_parquet"}
    duckdb.sql(f"copy (from {readers[file.suffix]}('{file}')) to '{out}' (format parquet)")


def polars(file: Path, out: Path) -> None:
    """Stream, with its defaults, but times are read as such, as the others do."""
    import polars as pl

    if file.suffix == ".jsonl":
        rows = pl.scan_ndjson(file)
    elif file.suffix == ".parquet":
        rows = pl.scan_parquet(file)
    else:
        rows = pl.scan_csv(file, try_parse_dates=True)
    rows.sink_parquet(out)


def pyarrow(file: Path, out: Path) -> None:
    """Stream a CSV: types guessed from the first block."""
    import pyarrow.csv
    import pyarrow.parquet

    with (
        pyarrow.csv.open_csv(file, read_options=pyarrow.csv.ReadOptions(block_size=8 * 2**20)) as blocks,
        pyarrow.parquet.ParquetWriter(out, blocks.schema) as writer,
    ):
        for block in blocks:
            writer.write_batch(block)


if __name__ == "__main__":
    name, file, out = sys.argv[1:]
    {copy.__name__: copy for copy in (duckdb, polars, pyarrow)}[name](Path(file), Path(out))
