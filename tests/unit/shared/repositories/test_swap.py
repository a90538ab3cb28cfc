"""Whoever comes between, no writer's change is lost, and the answer is about what stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import ConflictError
from functions.shared.repositories.swap import swap
from tests.fakes.memory_store import MemoryStore
from tests.fakes.watched_store import Moment, WatchedStore

KEY = "totals/sales.json"


def one_more(body: bytes | None) -> tuple[bytes, int]:
    count = int(body or 0) + 1
    return b"%d" % count, count


@given(begun=st.none() | st.integers(0, 9), others=st.integers(0, 19))
def test_each_count_is_kept_however_many_others_count_in_between(begun: int | None, others: int) -> None:
    store, left = MemoryStore(), [None] * others
    if begun is not None:
        store.write(KEY, b"%d" % begun)

    def count_too(now: Moment) -> None:
        if left and now.side == "after" and now.call == f"read {KEY}":
            left.pop()
            swap(store, KEY, one_more)

    counted = swap(WatchedStore(store, count_too), KEY, one_more)
    assert (counted, store.read(KEY)) == ((begun or 0) + others + 1, b"%d" % counted)


def test_where_others_always_come_first_nothing_is_written() -> None:
    store = MemoryStore()

    def meddle(now: Moment) -> None:
        if now.side == "after" and now.call == f"read {KEY}":
            store.write(KEY, b"theirs %d" % now.number)

    with pytest.raises(ConflictError, match=f"{KEY} was changed by others 20 times in a row"):
        swap(WatchedStore(store, meddle), KEY, lambda _: (b"ours", None))
    assert store.read(KEY).startswith(b"theirs")


def test_what_need_not_change_is_left_as_it_stands() -> None:
    store = MemoryStore()
    store.write(KEY, b"5")
    assert swap(store, KEY, lambda body: (None, body)) == b"5"
    assert store.writes(KEY) == 1


def test_what_is_deleted_in_between_is_decided_on_again() -> None:
    store = MemoryStore()
    store.write(KEY, b"5")

    def delete(now: Moment) -> None:
        if now.number == 1 and now.side == "after":
            store.delete([KEY])

    assert swap(WatchedStore(store, delete), KEY, one_more) == 1
