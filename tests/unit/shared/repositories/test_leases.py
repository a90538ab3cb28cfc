"""Of several that want to do the same for one model, one does, and a dead one holds up nobody for ever."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from functions.shared.domain import layout
from functions.shared.domain.errors import RetrainingBusyError
from functions.shared.ports import ObjectStore
from functions.shared.repositories.leases import LONGEST, Lease, Leases
from tests.fakes.documents import NOW
from tests.fakes.memory_store import MemoryStore
from tests.fakes.repeating_store import RepeatingStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, Moment, WatchedStore

NAMES = ["ada", "ben", "cem"]


class Workers(RuleBasedStateMachine):
    """Workers that begin, end, die and wait, next to a model of the one lease there is."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.now: datetime = NOW
        self.attempts = 0
        self.at_work: dict[str, tuple[str, AbstractContextManager[None]]] = {}
        self.dead: set[str] = set()
        self.holder: str | None = None
        self.until = NOW

    def stop_if_dead(self, attempt: str) -> None:
        if attempt in self.dead:
            raise Crash(attempt)

    @rule(name=st.sampled_from(NAMES))
    def begin(self, name: str) -> None:
        if name in self.at_work:
            return
        self.attempts += 1
        attempt = f"{name} {self.attempts}"
        store = WatchedStore(self.store, lambda _: self.stop_if_dead(attempt))
        held = Leases(store).held(MODEL, holder=attempt, now=lambda: self.now)
        if self.holder is not None and self.until > self.now:
            with pytest.raises(RetrainingBusyError):
                held.__enter__()
            return
        held.__enter__()
        self.at_work[name] = attempt, held
        self.holder, self.until = attempt, self.now + LONGEST

    @precondition(lambda self: self.at_work)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        attempt, held = self.at_work.pop(data.draw(st.sampled_from(sorted(self.at_work))))
        held.__exit__(None, None, None)
        if self.holder == attempt:
            self.holder = None

    @precondition(lambda self: self.at_work)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        attempt, held = self.at_work.pop(data.draw(st.sampled_from(sorted(self.at_work))))
        self.dead.add(attempt)
        with suppress(Crash):
            held.__exit__(None, None, None)

    @rule(minutes=st.integers(1, 25))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(stateful_step_count=20)


def expired() -> MemoryStore:
    store = MemoryStore()
    store.write(layout.lease_key(MODEL), Lease(holder="dead", until=NOW - timedelta(minutes=1)).to_json())
    return store


@pytest.mark.parametrize("make", [MemoryStore, expired])
def test_of_two_that_come_at_the_same_moment_one_holds_the_lease(make: Callable[[], MemoryStore]) -> None:
    seen: list[Moment] = []
    with Leases(WatchedStore(make(), seen.append)).held(MODEL, holder="first", now=lambda: NOW):
        moments = list(seen)
    for moment in moments:
        store = make()
        inside: list[str] = []
        with ExitStack() as work:

            def begin(name: str, store: ObjectStore, inside: list[str] = inside, work: ExitStack = work) -> None:
                with suppress(RetrainingBusyError):
                    work.enter_context(Leases(store).held(MODEL, holder=name, now=lambda: NOW))
                    inside.append(name)

            def come(now: Moment, store: MemoryStore = store, at: Moment = moment) -> None:
                if now == at:
                    begin("second", store)

            begin("first", WatchedStore(store, come))
        assert len(inside) == 1, moment


def test_a_lease_is_held_by_whose_request_the_client_repeated() -> None:
    store = RepeatingStore()
    store.write(layout.lease_key(MODEL), Lease(holder="dead", until=NOW - timedelta(minutes=1)).to_json())
    with Leases(store).held(MODEL, holder="ada", now=lambda: NOW):
        assert Lease.from_json(store.read(layout.lease_key(MODEL))).holder == "ada"


def test_a_lease_is_given_back_even_by_who_fails() -> None:
    store = MemoryStore()
    with pytest.raises(ZeroDivisionError), Leases(store).held(MODEL, holder="ada", now=lambda: NOW):
        raise ZeroDivisionError
    assert not store.keys()


def test_who_was_succeeded_does_not_give_back_the_successors_lease() -> None:
    store, now = MemoryStore(), [NOW]
    with Leases(store).held(MODEL, holder="slow", now=lambda: now[0]):
        now[0] += LONGEST
        successor = Leases(store).held(MODEL, holder="next", now=lambda: now[0])
        successor.__enter__()
    assert layout.lease_key(MODEL) in store.keys()  # noqa: SIM118 - a method of the store
    successor.__exit__(None, None, None)
    assert not store.keys()


def test_who_is_succeeded_while_giving_back_leaves_the_successors_lease() -> None:
    store, now = MemoryStore(), [NOW]
    successor = Leases(store).held(MODEL, holder="next", now=lambda: now[0])

    def come(moment: Moment) -> None:
        if moment.call.startswith("delete") and moment.side == "before":
            now[0] += LONGEST
            successor.__enter__()

    with Leases(WatchedStore(store, come)).held(MODEL, holder="slow", now=lambda: now[0]):
        pass
    assert Lease.from_json(store.read(layout.lease_key(MODEL))).holder == "next"


def test_models_do_not_wait_for_each_other() -> None:
    leases = Leases(MemoryStore())
    with leases.held("sales", holder="ada", now=lambda: NOW), leases.held("stock", holder="ben", now=lambda: NOW):
        pass
