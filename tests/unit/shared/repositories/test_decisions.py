from functions.shared.repositories.decisions import Decisions
from tests.fakes.documents import make_decision
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import WatchedStore


def test_a_version_that_never_met_the_gate_has_no_decision() -> None:
    assert Decisions(MemoryStore()).of(MODEL, "2") is None
    assert Decisions(MemoryStore()).all(MODEL) == []


def test_decisions_come_in_order_of_their_versions_numbers() -> None:
    decisions = Decisions(MemoryStore())
    for version in ("10", "9", "1", "2"):
        decisions.write(make_decision(version))
    assert [decision.challenger_version for decision in decisions.all(MODEL)] == ["1", "2", "9", "10"]
    assert decisions.of(MODEL, "10") == make_decision("10")


def test_decisions_on_later_versions_alone_are_read() -> None:
    store, seen = MemoryStore(), list[str]()
    for version in ("1", "2", "9", "10"):
        Decisions(store).write(make_decision(version))
    watched = Decisions(WatchedStore(store, lambda moment: seen.append(moment.call)))
    assert [decision.challenger_version for decision in watched.after(MODEL, "2")] == ["9", "10"]
    assert sorted(set(seen)) == [f"list decisions/{MODEL}/", f"read decisions/{MODEL}/10.json", f"read decisions/{MODEL}/9.json"]
