"""Find the lines of JSON that Arrow reads exactly as Python's json module does.

They are flat objects of known keys, each value null or of its key's type. Other lines may or may not read the same.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.foundation.arrow import Mask, mask_of, numbers_of, valid_mask
from functions.shared.reading.json_records import Record
from functions.shared.reading.records import Spans
from functions.shared.reading.rules import ColumnKind, Rules

_SPACE = r"[ \t]*"
_INTEGER = r"-?(?:0|[1-9][0-9]{0,17})"
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_WHOLE_CHARACTER = r"u(?:[0-9a-ce-fA-CE-F][0-9a-fA-F]{3}|[dD][0-7][0-9a-fA-F]{2})"
_TEXT = rf'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|{_WHOLE_CHARACTER}))*"'
_GRAMMARS = {pa.float64(): _NUMBER, pa.int64(): _INTEGER, pa.bool_(): "true|false", pa.string(): _TEXT}
_ALIKE = 1e10
"""From this value on, an integer and the float of its value have different texts."""


class LineShape:
    """The keys and Arrow types of a file's objects, from those at its head."""

    def __init__(self, names: Sequence[str], head: Sequence[Record], rules: Rules) -> None:
        types = [_commonest_type([record.get(name) for record in head], rules.of(name).kind) for name in names]
        fields = [(name, kind) for name, kind in zip(names, types, strict=True) if kind is not None]
        self.schema = pa.schema(fields) if len(fields) == len(names) else None
        """None if some key's values are mostly nested."""

    def matches(self, data: bytes, found: Spans) -> Mask:
        """Mark the lines of this shape."""
        nothing = np.zeros(len(found.starts), np.bool_)
        if self.schema is None or not len(found.starts):
            return nothing
        offsets = np.append(found.starts, len(data)).astype(np.int32)
        lines = pa.Array.from_buffers(pa.string(), len(found.starts), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
        try:
            return mask_of(pc.match_substring_regex(lines, self._pattern))
        except pa.ArrowInvalid:  # too many columns for one expression
            return nothing

    @cached_property
    def _pattern(self) -> str:
        by_type = {kind: [field.name for field in self.schema or () if field.type == kind] for kind in _GRAMMARS}
        members = "|".join(f"(?:{_keys(names)}){_SPACE}:{_SPACE}(?:{_GRAMMARS[kind]}|null)" for kind, names in by_type.items() if names)
        return rf"^\{{{_SPACE}(?:{members})(?:{_SPACE},{_SPACE}(?:{members}))*{_SPACE}\}}[\r\n]*$"


def _keys(names: Sequence[str]) -> str:
    written = {json.dumps(name, ensure_ascii=ascii_only) for name in names for ascii_only in (True, False)}
    return "|".join(sorted(map(re.escape, written)))


def _commonest_type(values: Sequence[object], kind: ColumnKind) -> pa.DataType | None:
    """Return the type of most of a key's values; None if that is a nested one."""
    seen = Counter(map(type, values))
    holds: dict[pa.DataType | None, int] = {
        pa.string(): seen[str],
        pa.bool_(): 0 if kind is ColumnKind.NUMBER else seen[bool],
        pa.int64(): 0 if kind is ColumnKind.NUMBER else seen[int],
        pa.float64(): seen[float] + seen[int] if seen[float] or kind is ColumnKind.NUMBER else 0,
        None: seen[list] + seen[dict],
    }
    return max(holds, key=lambda found: (holds[found], found == pa.float64() and kind is ColumnKind.NUMBER))


def may_be_integers(floats: pa.Array) -> bool:
    """Return whether some numbers may be integers whose text differs as floats."""
    values = numbers_of(floats, np.float64)[valid_mask(floats)]
    whole = values == np.floor(values)
    return bool((whole & ((np.abs(values) >= _ALIKE) | ((values == 0) & np.signbit(values)))).any())
