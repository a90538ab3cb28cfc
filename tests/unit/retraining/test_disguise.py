"""What texts look like numbers or days to a person."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from functions.retraining.disguise import MOST_TEXTS, Disguise, disguise_of


def found(texts: list[str]) -> Disguise | None:
    return disguise_of(pc.value_counts(pa.array(texts, pa.string())))


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (["$12", "$5.50", "3"], "amounts of money"),
        (["€ 1.200,50", "12,00 €"], "amounts of money"),
        (["CNY 12", "-¥3"], "amounts of money"),
        (["50%", "12 %", "7.5%"], "percentages"),
        (["1,234", "12,345"], "numbers with a comma for thousands or decimals"),
        (["1,234.50", "1,234", "12"], "numbers with a comma for thousands"),
        (["1,234,567", "1,234"], "numbers with a comma for thousands"),
        (["12,5", "1,234"], "numbers with a decimal comma"),
        (["1.234,50", "1.234.567,00"], "numbers with points for thousands"),
        (["1 234,5", "999"], "numbers with blanks for thousands"),
        (["1'234.5", "1\N{RIGHT SINGLE QUOTATION MARK}000"], "numbers with apostrophes for thousands"),
        (["(12.50)", "3"], "numbers with a sign in brackets or behind"),
        (["12.50-", "3"], "numbers with a sign in brackets or behind"),
        (["01.02.2012", "3.4.2012 10:00"], "days"),
        (["2012/01/02", "2012/12/31"], "days"),
        (["03/04/12"], "days"),
    ],
)
def test_numbers_and_days_are_seen_through(texts: list[str], what: str) -> None:
    disguise = found(texts)
    assert disguise is not None
    assert disguise.what == what


@pytest.mark.parametrize(
    ("texts", "remedy"),
    [
        (["$12", "$5.50", "3"], "--kind COLUMN=number reads them"),
        (["58,87 €", "7,5 €"], "--decimal , with --kind COLUMN=number reads them"),
        (["1.234,50 €", "1.000.000,00 €"], "--decimal , --thousands . with --kind COLUMN=number reads them"),
        (["$1,234.50", "$12"], "--thousands , with --kind COLUMN=number reads them"),
        (["12,5 %", "7,25%"], "--decimal , with --kind COLUMN=number reads them"),
        (["12 %"], "--kind COLUMN=number reads them"),
        (["12,5"], "--decimal , reads them"),
    ],
)
def test_the_remedy_names_each_option_that_reads_them(texts: list[str], remedy: str) -> None:
    disguise = found(texts)
    assert disguise is not None
    assert disguise.remedy == remedy


@pytest.mark.parametrize(
    "texts", [["basic", "plus"], ["A1", "B2"], ["192.168.1.1"], ["1-2-3"], ["10.5.3"], ["1", "2"], ["12,5", "x", "y"], ["-"], []]
)
def test_words_are_words(texts: list[str]) -> None:
    assert found(texts) is None


def test_a_tenth_of_the_rows_may_hold_something_else() -> None:
    texts = ["12,5"] * 90 + ["unknown"] * 10
    assert found(texts) is not None
    assert found([*texts, "unknown"]) is None


def test_of_very_many_texts_some_are_enough() -> None:
    texts = [f"{number},5" for number in range(20 * MOST_TEXTS)]
    assert found(texts) is not None
