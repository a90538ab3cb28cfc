"""A refusal is an answer to who asked, and an error where nobody reads the answer."""

from typing import Any

import pytest

from functions.shared.domain.errors import BatchRejectedError, EverscoreError, NotFoundError, RegistryUnavailableError, ReleaseRefusedError
from functions.shared.domain.rejections import FileCode
from functions.shared.runtime.refusals import answering_refusals

ASKED = {"action": "promote", "model": "m"}


def handler(raised: EverscoreError | None) -> Any:
    @answering_refusals
    def handle(_event: dict[str, Any], _context: object) -> dict[str, Any]:
        if raised is not None:
            raise raised
        return {"seq": 2}

    return handle


@pytest.mark.parametrize(
    ("raised", "error", "code"),
    [
        (ReleaseRefusedError("no", remedy="do"), "ReleaseRefusedError", "release_refused"),
        (BatchRejectedError(FileCode.EMPTY_FILE, "no", "do"), "BatchRejectedError", "empty_file"),
        (NotFoundError("no", remedy="do"), "NotFoundError", "not_found"),
    ],
)
def test_a_refused_call_is_answered_with_the_refusal(raised: EverscoreError, error: str, code: str) -> None:
    assert handler(raised)(ASKED, None) == {"refused": {"error": error, "message": "no", "remedy": "do", "code": code}}


def test_an_answer_stays_what_it_is() -> None:
    assert handler(None)(ASKED, None) == {"seq": 2}


@pytest.mark.parametrize("event", [{"action": "tick"}, {"source": "aws.s3", "detail": {}}, {"Records": []}])
def test_a_refused_event_fails_since_nobody_reads_an_answer(event: dict[str, Any]) -> None:
    with pytest.raises(ReleaseRefusedError):
        handler(ReleaseRefusedError("no"))(event, None)


def test_a_failure_is_no_refusal() -> None:
    with pytest.raises(RegistryUnavailableError):
        handler(RegistryUnavailableError("away"))(ASKED, None)
