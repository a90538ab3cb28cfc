"""Texts in other encodings than UTF-8, against Python's own codecs."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.formats import Formats
from functions.shared.reading.encodings import HEAD_BYTES, encoding_of, is_utf8
from functions.shared.reading.file_formats import reader_of
from functions.shared.reading.files import read_table
from functions.shared.reading.formats import detect_format
from functions.shared.reading.rules import ColumnKind, table_rules
from functions.shared.reading.text import Notes
from tests.unit.shared.reading.files import MemoryFile, read, refusal

CHINESE = "北京 上海 广州 深圳 杭州 南京 成都 重庆 基本套餐 高级套餐 专业套餐 已流失客户 备注 张伟 王芳 李娜 刘洋 陈静 杨勇 赵敏 黄磊 周杰 吴刚 的 是 不 了 在 有 我们"
WORDS = {
    "gb18030": CHINESE,
    "big5": "臺北 高雄 臺中 桃園 基本方案 進階方案 專業方案 客戶 已流失 備註 張偉 王芳 李娜 劉洋 陳靜 楊勇 趙敏 黃磊",
    "cp932": "東京 大阪 名古屋 横浜 基本プラン プレミアム 顧客 備考 田中 鈴木 佐藤 高橋 ひらがな カタカナ です",
    "cp949": "서울특별시 부산광역시 대구 인천 광주 대전 울산 기본요금제 고급요금제 고객 비고 김철수 이영희 박민수 최지우 정우성 해지 가입 안녕하세요 감사합니다 없음",
    "cp1251": "Москва Новосибирск базовый тариф премиум клиент Иванов Петров Сидорова ушёл остался",
    "cp1250": "Łódź Kraków Wrocław Poznań Gdańsk Świętochłowice żółty Częstochowa Białystok Rzeszów",
    "cp1252": "Müller Größe Köln München Straße Jürgen Schäfer Düsseldorf Zürich übrig Böblingen Fürth Würzburg Höfe",
}
DOUBTFUL = "Hélène Irène Adèle Thérèse Agnès père mère frère célèbre"
"""Their letters may be French or, in cp1250, Czech."""
FEW = {
    "gb18030": "张伟 王芳",
    "cp1252": "Hélène François garçon Besançon Orléans déjà prévu naïve",
    "cp1250": "Příbram Děčín Třebíč Žďár Kroměříž",
    "cp1254": "Eskişehir Şanlıurfa Muğla müşteri Gülşen Öztürk Doğan Çağlar Işık",  # noqa: RUF001
    "cp932": "東京 大阪 名古屋 横浜 ひらがな です",
    "cp1251": "Москва базовый тариф",
}


def table(words: str, encoding: str, rows: int = 200) -> bytes:
    """A table of these words, mostly ASCII otherwise."""
    some = words.split()
    lines = [f"i{row},{row}.5,{some[row % len(some)]},true,2013-01-01,5,{'plain' if row % 3 else some[0]}" for row in range(rows)]
    return "\n".join(["id,size,colour,wet,at,age,note", *lines, ""]).encode(encoding)


@pytest.mark.parametrize("encoding", WORDS)
@pytest.mark.parametrize("block_bytes", [7, 1 << 20])
def test_an_encoding_that_alone_makes_sense_is_taken_and_noted(encoding: str, block_bytes: int) -> None:
    data, some = table(WORDS[encoding], encoding), WORDS[encoding].split()
    notes = Notes()
    rows, rejected = read(data, block_bytes=block_bytes, notes=notes)
    assert [row["colour"] for row in rows] == [some[row % len(some)] for row in range(200)]
    assert not rejected
    assert notes.encoding is not None
    assert data.decode(notes.encoding) == data.decode(encoding)


NUMBERED = {
    "gb18030": ("客户 注册 套餐 流失", "客", "基础版 高级版 企业版 是 否"),
    "big5": ("客戶 註冊 方案 流失", "客", "基本方案 進階方案 專業方案 是 否"),
    "cp932": ("顧客 登録 プラン 解約", "客", "ひらがな カタカナ 東京 はい いいえ"),
}


@pytest.mark.parametrize("encoding", NUMBERED)
def test_ids_of_one_word_and_a_number_do_not_outweigh_the_other_words(encoding: str) -> None:
    columns, prefix, words = NUMBERED[encoding]
    some = words.split()
    rows = (f"{prefix}{row:05d},2024-01-01,{some[row % 3]},{some[3 + row % 2]}" for row in range(1000))
    text = "\n".join([",".join(columns.split()), *rows, ""])
    head = text.encode(encoding)
    assert head.decode(encoding_of(head, None, complete=True, detect=True)) == text


@pytest.mark.parametrize("damaged", [b"caf\x81", b"\x81\x8d\x90", b"Stra\x81e 5"])
def test_one_damaged_field_among_words_that_differ_by_numbers_is_no_doubt(damaged: bytes) -> None:
    rows = [f"i{row},Straße {row},x".encode("cp1252") for row in range(2000)]
    rows[700] = b"i700," + damaged + b",x"
    assert encoding_of(b"\n".join([b"id,street,note", *rows, b""]), None, complete=True, detect=True) == "cp1252"


def test_many_different_damaged_fields_do_not_hide_the_words_of_most_rows() -> None:
    damaged = [b"\x81" + bytes([ord("a") + row % 26, ord("a") + row // 26]) + b"\xff" for row in range(500)]
    head = b"\n".join(["größe".encode("cp1252"), *damaged, *["Straße".encode("cp1252")] * 6000, b""])
    assert encoding_of(head, None, complete=True, detect=True) == "cp1252"


@pytest.mark.parametrize("encoding", FEW)
def test_a_few_words_show_an_encoding_by_the_letters_that_its_languages_use(encoding: str) -> None:
    some = FEW[encoding].split()
    rows, rejected = read(table(FEW[encoding], encoding, len(some)))
    assert [row["colour"] for row in rows] == some
    assert not rejected


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "cp1254"])
def test_amounts_in_euros_show_that_they_are_not_cyrillic(encoding: str) -> None:
    rows, rejected = read(table("50€ 1,5€".replace(",", "."), encoding))
    assert ({row["colour"] for row in rows}, rejected) == ({"50€", "1.5€"}, [])


def test_too_few_letters_are_no_doubt_between_encodings_and_name_the_likely_one() -> None:
    refused = refusal("größe,id\n".encode("cp1252") + b"1,2\n" * 3)
    assert "too few letters show its encoding: it may begin as cp1252: 'größe'" in str(refused)
    assert refused.remedy.startswith("if that is right, add --encoding cp1252; otherwise")


WORDS_OF_THEIR_OWN = {**WORDS, **{name: FEW[name] for name in ("cp1254", "cp1252")}}


@settings(max_examples=60)
@given(st.sampled_from(sorted(WORDS_OF_THEIR_OWN)), st.data())
def test_an_encoding_that_is_found_is_the_right_one(encoding: str, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.sampled_from(WORDS_OF_THEIR_OWN[encoding].split()), min_size=3, max_size=40))
    text = "id,colour\n" + "".join(f"{row},{word}\n" for row, word in enumerate(some))
    head = text.encode(encoding)
    try:
        found = encoding_of(head, None, complete=True, detect=True)
    except BatchRejectedError:
        return
    assert found == "utf-8" or head.decode(found) == text


def test_in_doubt_a_file_is_refused_with_what_each_encoding_makes_of_it() -> None:
    refused = refusal(table(DOUBTFUL, "cp1252"))
    assert refused.code == "invalid_encoding"
    assert "cp1252: 'Hélène'" in str(refused)
    assert "--encoding" in refused.remedy


@pytest.mark.parametrize("name", ["cp1252", "latin-1", "Windows-1252"])
def test_a_named_encoding_is_taken_where_there_is_doubt(name: str) -> None:
    found = read_table(
        MemoryFile(table(DOUBTFUL, "cp1252")), key="a.csv", columns={"colour": ColumnKind.CATEGORY}, formats=Formats(encoding=name)
    )
    assert set(found.table["colour"].to_pylist()) == set(DOUBTFUL.split())


@pytest.mark.parametrize("words", [CHINESE, DOUBTFUL])
def test_what_is_utf8_beyond_doubt_is_that_whatever_encoding_was_named(words: str) -> None:
    found = read_table(
        MemoryFile(table(words, "utf-8")), key="a.csv", columns={"colour": ColumnKind.CATEGORY}, formats=Formats(encoding="gb18030")
    )
    assert set(found.table["colour"].to_pylist()) == set(words.split())


def test_two_bytes_that_are_utf8_by_chance_are_of_the_encoding_that_was_named() -> None:
    data = b"id,colour\na," + "通".encode("gb18030") + b"\n"
    assert data.decode() != data.decode("gb18030")  # they are both
    found = read_table(MemoryFile(data), key="a.csv", columns={"colour": ColumnKind.CATEGORY}, formats=Formats(encoding="gb18030"))
    assert found.table["colour"].to_pylist() == ["通"]


def colours(data: bytes, named: str, key: str = "a.csv") -> list[str]:
    """The colours that a model reads whose own files are in an encoding."""
    found = read_table(MemoryFile(data), key=key, columns={"colour": ColumnKind.CATEGORY}, formats=Formats(encoding=named))
    assert not found.rejected
    return [str(colour) for colour in found.table["colour"].to_pylist()]


@pytest.mark.parametrize("named", ["cp1252", "cp1250", "koi8_r", "gb18030", "big5", "cp932"])
@pytest.mark.parametrize("words", ["Müller", "ü", "Zürich é", "北京", "上 海"])
def test_json_lines_in_utf8_are_that_whatever_encoding_was_named(named: str, words: str) -> None:
    lines = "".join(json.dumps({"id": "1", "colour": word}, ensure_ascii=False) + "\n" for word in words.split())
    assert colours(lines.encode(), named, "a.jsonl") == words.split()


@pytest.mark.parametrize(
    ("named", "words"),
    [("cp1252", "Müller"), ("cp1250", "ü"), ("koi8_r", "Zürich é"), ("gb18030", "北京"), ("big5", "上海"), ("cp932", "東京")],
)
def test_a_few_characters_of_utf8_are_that_unless_the_named_encoding_has_them_by_chance(named: str, words: str) -> None:
    assert colours(f"id,colour\n{''.join(f'1,{word}\n' for word in words.split())}".encode(), named) == words.split()


def test_the_common_characters_of_gb18030_are_never_the_beginning_of_three_bytes_in_utf8_and_seldom_two() -> None:
    common = [bytes([first, second]) for first in range(0xB0, 0xD8) for second in range(0xA1, 0xFF) if (first, second) < (0xD7, 0xFA)]
    assert len(common) == 3755, "as the standard says"
    alike = [character for character in common if is_utf8(character)]
    assert 0.15 < len(alike) / len(common) < 0.2
    assert not any(0xE0 <= character[0] <= 0xEF for character in common)


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "cp1254", "cp1251"])
def test_no_word_in_an_encoding_of_single_bytes_looks_like_utf8(encoding: str) -> None:
    words = f"{WORDS.get(encoding, '')} {FEW[encoding]}".split()
    beyond = [word for word in {*words, *map(str.upper, words)} if not word.isascii()]
    assert [word for word in beyond if is_utf8(word.encode(encoding))] == []


@pytest.mark.parametrize("named", ["cp1252", "gb18030"])
def test_damaged_rows_do_not_make_utf8_a_text_of_the_named_encoding(named: str) -> None:
    data = table(CHINESE, "utf-8", 50) + b"x,1,caf\xe9,true,2013-01-01,5,n\n"
    found = read_table(MemoryFile(data), key="a.csv", columns={"colour": ColumnKind.CATEGORY}, formats=Formats(encoding=named))
    assert found.table["colour"].to_pylist() == (CHINESE.split() * 2)[:50]
    assert [row.code for row in found.rejected] == ["invalid_utf8"]


def test_characters_that_are_utf8_by_chance_in_most_fields_leave_the_named_encoding() -> None:
    women, men = "女", "男"
    assert is_utf8(women.encode("gb18030"))
    assert not is_utf8(men.encode("gb18030"))
    people = [women] * 6 + [men] * 4
    assert colours("".join(["id,colour\n", *(f"1,{one}\n" for one in people)]).encode("gb18030"), "gb18030") == people


@pytest.mark.parametrize("block_bytes", [999, 70_001, 1 << 20])
@pytest.mark.parametrize(
    ("encoding", "named"),
    [("cp1252", "cp1252"), ("utf-8", "cp1252"), ("gb18030", "gb18030"), ("utf-8", "gb18030"), ("iso2022_jp", "iso2022_jp")],
)
@pytest.mark.parametrize("key", ["a.csv", "a.jsonl"])
def test_after_a_long_start_in_ascii_the_first_other_text_shows_the_encoding(encoding: str, named: str, key: str, block_bytes: int) -> None:
    word = {"cp1252": "Würzburg", "gb18030": "北京市"}.get(named, "東京")
    rows = [{"id": f"i{row}", "colour": "plain" if row < 8000 else word} for row in range(8005)]
    if key == "a.csv":
        text = "id,colour\n" + "".join(f"{row['id']},{row['colour']}\n" for row in rows)
    else:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    assert len(text) > HEAD_BYTES
    notes, data = Notes(), MemoryFile(text.encode(encoding))
    rules = table_rules({"colour": ColumnKind.CATEGORY}, "UTC", Formats(encoding=named))
    blocks = list(reader_of(detect_format(data, key))(data, rules, block_bytes, notes))
    read_ = [str(colour) for block in blocks for colour in block.rows["colour"].to_pylist()]
    assert read_ == [row["colour"] for row in rows]
    assert notes.encoding == (None if encoding == "utf-8" else encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_known_without_a_mark(encoding: str) -> None:
    for block_bytes in (1, 1000):
        rows, rejected = read(table(CHINESE, encoding, 9), block_bytes=block_bytes)
        assert ([row["colour"] for row in rows], rejected) == (CHINESE.split()[:9], [])


def test_a_row_that_is_not_in_the_files_encoding_is_set_aside() -> None:
    data = table(CHINESE, "gb18030", 50) + b"x,1,\xff\xff,true,2013-01-01,5,n\n" + table("", "ascii", 0)[31:]
    rows, [bad] = read(data)
    assert (len(rows), bad.row, bad.code) == (50, 51, "invalid_utf8")


def test_a_few_damaged_rows_of_utf8_are_set_aside() -> None:
    data = table(CHINESE, "utf-8", 50) + b"x,1,caf\xe9,true,2013-01-01,5,n\n"
    rows, [bad] = read(data)
    assert (len(rows), bad.code) == (50, "invalid_utf8")


def test_json_lines_are_utf8_unless_another_encoding_is_named() -> None:
    lines = "\n".join(f'{{"id": "{row}", "colour": "{CHINESE.split()[row]}"}}' for row in range(20)).encode("gb18030")
    columns = {"id": ColumnKind.ID, "colour": ColumnKind.CATEGORY}
    assert read_table(MemoryFile(lines), key="a.jsonl", columns=columns, formats=Formats(encoding="gbk")).table.num_rows == 20
    with pytest.raises(BatchRejectedError):
        read_table(MemoryFile(lines), key="a.jsonl", columns=columns)


@given(st.binary(max_size=200), st.sampled_from([None, "gb18030", "cp1252"]))
def test_any_bytes_have_an_encoding_or_are_refused(head: bytes, named: str | None) -> None:
    try:
        encoding = encoding_of(head, named, complete=True, detect=True)
    except BatchRejectedError:
        return
    assert "a".encode(encoding)


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_character_that_the_head_cuts_in_half_makes_no_doubt(cut: int) -> None:
    text = ("x" * (HEAD_BYTES - 2 + cut) + "\n北京,").encode()
    assert encoding_of(text[:HEAD_BYTES], None, complete=False, detect=True) == "utf-8"
    one_line = ("x" * (HEAD_BYTES - 3 + cut) + "北京").encode()
    assert encoding_of(one_line[:HEAD_BYTES], None, complete=False, detect=True) == "utf-8"
