"""Files that are sent as the functions read them."""

import gzip
from pathlib import Path

import pytest

from functions.shared.domain.errors import InputError
from infra.cli.converted import converted

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


@pytest.mark.parametrize(
    ("encoding", "told"), [("ascii", "is not ascii throughout"), ("klingon", "there is no encoding 'klingon'"), ("utf-16", "leave it out")]
)
def test_text_that_is_not_of_the_named_encoding_is_refused(tmp_path: Path, encoding: str, told: str) -> None:
    (tmp_path / "june.csv").write_bytes(TEXT.encode())
    with pytest.raises(InputError, match=told), converted(tmp_path / "june.csv", encoding=encoding):
        pass
