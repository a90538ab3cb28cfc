"""Messages with fields, and the search for those that may make up a text."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

_FIELDS = re.compile(r"(?:\{\d+\})+")
"""A field, or several without a word between: what stands there is found as one text."""
_FIELD = re.compile(r"\{\d+\}")
_COLON = ": "
_WORD = re.compile(r"\w+")
_WHOLE_WORD = re.compile(r"(?<=\W)\w+(?=\W)")
"""A word that no field can lengthen."""
_PARTICULAR = 8
"""Characters in a row from which a message with fields is hardly met by chance."""


@dataclass(frozen=True, slots=True)
class Template:
    """A composed message with fields, and its translation.

    It has a pattern, its longest part between fields, and how many fields stand at each place.

    It is opened if it begins with words, as `line {0}: {1}` does.
    """

    pattern: str
    landmark: str
    has_colon: bool
    is_opened: bool
    sizes: tuple[int, ...]
    translation: str

    def is_general(self, text: str) -> bool:
        """Return whether the template may meet a text by chance.

        Such a template may also take a column's name into its first field.
        """
        if self.is_opened:
            return len(self.landmark) < _PARTICULAR and not self.has_colon
        return len(self.landmark) < _PARTICULAR or (_COLON in text and not self.has_colon)

    def found_in(self, text: str, before: str = "") -> tuple[str, ...] | None:
        """Return what fills the fields if the whole text is the message.

        The message may follow what matches `before`.
        """
        found = re.fullmatch(before + self.pattern, text, re.DOTALL)
        return found and found.groups()

    def filled(self, values: Iterable[str]) -> str:
        """Return the translation with what stands at its places."""
        fields = (field for value, size in zip(values, self.sizes, strict=True) for field in (value, *[""] * (size - 1)))
        return self.translation.format(*fields)


class Templates:
    """The templates of messages, indexed by a word of their landmarks.

    So a text is compared with a few of thousands.
    """

    def __init__(self, messages: Mapping[str, str]) -> None:
        self._by_word: dict[str, list[tuple[int, Template]]] = defaultdict(list)
        for rank, message in enumerate(sorted(messages, key=lambda message: -len(_FIELD.sub("", message)))):
            template = _template(message, messages[message])
            word = max(_WHOLE_WORD.findall(template.landmark), key=len, default="")
            self._by_word[word].append((rank, template))

    def met_by(self, text: str) -> list[Template]:
        """Return the templates whose landmark stands in a text, most specific first."""
        words = {"", *_WORD.findall(text)}
        ranked = chain.from_iterable(self._by_word.get(word, ()) for word in words)
        found = {rank: template for rank, template in ranked if template.landmark in text}
        return [found[rank] for rank in sorted(found)]


def has_fields(message: str) -> bool:
    """Return whether a message has numbered fields."""
    return bool(_FIELD.search(message))


def _template(message: str, translation: str) -> Template:
    parts = [part.replace("{{", "{").replace("}}", "}") for part in _FIELDS.split(message)]
    return Template(
        pattern="(.*?)".join(map(re.escape, parts)),
        landmark=max(parts, key=len),
        has_colon=any(_COLON in part for part in parts),
        is_opened=bool(parts[0].strip()),
        sizes=tuple(len(_FIELD.findall(fields)) for fields in _FIELDS.findall(message)),
        translation=translation,
    )
