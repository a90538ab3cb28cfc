"""A portion of a file is read as it is within the whole, and refused in the same words."""

import codecs
import json

import pytest

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.partition import Portion
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.reading import jsonlines, portions, records
from functions.shared.reading.files import read_blocks
from functions.shared.reading.portions import Ledger, read_portion
from tests.unit.shared.reading.files import MemoryFile

SPEC = ModelSpec(
    name="m",
    task=Task.REGRESSION,
    target="y",
    id_column="id",
    features=(Feature(name="x", kind=FeatureKind.NUMBER),),
    metric="rmse",
    estimator="e",
)


def test_a_record_beyond_the_limit_is_refused_in_a_portion_as_in_the_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 40)
    body = b"id,x\n" + b"a,1\n" * 10 + b"b," + b"9" * 200 + b"\n"
    file = MemoryFile(body)
    with pytest.raises(BatchRejectedError) as whole:
        list(read_blocks(file, key="a.csv", spec=SPEC, contract=RowContract(), block_bytes=20))
    portion = Portion(kind="csv", start=25, stop=len(body))
    with pytest.raises(BatchRejectedError) as parted:
        list(read_portion(file, key="a.csv", portion=portion, spec=SPEC, contract=RowContract(), ledger=Ledger(), block_bytes=20))
    assert whole.value.code == parted.value.code == "line_too_long"
    assert str(whole.value) == str(parted.value)
    assert f"byte {body.index(b'b,')} " in str(whole.value)


def test_a_byte_order_mark_leaves_the_columns_of_json_lines_as_the_whole_file_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps({"id": "a", "x": 1}), json.dumps({"id": "b", "x": 2, "late": 3})]
    body = codecs.BOM_UTF8 + "\n".join([*lines, lines[0], ""]).encode()
    for module in (jsonlines, portions):
        monkeypatch.setattr(module, "JSONL_HEAD_BYTES", len("\n".join(lines)))
    file, contract = MemoryFile(body), RowContract()
    [whole] = read_blocks(file, key="a.jsonl", spec=SPEC, contract=contract)
    portion = Portion(kind="jsonl", start=0, stop=len(body))
    [parted] = read_portion(file, key="a.jsonl", portion=portion, spec=SPEC, contract=contract, ledger=Ledger())
    assert parted == whole
