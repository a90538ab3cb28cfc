"""Files that are sent as the functions read them."""

import gzip
from pathlib import Path

import pytest

from functions.shared.domain.errors import InputError
from infra.cli.converted import converted, settled_encoding
from infra.words import speaking

TEXT = "id,名\r\n1,北京\r\n" * 1000


@pytest.mark.parametrize("zipped", ["", ".gz"])
def test_text_of_a_named_encoding_is_sent_in_utf8_with_a_mark(tmp_path: Path, zipped: str) -> None:
    file = tmp_path / f"june.csv{zipped}"
    body = TEXT.encode("gb18030")
    file.write_bytes(gzip.compress(body) if zipped else body)
    with converted(file, encoding="GBK") as sent:
        assert (sent.name, sent.read_bytes()) == ("june.csv", TEXT.encode("utf-8-sig"))
    assert not sent.exists()


def test_a_file_of_no_named_encoding_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "june.csv").write_text(TEXT, "utf-8")
    with converted(tmp_path / "june.csv") as sent:
        assert sent == tmp_path / "june.csv"


PLAIN = b"id,ville\n" + b"1,Paris\n" * 20_000
VILLES = "id,ville\n1,Orléans\n2,Besançon\n3,Nîmes\n4,Sète\n5,Chalon-sur-Saône\n6,Angoulême\n7,Évreux\n8,Béziers\n9,Liège\n"
FEW_CHINESE = "id,名\n1,王\n2,北\n".encode("gb18030")


@pytest.mark.parametrize(
    ("body", "chosen", "named"),
    [
        (FEW_CHINESE, "zh", "gb18030"),
        (gzip.compress(FEW_CHINESE, mtime=0), "zh", "gb18030"),
        (TEXT.encode(), "zh", None),
        ("id,ville\n1,Orléans\n".encode(), "en", None),
        (PLAIN + VILLES.encode("cp1252"), "en", "cp1252"),
        (VILLES.encode("cp1252"), "en", None),
        (b"PAR1\x15\x04\x00\xb0\xa1\xb0\xa1\nPAR1", "zh", None),
    ],
)
def test_the_readers_language_settles_what_few_characters_leave_in_doubt(
    tmp_path: Path, body: bytes, chosen: str, named: str | None
) -> None:
    (tmp_path / "customers.csv").write_bytes(body)
    with speaking(chosen):
        assert settled_encoding(tmp_path / "customers.csv") == named


@pytest.mark.parametrize(
    ("body", "chosen", "said"),
    [
        ("id,ville\n1,Orléans\n2,Paris\n".encode("cp1252"), "en", "too few letters show its encoding: it may begin as cp1252: 'Orléans'"),
        ("id,ville\n1,Orléans\n2,Paris\n".encode("cp1252"), "zh", "add --encoding cp1252"),
        (PLAIN + "2,Orléans\n".encode("cp1252"), "en", "(utf-8 sets damaged rows aside)"),
        (gzip.compress(FEW_CHINESE, mtime=0), "en", "its encoding is in doubt"),
    ],
)
def test_rows_in_an_encoding_that_nothing_settles_are_asked_about_before_they_are_sent(
    tmp_path: Path, body: bytes, chosen: str, said: str
) -> None:
    (tmp_path / "customers.csv").write_bytes(body)
    with speaking(chosen), pytest.raises(InputError) as refused:
        settled_encoding(tmp_path / "customers.csv")
    assert said in str(refused.value)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text_that_is_utf_8_but_for_some_rows_is_sent_byte_by_byte(tmp_path: Path, mark: bytes) -> None:
    body = b"id,ville\n1,Orl\xe9ans\r\n2,Paris\n"
    (tmp_path / "june.csv").write_bytes(mark + body)
    with converted(tmp_path / "june.csv", encoding="utf-8") as sent:
        assert sent.read_bytes() == b"\xef\xbb\xbf" + body


@pytest.mark.parametrize(
    ("encoding", "said"), [("ascii", "is not ascii throughout"), ("klingon", "there is no encoding 'klingon'"), ("utf-16", "leave it out")]
)
def test_text_that_is_not_of_the_named_encoding_is_refused(tmp_path: Path, encoding: str, said: str) -> None:
    (tmp_path / "june.csv").write_bytes(TEXT.encode())
    with pytest.raises(InputError, match=said), converted(tmp_path / "june.csv", encoding=encoding):
        pass
