"""Check a file's columns: distinct names, not too many, and none missing."""

from collections.abc import Iterable, Sequence

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode
from functions.shared.reading.conform import shown
from functions.shared.reading.limits import MAX_COLUMNS

_LISTED = 10


def refuse_columns(names: Sequence[str], needed: Iterable[str]) -> None:
    """Refuse a file whose columns repeat, are too many, or lack a needed one.

    Raises:
        BatchRejectedError: `too_many_columns`, `duplicate_column` or `missing_column`.
    """
    refuse_too_many(names)
    seen: set[str] = set()
    for name in names:
        if name in seen:
            message = f"the file has two columns {shown(name)}"
            raise BatchRejectedError(FileCode.DUPLICATE_COLUMN, message)
        seen.add(name)
    missing = [name for name in needed if name not in seen]
    if missing:
        message = f"the file lacks {listed(missing)}; its columns are {listed(names)}"
        raise BatchRejectedError(FileCode.MISSING_COLUMN, message)


def refuse_too_many(names: Sequence[str]) -> None:
    """Refuse a file that has more columns than the limit.

    Raises:
        BatchRejectedError: `too_many_columns`.
    """
    if len(names) > MAX_COLUMNS:
        message = f"the file has {len(names)} columns, the limit is {MAX_COLUMNS}"
        raise BatchRejectedError(FileCode.TOO_MANY_COLUMNS, message)


def listed(names: Sequence[str]) -> str:
    """List names in a message, at most a few of them.

    >>> listed(["temp", "wind"])
    "'temp', 'wind'"
    """
    head = ", ".join(shown(name) for name in names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{head}{more}"
