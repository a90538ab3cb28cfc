"""Parse JSON Lines of like objects, as most are, with the compiled kernel."""

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.foundation.arrow import with_nulls
from functions.shared.kernels.fields import Fields
from functions.shared.kernels.library import kernel_library
from functions.shared.kernels.objects import ObjectKernel, Token, absent
from functions.shared.reading.encodings import is_utf8
from functions.shared.reading.json_shape import may_be_integers
from functions.shared.reading.plain_fields import number_column, text_column, typed_column
from functions.shared.reading.records import Spans
from functions.shared.reading.rules import ColumnKind, Rules
from functions.shared.reading.values import to_texts

_TOKENS: Mapping[pa.DataType, Token] = {
    pa.string(): Token.TEXT,
    pa.float64(): Token.NUMBER,
    pa.int64(): Token.INTEGER,
    pa.bool_(): Token.BOOLEAN,
}
type Places = NDArray[np.int64]

_VALUES_A_BYTE = 4
"""Values for which a thread keeps room per byte of text, absent ones too: of a wide file with short lines it would be gigabytes."""


class PlainObjects:
    """Reads lines of objects with the same keys; safe to call from several threads."""

    def __init__(self, schema: pa.Schema | None, rules: Rules) -> None:
        """Take the keys with the types of their values, if none is nested."""
        library = kernel_library()
        self._columns = [] if schema is None else [(field.name, _TOKENS[field.type]) for field in schema]
        self._rules = rules
        usable = schema is not None and all(_is_bare(name) for name, _ in self._columns)
        self._kernel = ObjectKernel(library, self._columns) if library is not None and usable else None

    def read(self, data: bytes, found: Spans) -> tuple[pa.RecordBatch, Places] | None:
        """Parse lines; None if the kernel is not for them.

        It is not there, most lines or a number are not plain, or nearly all values are absent.

        Returns:
            The columns, not yet checked against their rules, and the places of the other lines, which are left out.
        """
        if self._kernel is None or not is_utf8(data) or len(self._columns) * len(found.starts) > _VALUES_A_BYTE * len(data):
            return None
        fields, aside = self._kernel.place(data, found.starts, found.ends)
        if 2 * len(aside) > len(found.starts):
            return None
        columns = {}
        for place, (name, token) in enumerate(self._columns):
            column = self._column(fields, place, name, token)
            if column is None:
                return None
            columns[name] = column
        return pa.RecordBatch.from_pydict(columns), aside

    def _column(self, fields: Fields, place: int, name: str, token: Token) -> pa.Array | None:
        """Return a column's values as texts or typed; None if a number is not plain."""
        if token is Token.NUMBER:
            numbers = number_column(fields, place)
            if numbers is None or self._rules.of(name).kind is ColumnKind.NUMBER:
                return numbers
            return None if may_be_integers(numbers) else to_texts(numbers)
        if (typed := typed_column(fields, place, self._rules.plainly(name))) is not None:
            return typed
        texts, missing = text_column(fields, place), absent(fields, place)
        return with_nulls(texts, missing) if missing.any() else texts


def _is_bare(name: str) -> bool:
    """Return whether JSON writes a key as it is."""
    return json.dumps(name, ensure_ascii=False) == f'"{name}"'
