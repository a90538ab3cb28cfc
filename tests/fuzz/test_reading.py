"""Files that nobody would send, and some that a fuzzer makes up, keep every promise of the row contract."""

import gzip
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.plain_reader import read_plainly
from tests.fuzz.properties import check

HERE = Path(__file__).parent
CORPUS = sorted((HERE / "corpus").iterdir())
RUNS = 1500
READ_ALL = """
import sys
from pathlib import Path
from functions.shared.reading.rules import ColumnKind
from functions.shared.reading.files import read_table
from functions.shared.reading.readable import LocalFile
read_table(LocalFile(Path(sys.argv[1])), key="long.csv", columns={"id": ColumnKind.ID})
"""


@pytest.mark.parametrize("block_bytes", [1, 2, 7, 40, 300])
@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_a_nasty_file_is_read_as_the_contract_says_in_blocks_of_any_size(file: Path, block_bytes: int) -> None:
    check(file.read_bytes(), block_bytes)


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.name)
def test_a_nasty_file_may_be_gzipped(file: Path) -> None:
    check(gzip.compress(file.read_bytes(), mtime=0), 50)


def test_most_nasty_files_are_judged_by_the_plain_reader_too() -> None:
    judged = [file for file in CORPUS if read_plainly(file.read_bytes())]
    assert len(judged) > len(CORPUS) // 2


def test_a_carriage_return_between_fields_is_a_blank_for_both_readers() -> None:
    # RFC 8259, section 2: a carriage return is insignificant before or after any structural character.
    row = b'{"id":"%b","size":1,\r"colour":"red","wet":true,"at":"2013-01-01","age":5}'
    text = b"\n".join(row % name for name in (b"a", b"b", b'"x'))
    found = read_plainly(text[: text.rindex(b"\n")])
    assert found is not None
    assert ([known["id"] for known in found.rows], found.bad) == (["a", "b"], [])
    assert read_plainly(text) is None, "the last row is no JSON"
    check(text, 7)


@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="atheris has wheels for Linux on x86_64 only")
def test_a_fuzzer_finds_no_file_that_breaks_a_promise(tmp_path: Path) -> None:
    # The same inputs every time: what is found by chance belongs into `make fuzz`, not into somebody's unrelated change.
    command = [sys.executable, "-m", "tests.fuzz", "--runs", str(RUNS), "--seed", "1", "--found", str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    run = subprocess.run(command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-500:]
    assert "Done" in run.stderr


def test_a_process_that_dies_of_a_refused_file_ends(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_bytes(b"id,size,colour,wet,at,age\n" + b"x" * 40_000_000)
    command = [sys.executable, "-c", READ_ALL, str(file)]
    run = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert "longer than the limit" in run.stderr
