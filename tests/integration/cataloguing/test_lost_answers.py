"""AWS Glue changes a table, its answer is lost, and the request that is sent again is refused."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.cataloguing.compaction import compact
from functions.cataloguing.glue import glue_tables
from functions.cataloguing.ports import Ports
from functions.cataloguing.service import catalogue, rebuild
from functions.shared.domain.errors import ConflictError
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import make_version
from tests.integration.cataloguing.world import ARRIVED, Scorings, days_of, rows

DAY, SPEC = ARRIVED.date(), make_version().spec


class Glued(Scorings):
    """Tables in AWS Glue, which refuses the next change before or after it makes it.

    Whoever takes a table out asks twice too, and is answered that there is none.
    """

    def __init__(self) -> None:
        super().__init__(kept := MemoryStore())
        self._client = boto3.client("glue", region_name="eu-central-1", aws_access_key_id="test", aws_secret_access_key="test")
        self._kept, self.ports = kept, Ports(kept, glue_tables(self._client, kept, "everscore"))
        self.refused = 0
        self._next: tuple[str, Callable[[], object]] | None = None
        for moment in ("before-call", "after-call"):
            self._client.meta.events.register(f"{moment}.glue.UpdateTable", self._refuse)
        self._client.meta.events.register("after-call.glue.DeleteTable", self._miss)

    def refuse(self, moment: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._next = moment, meanwhile

    def _refuse(self, event_name: str, **_: Any) -> None:
        if self._next is None or not event_name.startswith(self._next[0]):
            return
        (_, meanwhile), self._next = self._next, None
        meanwhile()
        self.refused += 1
        error: Any = {
            "Error": {"Code": "ConcurrentModificationException", "Message": "Update table failed due to concurrent modifications."}
        }
        raise self._client.exceptions.ConcurrentModificationException(error, "UpdateTable")

    def _miss(self, **_: Any) -> None:
        self.refused += 1
        error: Any = {"Error": {"Code": "EntityNotFoundException", "Message": "Table not found."}}
        raise self._client.exceptions.EntityNotFoundException(error, "DeleteTable")

    def rows_shown(self) -> int:
        """Rows by files that are there, as the table's metadata names them."""
        files = self.ports.tables.open("m", "scored").files()
        assert {file.key for file in files} <= self._kept.keys()
        return sum(file.rows for file in files)


@pytest.fixture
def glued() -> Iterator[Glued]:
    with mock_aws():
        glued = Glued()
        catalogue("m", days_of(glued.scored("first.csv", rows(0, 2))), glued.ports)
        yield glued


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_a_batch_whose_commit_was_refused_is_shown_once(glued: Glued, moment: str) -> None:
    batch = glued.scored("second.csv", rows(2, 3))
    glued.refuse(moment)
    catalogue("m", days_of(batch), glued.ports)
    assert (glued.refused, glued.rows_shown()) == (1, 5)
    catalogue("m", days_of(batch), glued.ports)
    assert glued.rows_shown() == 5


@pytest.mark.parametrize("others", [1, 12])
def test_a_table_can_be_read_if_others_changed_it_since_the_answer_was_lost(glued: Glued, others: int) -> None:
    """Twelve others are more than the table's metadata remembers."""
    second = glued.scored("second.csv", rows(2, 3))

    def meanwhile() -> None:
        for number in range(others):
            catalogue("m", days_of(glued.scored(f"other{number}.csv", rows(10 + number, 1))), glued.ports)

    glued.refuse("after-call", meanwhile)
    catalogue("m", days_of(second), glued.ports)
    assert (glued.refused, glued.rows_shown()) == (1, 5 + others)


def test_large_files_stay_if_the_answer_to_their_commit_was_lost(glued: Glued) -> None:
    catalogue("m", days_of(glued.scored("second.csv", rows(2, 3))), glued.ports)
    glued.refuse("after-call")
    assert compact("m", DAY, SPEC, glued.ports) == 2
    [file] = glued.ports.tables.open("m", "scored").files()
    assert (glued.refused, file.batch, glued.rows_shown()) == (1, "", 5)


def test_large_files_whose_commit_may_have_come_through_are_not_removed(glued: Glued, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever catches the error cannot know; the night removes what no table names."""
    table = type(glued.ports.tables.open("m", "scored"))
    committed = table.commit

    def came_through(*args: Any, **kwargs: Any) -> None:
        committed(*args, **kwargs)
        message = "no answer"
        raise ConflictError(message)

    catalogue("m", days_of(glued.scored("second.csv", rows(2, 3))), glued.ports)
    monkeypatch.setattr(table, "commit", came_through)
    assert compact("m", DAY, SPEC, glued.ports) == 0
    assert glued.rows_shown() == 5


def test_tables_are_made_again_if_the_answer_to_their_removal_was_lost(glued: Glued) -> None:
    rebuild("m", glued.ports)
    assert (glued.refused, glued.rows_shown()) == (2, 2)
