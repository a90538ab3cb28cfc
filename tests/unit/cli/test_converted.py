"""Files that are sent as the functions read them."""

import gzip
from pathlib import Path

import pytest

from functions.shared.domain.errors import InputError
from infra.cli.converted import converted, spoken_encoding
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


FEW_CHINESE = "id,名\n1,王\n2,北\n".encode("gb18030")


@pytest.mark.parametrize(
    ("body", "chosen", "named"),
    [
        (FEW_CHINESE, "zh", "gb18030"),
        (FEW_CHINESE, "en", None),
        (gzip.compress(FEW_CHINESE, mtime=0), "zh", "gb18030"),
        (TEXT.encode(), "zh", None),
        ("id,ville\n1,Orléans\n".encode("cp1252"), "zh", None),
        (b"PAR1\x15\x04\x00\xb0\xa1\xb0\xa1\nPAR1", "zh", None),
    ],
)
def test_the_readers_language_settles_what_few_characters_leave_in_doubt(
    tmp_path: Path, body: bytes, chosen: str, named: str | None
) -> None:
    (tmp_path / "customers.csv").write_bytes(body)
    with speaking(chosen):
        assert spoken_encoding(tmp_path / "customers.csv") == named


@pytest.mark.parametrize(
    ("encoding", "told"), [("ascii", "is not ascii throughout"), ("klingon", "there is no encoding 'klingon'"), ("utf-16", "leave it out")]
)
def test_text_that_is_not_of_the_named_encoding_is_refused(tmp_path: Path, encoding: str, told: str) -> None:
    (tmp_path / "june.csv").write_bytes(TEXT.encode())
    with pytest.raises(InputError, match=told), converted(tmp_path / "june.csv", encoding=encoding):
        pass
