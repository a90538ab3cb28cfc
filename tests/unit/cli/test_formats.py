"""Options that say how a file is written."""

import pytest

from functions.shared.domain.errors import InputError
from functions.shared.domain.formats import Formats
from infra.cli.formats import formats_of

NOTHING: dict[str, object] = {"decimal": ".", "thousands": "", "time_format": None, "encoding": None, "missing": None}


def test_options_become_what_the_request_carries() -> None:
    asked = formats_of(decimal=",", thousands=".", time_format="%d.%m.%Y", encoding="GB18030", missing=[" - ", "n.b.", "-"])
    assert Formats.model_validate(asked) == Formats(
        decimal=",", thousands=".", time_format="%d.%m.%Y", encoding="gb18030", missing=("-", "n.b.")
    )
    assert Formats.model_validate(formats_of(**NOTHING)) == Formats()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"decimal": ";"}, "--decimal ';' is no such sign\nremedy: write one of: '.' ','"),
        ({"thousands": "x"}, "--thousands 'x' is no such sign\nremedy: write one of: ',' '.' ' ' \"'\""),
        ({"decimal": ",", "thousands": ","}, "--decimal and --thousands are both ','"),
        ({"time_format": "%H:%M"}, "--time-format %H:%M: '%H:%M' lacks %Y: write year, month and day, as in %d.%m.%Y, or epoch_s"),
        ({"encoding": "klingon"}, "--encoding klingon: there is no encoding 'klingon': write gb18030"),
        ({"encoding": "utf-16"}, "--encoding utf-16: texts show by themselves that they are utf-16: leave it out"),
        ({"time_format": "%Q"}, "--time-format %Q: %Q is none of %Y, %y"),
        ({"time_format": "%d.%m.%Y %y"}, "%Y, %y say the same: leave one out of '%d.%m.%Y %y'"),
    ],
)
def test_a_sign_that_no_number_has_is_refused_with_those_that_may_be(options: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as refused:
        formats_of(**{**NOTHING, **options})
    assert said in str(refused.value)
