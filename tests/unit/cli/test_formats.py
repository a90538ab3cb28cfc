"""Options that say how a file is written."""

import pytest

from functions.shared.domain.errors import InputError
from functions.shared.domain.formats import Formats
from infra.cli.formats import formats_of

NOTHING: dict[str, object] = {"decimal": ".", "thousands": "", "missing": None}


def test_options_become_what_the_request_carries() -> None:
    asked = formats_of(decimal=",", thousands=".", missing=[" - ", "n.b.", "-"])
    assert Formats.model_validate(asked) == Formats(decimal=",", thousands=".", missing=("-", "n.b."))
    assert Formats.model_validate(formats_of(decimal=".", thousands="", missing=None)) == Formats()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"decimal": ";"}, "--decimal ;: write '.' or ','"),
        ({"thousands": "x"}, "--thousands x: write ',' or '.' or ' ' or \"'\""),
        ({"decimal": ",", "thousands": ","}, "--decimal and --thousands are both ','"),
    ],
)
def test_a_sign_that_no_number_has_is_refused_with_those_that_may_be(options: dict[str, str], told: str) -> None:
    with pytest.raises(InputError) as refused:
        formats_of(**{**NOTHING, **options})
    assert told in str(refused.value)
