"""A batch's files become one file on the operator's machine."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from typer.testing import CliRunner

from infra.cli import batches
from infra.cli.operator import join_parts


def test_files_of_which_one_was_scored_without_the_challenger_become_one(tmp_path: Path) -> None:
    role = pa.array(["champion"]).dictionary_encode()
    alone = pa.table({"id": ["a"], "score": [0.25], "role": role})
    both = pa.table({"id": ["b"], "score": [0.5], "role": role, "champion_score": [0.5], "challenger_score": [0.75]})
    parts = [tmp_path / "0", tmp_path / "1", tmp_path / "2"]
    for part, rows in zip(parts, (alone, both, alone), strict=True):
        pq.write_table(rows, part)
    join_parts(parts, tmp_path / "whole")
    whole = pq.read_table(tmp_path / "whole")
    assert whole.column_names == both.column_names
    assert whole["id"].to_pylist() == ["a", "b", "a"]
    assert whole["challenger_score"].to_pylist() == [None, 0.75, None]


def test_scores_are_not_written_over_the_rows_that_they_are_of(tmp_path: Path) -> None:
    rows = tmp_path / "june.parquet"
    rows.write_bytes(b"the only copy")
    (tmp_path / "same.parquet").hardlink_to(rows)
    for out in ("june.parquet", "same.parquet", "../" + tmp_path.name + "/june.parquet"):
        done = CliRunner().invoke(batches.app, ["score", "churn", str(rows), "--offline", "-o", str(tmp_path / out)])
        assert "would lose it: name another OUT" in str(done.exception)
    assert rows.read_bytes() == b"the only copy"
