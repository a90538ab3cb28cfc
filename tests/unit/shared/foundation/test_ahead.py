import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.foundation.ahead import map_ahead


@given(st.lists(st.integers()), st.integers(1, 4))
def test_results_come_in_the_order_of_their_items(items: list[int], threads: int) -> None:
    assert list(map_ahead(lambda item: item * 2, iter(items), threads=threads)) == [item * 2 for item in items]


def test_items_are_worked_on_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    assert sorted(map_ahead(lambda _: both.wait(), iter(range(2)), threads=2)) == [0, 1]


def test_later_items_are_drawn_while_the_consumer_is_busy_but_only_a_few() -> None:
    drawn: list[int] = []
    waiting = threading.Event()

    def items() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            if number == 3:
                waiting.set()
            yield number

    results = map_ahead(lambda item: item, items(), threads=2)
    assert next(results) == 0
    assert len(drawn) <= 3
    assert next(results) == 1
    assert waiting.wait(10)
    assert len(drawn) == 4
    results.close()


def test_an_error_of_the_items_comes_after_the_results_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise EOFError

    results = map_ahead(lambda item: item, items(), threads=3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(EOFError):
        next(results)


def test_an_error_of_the_work_comes_in_its_place() -> None:
    results = map_ahead(lambda item: 6 // item, iter([1, 2, 0, 3]), threads=2)
    assert [next(results), next(results)] == [6, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("consumed", [0, 1, 50])
def test_no_thread_outlives_a_consumer_that_stops_early(consumed: int) -> None:
    before = set(threading.enumerate())
    inner = map_ahead(lambda item: item, iter(range(1000)), threads=2)
    outer = map_ahead(lambda item: item, inner, threads=2)
    for _ in range(consumed):
        next(outer)
    outer.close()
    inner.close()
    assert set(threading.enumerate()) == before
