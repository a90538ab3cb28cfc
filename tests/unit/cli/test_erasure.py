"""The ids that a file asks to be erased."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.errors import InputError
from infra.cli.erasure import ids_in
from tests.fakes.versions import make_version

SPEC = make_version().spec


def test_ids_are_read_once_each_from_any_format_as_batches_have_them(tmp_path: Path) -> None:
    csv, parquet = tmp_path / "ids.csv", tmp_path / "ids.parquet"
    csv.write_text("name;id\nAda;7\nBob; 8\nAda;7\n")
    pq.write_table(pa.table({"id": [7, 8, 7]}), parquet)
    assert ids_in(csv, SPEC) == ["7", " 8"]
    assert ids_in(parquet, SPEC) == ["7", "8"]


@pytest.mark.parametrize(("text", "told"), [("id,name\n,Ada\n", "cannot be read"), ("name\nAda\n", "'id'"), ("", "no bytes")])
def test_a_file_without_ids_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "ids.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=told):
        ids_in(file, SPEC)
