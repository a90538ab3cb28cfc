"""Prove from the results of its portions that a text was cut between records.

The first portion begins where the file does. If it ends outside quotes, the second begins outside quotes, and so on. So if all
portions but the last are closed, every cut lies between records, whatever the file contains.
"""

from collections.abc import Sequence
from enum import Enum

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import BatchError
from functions.shared.domain.partition import PartitionResult
from functions.shared.domain.rejections import FileCode

LAST_TURN = 2
"""Turns to try. The second cut uses the number of quotes; a third would know no more."""


class Cuts(Enum):
    """The conclusion from the results of all partitions."""

    PROVED = "proved"
    CUT_AGAIN = "cut again"


def judge_cuts(results: Sequence[PartitionResult], *, turn: int) -> Cuts:
    """Judge whether the results, in order, are those of the whole file.

    Raises:
        BatchRejectedError: the refusal of a partition, if that began at a record; or `bare_quote`, if the file has quotes inside
            unquoted fields, so that counting quotes is useless.
    """
    for result in results[:-1]:
        _refuse(result.error)
        if not result.closed:
            if turn < LAST_TURN:
                return Cuts.CUT_AGAIN
            where = f"between byte {result.portion.start} and byte {result.portion.stop}"
            message = f"a quote {where} is neither around a field nor doubled inside one, so that the file cannot be cut between its rows"
            raise BatchRejectedError(FileCode.BARE_QUOTE, message)
    _refuse(results[-1].error)
    return Cuts.PROVED


def _refuse(error: BatchError | None) -> None:
    if error is not None:
        raise BatchRejectedError(FileCode(error.code), error.message, error.remedy)
