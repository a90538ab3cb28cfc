"""An erasure that takes longer than one call goes on in the next, where it stopped."""

from collections import Counter
from datetime import timedelta

import pytest

from functions.erasure.event import EraseRequest
from functions.shared.domain import layout
from functions.shared.domain.erasure import Erasure
from functions.shared.domain.errors import RetrainingBusyError
from functions.shared.repositories.leases import LONGEST, Leases
from tests.fakes.remembered import PEOPLE, Life, lived, shown
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Moment

TOKEN = "0123456789abcdef" * 2


class Steps:
    """Calls with the same token, each of which does one unit and stops."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.read = Counter[str]()
        self.calls = 0

    def ask(self) -> Erasure:
        """Call once more."""
        self.calls += 1
        return self.life.erase(watcher=self._note, token=TOKEN, time_is_up=lambda: True)

    def until_ended(self) -> Erasure:
        """Call until the record has an end."""
        while (record := self.ask()).ended_at is None:
            pass
        return record

    def _note(self, moment: Moment) -> None:
        if moment.side == "before" and moment.call.startswith(("read scored/", "open ")):
            self.read[moment.call] += 1


def test_calls_that_stop_after_each_unit_do_and_record_what_one_call_does() -> None:
    at_once, steps = lived(), Steps(lived())
    whole, record = at_once.erase(), steps.until_ended()
    assert steps.calls > 40
    assert shown(steps.life) == set()
    same = {"rows", "batches", "versions", "uploads", "objects", "left", "people"}
    assert record.model_dump(include=same) == whole.model_dump(include=same)
    assert [found.key for found in steps.life.store.list(f"erasures/{MODEL}/")] == [layout.erasure_key(MODEL, record.erasure)]


def test_no_file_is_read_more_often_because_an_erasure_stopped() -> None:
    once, steps = Steps(lived()), Steps(lived())
    once.life.erase(watcher=once._note)
    steps.until_ended()
    others = {call for call in once.read if call in steps.read}
    assert others
    assert {call: steps.read[call] for call in others} == {call: once.read[call] for call in others}


def test_nobody_learns_between_two_calls() -> None:
    steps = Steps(lived())
    steps.ask()
    with (
        pytest.raises(RetrainingBusyError, match="is running"),
        Leases(steps.life.store).held(MODEL, holder="x", now=lambda: steps.life.now),
    ):
        pass
    steps.until_ended()
    with Leases(steps.life.store).held(MODEL, holder="x", now=lambda: steps.life.now):
        pass


def test_each_call_holds_the_lease_for_its_own_time() -> None:
    steps = Steps(lived())
    for _ in range(4):
        steps.ask()
        steps.life.now += LONGEST * 0.8
    with pytest.raises(RetrainingBusyError), Leases(steps.life.store).held(MODEL, holder="x", now=lambda: steps.life.now):
        pass


def test_rows_that_came_while_nobody_called_are_found_by_another_look() -> None:
    """The look in which nobody was found would be the last, but somebody may have learnt since."""
    steps = Steps(lived())
    while not ((reached := steps.ask().reached) and (reached.look, reached.step) == (1, "messages")):
        pass
    assert not reached.removed
    steps.life.now += LONGEST + timedelta(minutes=1)
    steps.life.learn("3", steps.life.now.date())
    assert steps.until_ended().versions["3"] == len(PEOPLE)
    assert shown(steps.life) == set()


def test_other_people_or_another_token_begin_from_the_start() -> None:
    life = lived()
    first = life.erase(PEOPLE[0], token=TOKEN, time_is_up=lambda: True)
    life.now += LONGEST
    for ids, token in (((PEOPLE[1],), TOKEN), ((PEOPLE[0],), TOKEN[::-1])):
        another = life.erase(*ids, token=token)
        assert another.erasure != first.erasure
        assert another.rows["scored"] > 0 or ids == (PEOPLE[0],)
    assert shown(life) == set()


def test_a_record_holds_nothing_by_which_ids_could_be_tried() -> None:
    life = lived()
    paused = life.erase(token=TOKEN, time_is_up=lambda: True)
    assert paused.reached is not None
    guesses = {EraseRequest(model=MODEL, ids=PEOPLE, who="x", token=token).seal for token in ("", paused.erasure.ljust(32, "x"))}
    assert paused.reached.seal not in guesses
    life.now += LONGEST
    untold = life.erase(time_is_up=lambda: True)
    assert (untold.reached, untold.ended_at) == (None, life.now), "without a token nobody could go on, so it does all"


def test_a_token_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="token"):
        EraseRequest(model=MODEL, ids=PEOPLE, who="x", token="short")
