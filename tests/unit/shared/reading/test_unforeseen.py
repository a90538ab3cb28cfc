"""What a reader did not foresee refuses the file; what the source or the memory lacks is tried again."""

import logging
from collections.abc import Callable

import pytest

from functions.shared.domain.errors import BatchRejectedError, ConservationError, NotFoundError
from functions.shared.domain.partition import Portion
from functions.shared.domain.policy import RowContract
from functions.shared.reading.files import read_blocks
from functions.shared.reading.portions import Ledger, read_portion
from functions.shared.reading.readable import Readable
from tests.unit.shared.reading.files import SPEC, MemoryFile
from tests.unit.shared.reading.test_files import CSV
from tests.unit.shared.reading.test_parquet import COLUMNS, written

CONTRACT = RowContract()
KEY = "batches/trees/rows.csv"


def whole(source: Readable) -> None:
    list(read_blocks(source, key=KEY, spec=SPEC, contract=CONTRACT))


def portion(source: Readable) -> None:
    part = Portion(kind="csv", start=0, stop=len(CSV))
    list(read_portion(source, key=KEY, portion=part, spec=SPEC, contract=CONTRACT, ledger=Ledger()))


READERS = pytest.mark.parametrize("read", [whole, portion])


@READERS
@pytest.mark.parametrize("error", [ValueError("buffer is smaller"), OverflowError("date value out of range"), ConservationError("2 of 3")])
def test_a_defect_of_a_reader_refuses_the_file_by_name_and_is_logged(
    read: Callable[[Readable], None], error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("functions.shared.reading.delimited.conform", broken)
    with caplog.at_level(logging.ERROR), pytest.raises(BatchRejectedError) as refused:
        read(MemoryFile(CSV))
    assert refused.value.code == "unreadable"
    assert f"{type(error).__name__}: {error}" in refused.value.message
    assert refused.value.remedy
    [record] = caplog.records
    assert KEY in record.message
    assert record.exc_info
    assert record.exc_info[1] is error


@READERS
def test_lack_of_memory_is_not_blamed_on_the_file(read: Callable[[Readable], None], monkeypatch: pytest.MonkeyPatch) -> None:
    def starved(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("functions.shared.reading.delimited.conform", starved)
    with pytest.raises(MemoryError):
        read(MemoryFile(CSV))


@READERS
@pytest.mark.parametrize("failure", [ValueError("a stream that broke off"), TimeoutError("timed out"), NotFoundError("gone")])
def test_a_failure_of_the_source_is_raised_as_it_is(read: Callable[[Readable], None], failure: Exception) -> None:
    class Failing(MemoryFile):
        def read_at(self, offset: int, length: int) -> bytes:
            raise failure

    with pytest.raises(type(failure)) as raised:
        read(Failing(CSV))
    assert raised.value is failure


def test_a_failure_of_the_source_is_raised_even_where_a_reader_took_it_for_a_damaged_file() -> None:
    failure = TimeoutError("timed out")  # which has no error number, as those of Arrow's own have none

    class Failing(MemoryFile):
        def read_at(self, offset: int, length: int) -> bytes:
            if offset and length > len(b"PAR1"):
                raise failure
            return super().read_at(offset, length)

    with pytest.raises(TimeoutError) as raised:
        list(read_blocks(Failing(written(COLUMNS)), key="rows.parquet", spec=SPEC, contract=CONTRACT))
    assert raised.value is failure
