"""Sentences on a terminal."""

import re
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.containers import Lines
from rich.text import Text

_OPENING, _CLOSING = "\uff08\u300a\u300c\u201c\u2018", "\uff09\u300b\u300d\u201d\u2019\uff0c\u3002\uff1b\uff1a\u3001\uff01\uff1f"
_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff01-\uff60"
_SIGN = r"--[a-z-]+ (?:' '|[^\s\w-]+)"
_UNIT = re.compile(rf"[{_OPENING}]*(?:(?:`[^`]+`|{_SIGN}|[^\s{_WIDE}{_OPENING}{_CLOSING}])+|[{_WIDE}])[{_CLOSING}]*")
"""What stays on one line, with the punctuation around it.

That is a word, a command between backticks, an option with its sign such as `--decimal ,`, or a Chinese character.
"""


class Prose(Text):
    """Text that breaks between words or Chinese characters.

    A broken line goes on below its own beginning.

    A path or a command between backticks is never broken, even if it is longer than a line, so that it can be copied.
    """

    def wrap(self, console: Console, width: int, *, no_wrap: bool | None = None, **how: Any) -> Lines:
        """Return the text's lines, each no longer than `width` unless it is one word."""
        if no_wrap:
            return super().wrap(console, width, no_wrap=no_wrap, **how)
        return Lines(piece for line in self.split(allow_blank=True) for piece in _pieces(line, width))


def _pieces(line: Text, width: int) -> list[Text]:
    first, *others = line.divide(_breaks(line.plain, width)) or [line]
    indent = len(line.plain) - len(line.plain.lstrip())
    for piece in (first, *others):
        piece.rstrip()
    for piece in others:
        piece.pad_left(indent)
    return [first, *others]


def _breaks(line: str, width: int) -> list[int]:
    r"""Return where each further line begins.

    >>> _breaks("mend it, then type `everscore replay churn 47a2d1ba` again", 24), _breaks("一二三\uff0c四五", 6)
    ([19, 53], [2, 5])
    """
    indent = len(line) - len(line.lstrip())
    found: list[int] = []
    begin, room = 0, width
    for unit in _UNIT.finditer(line):
        if cell_len(line[begin : unit.end()]) > room and line[begin : unit.start()].strip():
            begin, room = unit.start(), width - indent
            found.append(begin)
    return found
