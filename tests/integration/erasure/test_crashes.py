"""An erasure may end at any call: no batch is ever half written, and asking again finishes it."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.snapshots import Snapshots
from tests.fakes.remembered import Life, lived, shown
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment

LEASE = timedelta(minutes=21)
TOKEN = "0123456789abcdef" * 2

CHANGES = {"write", "create", "replace", "delete", "forget"}


def moments() -> list[Moment]:
    """Just after each call that changes something: between two of these a crash leaves what it leaves after the first."""
    seen: list[Moment] = []
    lived().erase(watcher=seen.append)
    return [moment for moment in seen if moment.side == "after" and moment.call.split()[0] in CHANGES]


def outcome(life: Life) -> dict[str, Any]:
    """What is left, without the names that an erasure makes up."""
    decisions = Decisions(life.store).all(MODEL)
    return {
        "batches": {name: (m.rows_scored, m.rows_quarantined, m.rows_erased) for name, m in life.manifests().items()},
        "training": [(decision.snapshot, decision.erased_rows) for decision in decisions],
        "labels": sorted(info.key for prefix in ("labelled/", "waiting/") for info in life.store.list(prefix)),
        "uploads": sorted(info.key for info in life.inbox.list("")),
    }


def check_whole(life: Life) -> None:
    """Every file that a manifest or a decision names is there, as it says."""
    for manifest in life.manifests().values():
        assert manifest.rows_in == manifest.rows_scored + manifest.rows_quarantined + manifest.rows_erased
        for file in (*manifest.outputs, *manifest.quarantine):
            assert hashlib.sha256(life.store.read(file.key)).hexdigest() == file.sha256
    for decision in Decisions(life.store).all(MODEL):
        assert Snapshots(life.store).read(decision.snapshot.md5).num_rows == decision.snapshot.rows


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    life = lived()
    life.erase()
    return outcome(life)


def test_a_crash_at_any_call_leaves_everything_whole_and_is_made_good_by_asking_again(undisturbed: dict[str, Any]) -> None:
    tried = moments()
    assert {moment.call.split()[0] for moment in tried} == CHANGES
    assert {moment.bucket for moment in tried} == {"store", "inbox"}
    for moment in tried:
        life = lived()
        with pytest.raises(Crash):
            life.erase(watcher=CrashAt(moment))
        check_whole(life)
        life.now += LEASE
        life.erase()
        assert shown(life) == set(), moment
        assert outcome(life) == undisturbed, moment


def test_a_call_with_the_same_token_goes_on_after_a_crash_at_any_write_and_needs_not_wait(undisturbed: dict[str, Any]) -> None:
    for moment in moments():
        life = lived()
        with pytest.raises(Crash):
            life.erase(watcher=CrashAt(moment), token=TOKEN)
        check_whole(life)
        erasure = life.erase(token=TOKEN)
        assert erasure.ended_at is not None
        assert shown(life) == set(), moment
        assert outcome(life) == undisturbed, moment
        assert len([*life.store.list(f"erasures/{MODEL}/")]) <= 2, "a crash as the lease was given back leaves an ended one"


def test_a_crash_at_any_write_of_a_call_that_goes_on_leaves_nobody(undisturbed: dict[str, Any]) -> None:
    """Each call is killed a little later than the one before, until one ends."""
    life, number = lived(), 0
    while True:
        number += 1
        writes = count()

        def after_some(moment: Moment, number: int = number, writes: Iterator[int] = writes) -> None:
            if moment.side == "after" and moment.call.split()[0] in CHANGES and next(writes) >= number:
                raise Crash(moment)

        try:
            life.erase(watcher=after_some, token=TOKEN)
        except Crash:
            check_whole(life)
        else:
            break
    assert number > 3
    assert shown(life) == set()
    assert outcome(life) == undisturbed


def test_two_at_once_take_turns_and_both_are_done() -> None:
    life = lived()
    refused = []

    def other(moment: Moment) -> None:
        if moment.call.startswith("replace manifests/") and moment.side == "before" and not refused:
            refused.append(moment)
            with pytest.raises(Exception, match="a retraining or an erasure of 'sales' is running"):
                life.erase("bob-7")

    life.erase("ada-7", watcher=other)
    assert refused
    life.erase("bob-7")
    assert shown(life) == set()
