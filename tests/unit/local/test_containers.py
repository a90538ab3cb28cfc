"""What the emulator and the kernel say of a container, read."""

import pytest

from functions.shared.domain.errors import EmbeddedAwsError
from infra.local.containers import checked_answer, processor_seconds


@pytest.mark.parametrize(
    ("body", "answer"), [('{"batchItemFailures": []}', {"batchItemFailures": []}), (b"null", None), ("", None), ("[1]", [1])]
)
def test_an_answer_is_read(body: str | bytes, answer: object) -> None:
    assert checked_answer(body, "") == answer


def test_an_error_that_comes_like_an_answer_is_raised_with_what_was_logged() -> None:
    with pytest.raises(EmbeddedAwsError, match=r"(?s)InputError: no such model.*the log"):
        checked_answer('{"errorType": "InputError", "errorMessage": "no such model", "stackTrace": []}', "the log")


@pytest.mark.parametrize("usage", ["1500000000\n", "usage_usec 1500000\nuser_usec 900000\nsystem_usec 600000\n"])
def test_processor_seconds_are_read_in_the_unit_of_either_kind_of_control_group(usage: str) -> None:
    assert processor_seconds(usage) == 1.5
