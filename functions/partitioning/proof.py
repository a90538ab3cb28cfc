"""Whether a text was cut between its records, from what its portions show.

The first portion begins where the file does. If it ends outside of quotes, the second begins outside of them, and so on: when all
portions but the last are closed, every cut lies between records, whatever else the file holds.
"""

from collections.abc import Sequence
from enum import Enum

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import BatchError
from functions.shared.domain.partition import PartitionResult
from functions.shared.domain.rejections import FileCode

LAST_TURN = 2
"""A second cut follows from the number of quotes; where that number does not decide, a third would know no more."""


class Cuts(Enum):
    """What the results of all partitions mean."""

    PROVED = "proved"
    CUT_AGAIN = "cut again"


def judge_cuts(results: Sequence[PartitionResult], *, turn: int) -> Cuts:
    """Whether the results, in order, are those of the whole file.

    Raises:
        BatchRejectedError: what a partition refused the file for, if it began where a record does; or `bare_quote`, if the file
            has quotes inside unquoted fields, so that counting them says nothing.
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
