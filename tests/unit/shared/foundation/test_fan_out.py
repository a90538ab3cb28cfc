from threading import Barrier

import pytest

from functions.shared.foundation.fan_out import for_each


def test_every_model_has_its_turn_and_all_troubles_are_reported_at_the_end() -> None:
    seen: list[str] = []

    def act(model: str) -> str:
        seen.append(model)
        if model in "bd":
            raise KeyError(model)
        return model

    with pytest.raises(ExceptionGroup, match="2 of 4 models failed") as said:
        for_each("abcd", act)
    assert seen == list("abcd")
    assert [failure.__notes__ for failure in said.value.exceptions] == [["model 'b'"], ["model 'd'"]]


def test_nobody_fails_among_no_models() -> None:
    assert for_each([], str) == []


@pytest.mark.parametrize("at_once", [1, 3])
def test_of_models_side_by_side_the_trouble_of_one_is_no_others(at_once: int) -> None:
    together, done = Barrier(at_once, timeout=5), list[str]()

    def act(model: str) -> None:
        together.wait()
        if model == "b":
            raise ValueError(model)
        done.append(model)

    with pytest.raises(ExceptionGroup, match="1 of 3 models failed"):
        for_each("abc", act, at_once=at_once)
    assert sorted(done) == ["a", "c"]
