import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from infra.report.wording import MINUS, breakable, figure, seconds, share, size


@given(st.floats(min_value=0, max_value=1))
def test_a_share_reads_as_itself_to_a_hundredth_of_a_percent_or_to_one_percent_in_the_middle(part: float) -> None:
    text = share(part)
    if text[0] not in "<>":
        assert float(text.removesuffix(" %")) / 100 == pytest.approx(part, abs=0.005 if 0.1 <= part <= 0.9 else 0.00005001)
    assert (text == "0 %") == (part == 0)
    assert (text == "100 %") == (part == 1)


@given(st.floats(min_value=-1e12, max_value=1e12))
def test_a_figure_keeps_three_digits_that_matter(value: float) -> None:
    assert float(figure(value).replace(",", "").replace(MINUS, "-")) == pytest.approx(value, rel=0.005)


@given(st.floats(min_value=0.001, max_value=1e6))
def test_a_time_keeps_its_size(value: float) -> None:
    number, unit = seconds(value).split()
    assert float(number) * {"ms": 0.001, "s": 1}[unit] == pytest.approx(value, rel=0.005, abs=0.0005001)


@given(st.text())
def test_a_name_that_may_break_is_the_same_name_with_its_markup_escaped(name: str) -> None:
    assert breakable(name).replace("<wbr>", "") == escape(name)


@given(st.integers(0, 10**15))
def test_a_size_keeps_its_size(value: int) -> None:
    number, unit = re.fullmatch(r"(\S+) (\w+)", size(value)).groups()  # type: ignore[union-attr]
    assert float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit] == pytest.approx(value, rel=0.005)
