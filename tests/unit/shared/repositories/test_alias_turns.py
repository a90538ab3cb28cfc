"""One run of release sets aliases at a time, and a dead one holds up nobody for long."""

from datetime import timedelta

import pytest

from functions.shared.domain.errors import RegistryUnavailableError
from functions.shared.repositories.alias_turns import LONGEST, AliasTurns
from tests.contract.template import RESOURCES
from tests.fakes.documents import NOW
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL

SECOND = timedelta(seconds=1)


def test_a_turn_is_one_runs_until_it_ends() -> None:
    turns = AliasTurns(MemoryStore())
    with turns.taken(MODEL, holder="ada", now=lambda: NOW):
        with pytest.raises(RegistryUnavailableError, match="another run"), turns.taken(MODEL, holder="ben", now=lambda: NOW + SECOND):
            pass
        with turns.taken("stock", holder="ben", now=lambda: NOW):
            pass
    with turns.taken(MODEL, holder="ben", now=lambda: NOW + SECOND):
        pass


def test_the_turn_of_a_dead_run_ends_by_itself_and_is_not_taken_back() -> None:
    turns = AliasTurns(MemoryStore())
    dead = turns.taken(MODEL, holder="ada", now=lambda: NOW)
    dead.__enter__()
    with turns.taken(MODEL, holder="ben", now=lambda: NOW + LONGEST):
        dead.__exit__(None, None, None)
        with pytest.raises(RegistryUnavailableError), turns.taken(MODEL, holder="cem", now=lambda: NOW + LONGEST):
            pass


def test_a_retried_request_finds_that_it_has_the_turn() -> None:
    turns = AliasTurns(MemoryStore())
    turns.taken(MODEL, holder="ada", now=lambda: NOW).__enter__()
    with turns.taken(MODEL, holder="ada", now=lambda: NOW):
        pass


def test_of_two_that_succeed_a_dead_run_at_once_one_does() -> None:
    class Overtaken(MemoryStore):
        def replace(self, key: str, body: bytes, *, etag: str) -> None:
            super().replace(key, body.replace(b"ben", b"cem"), etag=etag)
            super().replace(key, body, etag=etag)

    turns = AliasTurns(Overtaken())
    turns.taken(MODEL, holder="ada", now=lambda: NOW).__enter__()
    with pytest.raises(RegistryUnavailableError), turns.taken(MODEL, holder="ben", now=lambda: NOW + LONGEST):
        pass


def test_a_turn_outlasts_the_function() -> None:
    assert timedelta(seconds=RESOURCES["Release"]["Properties"]["Timeout"]) < LONGEST
