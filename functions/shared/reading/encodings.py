"""Find a text's encoding: by its mark, its zero bytes, a given name, or a sample.

charset-normalizer judges the sample. A wrong guess would silently change words, so if several encodings are plausible, none is
chosen and the file is refused.
"""

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode

HEAD_BYTES: Final = 2**16
"""Bytes at the start of a text that decide its encoding."""
UTF8: Final = "utf-8"
_WIDE_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LEAST_ZEROS: Final = 0.1
_TRIED: Final = ["cp1252", "gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1250", "cp1251", "cp1254", "koi8_r"]
"""Common encodings other than UTF-8, most common first.

cp1252 contains Latin-1, gb18030 GBK, cp932 Shift-JIS, and cp949 EUC-KR.
"""
_COMMON_LEADS: Final = {
    "gb18030": ((0xA1, 0xA3), (0xB0, 0xD7)),
    "big5": ((0xA1, 0xC6),),
    "cp932": ((0x81, 0x83), (0x88, 0x98)),
    "euc_jp": ((0xA1, 0xA5), (0xB0, 0xCF)),
    "cp949": ((0xA1, 0xA3), (0xB0, 0xC8)),
}
"""First bytes of the common characters: each standard orders its characters by use, rare ones behind common ones."""
_ALPHABETS: Final = {
    "cp1252": ("àâæçéèêëîïôœùûüÿ", "äöüß", "áéíóúñüªº", "áâãàçéêíóôõúü", "àèéìíòóùú", "æøåéü", "åäöéü", "áéëèïöüó", "áðéíóúýþæö"),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšžë", "ăâîşţ"),
    "cp1254": ("çğıiöşüâîû", "àâçéèêëîïôùûü"),  # noqa: RUF001
    "cp1251": ("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    "koi8_r": ("абвгдеёжзийклмнопрстуфхцчшщъыьэюя",),
}
"""Letters beyond ASCII of languages that an encoding was made for: no text has those of several."""
_SIGNS: Final = "€£§°²³½µ·«»–—‘’“”„…№"  # noqa: RUF001
_LATIN, _CYRILLIC = {"cp1252", "cp1250", "cp1254"}, {"cp1251", "koi8_r"}
_LEAST_BYTES: Final = 8
"""A sample with fewer non-ASCII bytes than this is not judged."""
_MANY_BYTES: Final = 16
_MARGIN, _WIDE_MARGIN = 0.12, 0.4
"""The lead an encoding needs over the next best, with many bytes and with fewer; measured on words of fourteen languages."""
_FAR: Final = 1.0
"""Nonsense from which a reading is implausible, and a lead that leaves no doubt."""
_WEIGHT: Final = 3
"""How much a share of strange characters counts, against the messiness that charset-normalizer finds."""
_SAMPLE_PIECES: Final = 400
_LEAST_READ: Final = 0.9
"""The share of non-ASCII fields that an encoding must decode; the rest count as damaged."""
_FEW_CHARACTERS: Final = 4
"""Fewer characters than this may look like UTF-8 by chance, if the named encoding decodes them too."""
_LAST_OF_TWO_BYTES: Final = "\u07ff"
"""The last character that UTF-8 writes with two bytes."""
_DIGITS: Final = b"0123456789"
_ASCII, _BEYOND_ASCII = bytes(range(0x80)), bytes(range(0x80, 0x100))
_ESCAPE: Final = b"\x1b$B"
"""What begins double bytes in ISO 2022, all of them ASCII."""
_SHOWN_CHARACTERS: Final = 40
_PIECE: Final = re.compile(rb'[^,"\t\r\n]*[\x80-\xff][^,"\t\r\n]*')
"""A field with non-ASCII bytes. A separator above ASCII may be half a character."""
_WITH_LATIN: Final = re.compile(r"[A-Za-z]+[^\W\dA-Za-z_]+|[^\W\dA-Za-z_]+(?=[A-Za-z])")
"""Letters beyond ASCII next to letters of ASCII."""
_LINE_END: Final = re.compile(rb"[\r\n]")
_REMEDY: Final = "save it as UTF-8, or name its encoding: --encoding of train, adopt, score and labels (utf-8 sets damaged rows aside)"


def encoding_of(head: bytes, named: str | None, *, complete: bool, detect: bool) -> str:
    """Return the encoding of a text under its Python name.

    Args:
        head: its first bytes, up to `HEAD_BYTES`.
        named: the encoding of the model's files, found in training or named by a person. A mark, or text that is clearly UTF-8,
            overrides it; ASCII leaves it standing.
        complete: whether `head` is the whole text.
        detect: whether to look for encodings that nobody named; not for JSON, which is UTF-8 and only otherwise what was named.

    Raises:
        BatchRejectedError: `invalid_encoding`, if the encoding is in doubt.
    """
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BatchRejectedError(FileCode.INVALID_ENCODING, "the file is UTF-32 text")
    if head.startswith(codecs.BOM_UTF8):
        return UTF8
    if wide := wide_encoding(head):
        return wide
    whole = head if complete else _whole_characters(head)
    if whole.isascii():
        return named or UTF8
    pieces = _PIECE.findall(whole)
    is_mostly_utf8 = _is_mostly_utf8(pieces)
    if is_mostly_utf8 and not (named and detect and _is_by_chance(pieces, named)):
        return UTF8
    if named and (named == UTF8 or _reads_nearly_all(named, pieces)):
        return named
    return _detected(whole) if detect and not is_mostly_utf8 else UTF8


def _is_by_chance(pieces: list[bytes], named: str) -> bool:
    """Return whether text of the named encoding may look like UTF-8.

    In one of double bytes it may: nearly a fifth of GB18030's common characters are also characters of two bytes in UTF-8. None is
    the beginning of three bytes, so a text with such characters is UTF-8. In one of single bytes UTF-8 would take a capital letter
    or ß directly in front of a sign, as in `ß»`, wherever a text has a letter beyond ASCII.
    """
    if not _has_double_bytes(named):
        return False
    read = [text for piece in pieces if (text := _decoded(piece, UTF8)) is not None]
    beyond = [character for text in read for character in text if not character.isascii()]
    return max(beyond) <= _LAST_OF_TWO_BYTES and (len(read) < len(pieces) or len(beyond) < _FEW_CHARACTERS)


def _has_double_bytes(encoding: str) -> bool:
    return len("一".encode(encoding, "ignore")) > 1


def shows_nothing(head: bytes) -> bool:
    """Return whether the whole characters at a text's start are all ASCII."""
    return _whole_characters(head).isascii()


def keeps_ascii(encoding: str) -> bool:
    """Return whether ASCII is itself in an encoding, wherever it stands."""
    text = _ASCII + _ESCAPE
    return _decoded(text, encoding) == text.decode()


def is_utf8_text(head: bytes) -> bool:
    """Return whether a text starts as UTF-8, perhaps with damaged rows."""
    whole = _whole_characters(head)
    return wide_encoding(head) is None and (is_utf8(whole) or _is_mostly_utf8(_PIECE.findall(whole)))


def is_utf8(data: bytes) -> bool:
    """Return whether bytes are valid UTF-8."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def wide_encoding(head: bytes) -> str | None:
    """Recognise UTF-16; None for other text.

    It has a mark, or every other byte of its first line is zero, as in ASCII characters.
    """
    if marked := _WIDE_MARKS.get(head[:2]):
        return marked
    first_line = _LINE_END.split(head, maxsplit=1)[0]
    upper, lower = first_line[::2].count(0), first_line[1::2].count(0)
    if upper + lower < max(2, _LEAST_ZEROS * len(first_line)) or (upper and lower):
        return None
    likely = "utf-16-be" if upper else "utf-16-le"
    return likely if _begins_as(likely, head) else None


def _begins_as(encoding: str, head: bytes) -> bool:
    """Return whether a text's start, perhaps cut inside a character, can be decoded."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _whole_characters(head: bytes) -> bytes:
    """Return the start of a text without a last character that was cut in half."""
    return head[: head.rfind(b"\n") + 1] or head.rstrip(_BEYOND_ASCII)


def _reads_nearly_all(encoding: str, pieces: list[bytes]) -> bool:
    """Return whether an encoding decodes nearly all non-ASCII fields of a text."""
    return sum(_decoded(piece, encoding) is not None for piece in pieces) >= _LEAST_READ * len(pieces)


def _decoded(piece: bytes, encoding: str) -> str | None:
    try:
        return piece.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_mostly_utf8(pieces: list[bytes]) -> bool:
    """Return whether most non-ASCII fields of a text are UTF-8."""
    return 2 * sum(map(is_utf8, pieces)) > len(pieces)


@dataclass(frozen=True, slots=True)
class EncodingDoubt:
    """Which encodings a text may be in, and what a person can do."""

    encodings: tuple[str, ...]
    message: str
    remedy: str


def _detected(text: bytes) -> str:
    """Return the encoding that a text shows, or UTF-8 if damage is as likely."""
    judged = _judged(text)
    if isinstance(judged, str):
        return judged
    if is_utf8(text.lstrip().splitlines()[0]) and not (_is_mostly_other(text) and _beyond_ascii(_PIECE.findall(text)) >= _LEAST_BYTES):
        return UTF8
    raise BatchRejectedError(FileCode.INVALID_ENCODING, judged.message, judged.remedy)


def shown_encoding(text: bytes) -> str | EncodingDoubt:
    """Return the encoding that whole lines of a text show, or candidates.

    Binary data counts as UTF-8, since other parts judge that.
    """
    return UTF8 if b"\0" in text or is_utf8_text(text) else _judged(_whole_characters(text))


def _judged(text: bytes) -> str | EncodingDoubt:
    found = _PIECE.findall(text)
    pieces = _distinct(found)
    readings = _readings(pieces, found)
    alike = _alike(readings, pieces)
    if len(alike) == 1 and _shows_enough(readings, pieces, found):
        return alike[0].encoding
    likely = sorted(alike, key=_commonest)[:3]
    shown = [f"{reading.encoding}: {reading.words[0][:_SHOWN_CHARACTERS]!r}" for reading in likely]
    guesses = f"it begins as {', '.join(shown)}" if shown else "it is none that is known"
    message = f"the text is not UTF-8, and its encoding is in doubt: {guesses}"
    if len(likely) == 1:
        message = f"the text is not UTF-8, and too few letters show its encoding: it may begin as {shown[0]}"
    remedy = f"if that is right, add --encoding {likely[0].encoding}; otherwise {_REMEDY}" if len(likely) == 1 else _REMEDY
    return EncodingDoubt(tuple(reading.encoding for reading in alike), message, remedy)


def _distinct(pieces: list[bytes]) -> list[bytes]:
    """Return words that differ by more than digits.

    Otherwise the word in front of numbered ids outweighs all others.
    """
    found: dict[bytes, bytes] = {}
    for piece in pieces:
        found.setdefault(piece.translate(None, _DIGITS), piece)
    return list(found.values())[:_SAMPLE_PIECES]


def _alike(readings: "list[_Reading]", pieces: list[bytes]) -> "list[_Reading]":
    """Return the readings that make about as much sense as the best."""
    margin = _MARGIN if _beyond_ascii(pieces) >= _MANY_BYTES else _WIDE_MARGIN
    return [reading for reading in readings if reading.nonsense < readings[0].nonsense + margin]


def _shows_enough(readings: "list[_Reading]", distinct: list[bytes], found: list[bytes]) -> bool:
    """Return whether the best reading rests on enough bytes.

    It may also lead so far that the same few bytes, repeated, suffice.
    """
    is_far_ahead = len(readings) == 1 or readings[1].nonsense - readings[0].nonsense >= _FAR
    return readings[0].nonsense < _FAR and _beyond_ascii(found if is_far_ahead else distinct) >= _LEAST_BYTES


def _beyond_ascii(pieces: Iterable[bytes]) -> int:
    return sum(len(piece.translate(None, _ASCII)) for piece in pieces)


def _is_mostly_other(text: bytes) -> bool:
    """Return whether most lines are not UTF-8, so that few rows would remain."""
    lines = text.splitlines()
    return 2 * sum(map(is_utf8, lines)) < len(lines)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Words as an encoding decodes them, and a penalty for how implausible they are."""

    encoding: str
    words: tuple[str, ...]
    nonsense: float


def _commonest(reading: _Reading) -> int:
    return _TRIED.index(reading.encoding)


def _readings(pieces: list[bytes], found: list[bytes]) -> list[_Reading]:
    """List the encodings that decode nearly all fields found, most plausible first.

    How plausible an encoding is, its distinct pieces say. One that decodes them to the same words as an earlier one is left out.
    """
    from charset_normalizer import from_bytes

    readings: dict[tuple[str, ...], _Reading] = {}
    for encoding in _TRIED:
        read = [piece for piece in pieces if _decoded(piece, encoding) is not None]
        if not read or not _reads_nearly_all(encoding, found):
            continue
        words = tuple(piece.decode(encoding) for piece in read)
        match = None if encoding in _LATIN else from_bytes(b"\n".join(read), cp_isolation=[encoding]).best()
        if match is not None or encoding in _LATIN:
            readings.setdefault(words, _Reading(encoding, words, (match.chaos if match else 0) + _WEIGHT * _strange(words, encoding)))
    return sorted(readings.values(), key=lambda reading: (reading.nonsense, _commonest(reading)))


def _strange(words: Sequence[str], encoding: str) -> float:
    """Return the share of non-ASCII characters that texts of an encoding hardly have.

    These are rare characters, letters of another language than most, and letters of another alphabet than their word.
    """
    beyond = Counter(character.lower()[0] for word in words for character in word if not character.isascii())
    if encoding in _COMMON_LEADS:
        strange = sum(count for character, count in beyond.items() if not _is_common(character, encoding))
    else:
        strange = min(sum(count for letter, count in beyond.items() if letter not in known + _SIGNS) for known in _ALPHABETS[encoding])
    mixed = sum(len(part) for word in words for part in _WITH_LATIN.findall(word)) if encoding in _CYRILLIC else 0
    return min(1.0, (strange + mixed) / max(1, beyond.total()))


def _is_common(character: str, encoding: str) -> bool:
    written = character.encode(encoding)
    return len(written) > 1 and any(first <= written[0] <= last for first, last in _COMMON_LEADS[encoding])
