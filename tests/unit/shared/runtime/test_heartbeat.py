"""A beat while work goes on."""

from threading import Event
from typing import Any

import pytest

from functions.shared.runtime.heartbeat import beating


class Beats:
    """Counts beats, and says when the third has come."""

    def __init__(self) -> None:
        self.count = 0
        self.third = Event()

    def __call__(self) -> None:
        self.count += 1
        if self.count == 3:
            self.third.set()


@pytest.mark.parametrize("how", [{}, {"at_once": True}])
def test_it_beats_again_and_again_and_not_after_the_block_however_that_ends(how: dict[str, Any]) -> None:
    beats = Beats()

    def work() -> None:
        with beating(beats, 0.001, **how):
            assert beats.third.wait(10)
            raise ValueError("the work failed")

    with pytest.raises(ValueError, match="the work failed"):
        work()
    ended_at = beats.count
    assert not Event().wait(0.01)
    assert beats.count == ended_at


def test_short_work_has_a_beat_only_if_it_begins_with_one() -> None:
    silent, heard = Beats(), Beats()
    with beating(silent, 60):
        pass
    with beating(heard, 60, at_once=True):
        pass
    assert (silent.count, heard.count) == (0, 1)
