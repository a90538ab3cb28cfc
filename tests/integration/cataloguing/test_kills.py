"""A run that dies at any call leaves tables that the next run brings to what stands."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.cataloguing.service import catalogue
from tests.integration.cataloguing.world import World, days_of, rows

STORE_CALLS = ("read", "list", "open", "write", "forget", "versions", "info")
CATALOGUE_CALLS = ("load_table", "create_table", "commit_table")


class KilledError(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Killer:
    """Ends a run before or after one of its calls of the store and the catalogue."""

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        for name in STORE_CALLS:
            patch.setattr(world.store, name, self._deadly(getattr(world.store, name)))
        for name in CATALOGUE_CALLS:
            patch.setattr(world.catalogue, name, self._deadly(getattr(world.catalogue, name)))

    def killed(self, run: Callable[[], object], *, at: int) -> bool:
        """Whether the run was still at work at this moment, and so ended there."""
        self._left = at
        try:
            run()
        except KilledError:
            return True
        finally:
            self._left = None
        return False

    def _deadly(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def deadly(*args: Any, **kwargs: Any) -> Any:
            self._pass()
            answer = call(*args, **kwargs)
            self._pass()
            return answer

        return deadly

    def _pass(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise KilledError


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as world:
        yield world


def test_a_run_may_die_at_any_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    killer, moment, at_work = Killer(world, monkeypatch), 0, True
    while at_work:
        model = world.new_model()
        first = world.scored("a.csv", rows(0, 3), model=model)
        catalogue(model, days_of(first), world.ports)
        again = world.scored("a.csv", rows(0, 3), model=model, purpose="rescore:2", created=timedelta(hours=1))
        other = world.scored("b.csv", rows(3, 2).append_column("more", rows(3, 2)["id"]), model=model)
        at_work = killer.killed(lambda model=model, first=first: catalogue(model, days_of(first), world.ports), at=moment)
        catalogue(model, days_of(first), world.ports)
        shown = world.query(f"SELECT batch_id, id FROM {model}_scored ORDER BY id", f"{model}_scored")
        assert shown == [*((again.batch_id, str(number)) for number in range(3)), (other.batch_id, "3"), (other.batch_id, "4")]
        reported = world.query(f"SELECT batch_id FROM {model}_batches WHERE standing ORDER BY rows_scored", f"{model}_batches")
        assert reported == [(other.batch_id,), (again.batch_id,)]
        moment += 1
    assert moment > 40, "a run makes at least twenty calls, before and after each of which it may die"
