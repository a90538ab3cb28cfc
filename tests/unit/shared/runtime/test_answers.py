"""A call whose caller watches the store: its answer comes to stand there once, whatever becomes of the function."""

from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from functions.shared.domain import layout
from functions.shared.domain.answer import FUNCTION_ENDED, Answer
from functions.shared.domain.errors import InputError, InvalidNameError, NotFoundError
from functions.shared.runtime import answers
from functions.shared.runtime.answers import keeping_answers
from tests.fakes.memory_store import MemoryStore

TOKEN = "0123456789abcdef" * 2
KEY = layout.answer_key("sales", TOKEN)
EVENT = {"action": "train", "model": "sales", "answer": TOKEN}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def kept(store: MemoryStore) -> Answer:
    return Answer.from_json(store.read(KEY))


def test_an_answer_that_is_asked_for_stands_in_the_store_and_the_request_is_as_in_a_direct_call(store: MemoryStore) -> None:
    asked: list[dict[str, Any]] = []

    @keeping_answers(lambda: store)
    def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
        asked.append(event)
        assert not kept(store).ended, "it stands there as begun"
        return {"decision": "promote"}

    assert handler(EVENT, None) == {"decision": "promote"}
    assert asked == [{"action": "train", "model": "sales"}]
    assert kept(store).answer == {"decision": "promote"}


def test_who_calls_directly_leaves_nothing_in_the_store(store: MemoryStore) -> None:
    assert keeping_answers(lambda: store)(lambda event, _: event)({"model": "sales"}, None) == {"model": "sales"}
    assert list(store.list("")) == []


def test_an_event_that_lambda_repeats_is_not_done_again(store: MemoryStore) -> None:
    times = iter((1, 2))
    handler = keeping_answers(lambda: store)(lambda *_: {"time": next(times)})
    for _ in range(2):
        handler(EVENT, None)
    assert kept(store).answer == {"time": 1}


def test_a_call_whose_beginning_was_stored_without_an_answer_from_s3_goes_on(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    create = store.create

    def lost_then_repeated(key: str, body: bytes) -> bool:
        create(key, body)
        return create(key, body)

    monkeypatch.setattr(store, "create", lost_then_repeated)
    assert keeping_answers(lambda: store)(lambda *_: {"decision": "promote"})(EVENT, None) == {"decision": "promote"}
    assert kept(store).answer == {"decision": "promote"}


def test_a_failure_stands_there_and_counts_and_its_repetition_neither_fails_nor_works(store: MemoryStore) -> None:
    @keeping_answers(lambda: store)
    def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
        raise NotFoundError("no file", remedy="upload it")

    with pytest.raises(NotFoundError):
        handler(EVENT, None)
    assert kept(store).failed == ("NotFoundError", "no file\nremedy: upload it")
    assert handler(EVENT, None) == {}, "so that no dead letter is left of what a person was shown"


@pytest.mark.parametrize(("silent_s", "said"), [(5, None), (120, FUNCTION_ENDED)])
def test_after_a_function_that_was_ended_its_repetition_says_so_and_leaves_one_that_lives_alone(
    store: MemoryStore, silent_s: float, said: str | None
) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=silent_s)
    store.create(KEY, Answer(begun_at=begun, beat_at=begun).to_json())
    assert keeping_answers(lambda: store)(lambda *_: pytest.fail("begun again"))(EVENT, None) == {}
    failed = kept(store).failed
    assert (failed and failed[0]) == said


def test_a_function_at_work_gives_signs_of_life_also_after_one_that_failed(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "BEAT_S", 0.001)
    written, enough = [], Event()
    write = store.write

    def failing_first(key: str, body: bytes) -> Any:
        written.append(Answer.from_json(body).beat_at)
        if len(written) == 2:  # the first is the beginning
            raise ConnectionError
        if len(written) == 5:
            enough.set()
        return write(key, body)

    monkeypatch.setattr(store, "write", failing_first)
    keeping_answers(lambda: store)(lambda *_: {"in time": enough.wait(20)})(EVENT, None)
    assert written == sorted(set(written))
    assert kept(store).answer == {"in time": True}, "the last word is the answer's"


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        ({**EVENT, "answer": "../release"}, InputError),
        ({**EVENT, "answer": 7}, InputError),
        ({**EVENT, "model": "../sales"}, InvalidNameError),
        ({"answer": TOKEN}, InvalidNameError),
    ],
)
def test_an_answer_is_kept_nowhere_else(store: MemoryStore, event: dict[str, Any], refused: type[InputError]) -> None:
    with pytest.raises(refused):
        keeping_answers(lambda: store)(lambda *_: {})(event, None)
    assert list(store.list("")) == []
