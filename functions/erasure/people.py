"""The people to be erased, and how to recognise their rows."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.ids import id_texts
from functions.shared.domain.spec import ModelSpec

_WORD = re.compile(r"\w+")


class People:
    """People's ids. A row belongs to them if the text of its id is one of these.

    Raw text belongs to them if it contains one of the ids as a separate word.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._ids = frozenset(ids)
        self._texts = id_texts(pa.array(sorted(self._ids), pa.string()))
        self._by_first_word: dict[str, list[str]] = defaultdict(list)
        for person in self._ids.union(self._texts.to_pylist()):
            found = _WORD.search(person)
            self._by_first_word[found[0] if found else ""].append(person)

    @property
    def count(self) -> int:
        """Return the number of ids."""
        return len(self._ids)

    def rows(self, ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
        """Mark people's rows by a column of ids of any type; the result has no nulls."""
        return pc.is_in(id_texts(ids), value_set=self._texts)

    def named_in(self, text: str) -> bool:
        """Return whether raw text names one of them.

        >>> People(["7", "ada b"]).named_in("17;x"), People(["7", "ada b"]).named_in("x;7"), People(["7", "ada b"]).named_in('"ada b"')
        (False, True, True)
        """
        return any(self._stands_in(spelled) for spelled in _spellings(text))

    def _stands_in(self, text: str) -> bool:
        words = {"", *_WORD.findall(text)}
        candidates = (person for word in words & self._by_first_word.keys() for person in self._by_first_word[word])
        return any(re.search(rf"(?<!\w){re.escape(person)}(?!\w)", text) for person in candidates)


@dataclass(frozen=True, slots=True)
class Subject:
    """The people to erase, and the model that stored their rows.

    `spec` names the id column, which all versions of a model share.
    """

    spec: ModelSpec
    people: People

    @property
    def model(self) -> str:
        """Return the model's name."""
        return self.spec.name


def _spellings(text: str) -> Iterator[str]:
    """Yield the text, and its meaning if it is JSON or has doubled quotes."""
    yield text
    yield text.replace('""', '"')
    if "\\" in text:
        for line in text.splitlines():
            with suppress(json.JSONDecodeError):
                yield "\n".join(_leaves(json.loads(line)))


def _leaves(value: object) -> Iterator[str]:
    """Yield the values of a JSON document."""
    match value:
        case dict():
            yield from chain.from_iterable(map(_leaves, value.values()))
        case list():
            yield from chain.from_iterable(map(_leaves, value))
        case _:
            yield str(value)
